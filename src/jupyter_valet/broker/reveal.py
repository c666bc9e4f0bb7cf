"""The one place that opens a `Secret`.

Who may import this module is written down in `pyproject.toml` ([tool.importlinter]) and checked in
CI: sealing into the vault, talking to a token endpoint, and injection into a request.
"""

from __future__ import annotations

from .secret import Secret


def reveal_bytes(secret: Secret) -> bytes:
    """Return the bytes inside `secret`."""
    value: bytes = secret._Secret__value  # type: ignore[attr-defined]
    return value


def reveal(secret: Secret) -> str:
    """Return the text inside `secret`.

    Raises `UnicodeDecodeError` when it was made of bytes that are no UTF-8.
    """
    return reveal_bytes(secret).decode()
