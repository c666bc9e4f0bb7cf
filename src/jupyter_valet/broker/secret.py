"""The one type that carries a secret."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn


class Secret:
    """A credential, key, code or verifier that shows itself to nobody.

    Printing, formatting, hashing, pickling and copying it either hide the value or raise, so a log
    line, an f-string, a JSON dump or a traceback with locals cannot leak it. Only
    `jupyter_valet.broker.reveal` opens one, and an import contract names who may import that.
    """

    __slots__ = ("__value",)

    def __init__(self, value: bytes | str) -> None:
        self.__value = value.encode() if isinstance(value, str) else bytes(value)

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "Secret(…)"

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        """Compare in constant time."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value, other.__value)

    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")
