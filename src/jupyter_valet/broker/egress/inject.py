"""Where the credential meets the request: the one place of the egress that opens a `Secret`."""

from __future__ import annotations

from collections.abc import Collection, Hashable

from ..reveal import reveal, reveal_bytes
from ..secret import Secret
from .reflection import Reflection


def bearer(credential: Secret) -> dict[str, str]:
    """Return the header that carries the credential (RFC 6750 §2.1)."""
    return {"Authorization": f"Bearer {reveal(credential)}"}


class Watches:
    """What recognises a credential in an answer, kept while the credential is in use.

    Making one costs more than looking for it. It knows as much as the credential itself, so there
    is one for each destination, and it goes when the credential changes.
    """

    def __init__(self) -> None:
        self._held: dict[Hashable, tuple[Secret, Reflection]] = {}

    def of(self, destination: Hashable, credential: Secret) -> Reflection:
        """Return what recognises `credential`, which goes to `destination`."""
        held = self._held.get(destination)
        if held is None or held[0] != credential:
            held = (credential, Reflection(reveal_bytes(credential)))
            self._held[destination] = held
        return held[1]

    def keep(self, destinations: Collection[Hashable]) -> None:
        """Forget all others; there is one for each of `destinations`."""
        if len(self._held) > len(destinations):
            self._held = {d: held for d, held in self._held.items() if d in destinations}
