"""The API keys of this vault: made, judged, listed and revoked, by any number of processes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from ...wire.clients import KEY_PREFIX, Arrival, digest, mint
from ...wire.errors import ValetError
from ..audit import Audit
from ..secret import Secret
from ..vault import Conflict, Vault
from .authenticator import Proven, Refused
from .ending import Ending
from .key import DAY, KIND, ClientKey, checked_days, checked_name, checked_scopes

USED_SECONDS = 60.0
"""How old the stored time of last use may become before a use costs a write."""

MOST = 64
"""Keys that one person may have."""

_NOTHING = Secret("")


class ClientKeys:
    """An `Authenticator`. What is written is durable when a method returns."""

    def __init__(
        self,
        vault: Vault,
        audit: Audit,
        ending: Ending,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._vault = vault
        self._audit = audit
        self._ending = ending
        self._clock = clock

    # For programs ----------------------------------------------------------------------------

    def knows(self, arrival: Arrival) -> bool:
        """Tell by the prefix."""
        return arrival.token.startswith(KEY_PREFIX)

    async def prove(self, arrival: Arrival) -> Proven:
        """Return whose key it is. Raises `Refused`; the look-up by digest tells no timing."""
        record = self._vault.get(KIND, digest(arrival.token))
        if record is None:
            raise Refused
        key, now = ClientKey.from_record(record), self._clock()
        if not key.lasts(now):
            raise Refused
        try:
            if now - key.last_used_at >= USED_SECONDS:
                with contextlib.suppress(ValetError):  # no room on the disk, no time of use
                    used = replace(key, last_used_at=now).to_meta()
                    self._vault.put(KIND, record.id, used, _NOTHING, expect=record.revision)
        except Conflict:  # used elsewhere, or revoked: this must not bring it back
            return await self.prove(arrival)
        return Proven(key.principal, key.client, key.created_at)

    # For people ------------------------------------------------------------------------------

    def make(
        self, principal: str, name: str, scopes: Iterable[str], days: int
    ) -> tuple[ClientKey, str]:
        """Make a key, and return it in clear: this once, for nobody can find it out later.

        Raises `ValetError` ("bad_request") for a name that there is, and for what a key cannot be.
        """
        name, mine = checked_name(name), self.of(principal)
        if any(key.name == name for key in mine):
            raise ValetError("bad_request", what="there is an API key of that name")
        if len(mine) >= MOST:
            raise ValetError("bad_request", what=f"{MOST} API keys are the most")
        token, now = mint(KEY_PREFIX), self._clock()
        until = now + checked_days(days) * DAY
        key = ClientKey(digest(token), principal, name, checked_scopes(scopes), now, until)
        self._note("client_key.made", key)
        self._vault.put(KIND, key.digest, key.to_meta(), _NOTHING, expect=0)
        return key, token

    def of(self, principal: str) -> list[ClientKey]:
        """Return the person's keys, also those that have expired, the newest first."""
        keys = map(ClientKey.from_record, self._vault.list(KIND))
        mine = (key for key in keys if key.principal == principal)
        return sorted(mine, key=lambda key: key.created_at, reverse=True)

    def revoke(self, principal: str, id: str) -> ClientKey:
        """End a key, and everything that its client has or waits for, at once.

        Raises `ValetError` ("not_found") when the person has no such key.
        """
        key = next((key for key in self.of(principal) if key.id == id), None)
        if key is None or not self._vault.delete(KIND, key.digest):
            raise ValetError("not_found", what="API key")
        self._note("client_key.ended", key)
        self._ending.ended(key.principal, key.client.id)
        return key

    def _note(self, action: str, key: ClientKey) -> None:
        scopes = " ".join(sorted(key.scopes))
        self._audit.record(
            action, principal=key.principal, kernel=key.client.id, reason=key.name, scopes=scopes
        )
