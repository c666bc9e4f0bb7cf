"""Before a credential may go to a host that nobody knows: does the host send back what it is sent?

A fake credential is sent where the real one would be, along the same way. A host that returns it is
not given the real one, unless the person's configuration accepts that (R138–R140 are what would
remain). What was found is in the vault, with its date.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...wire.errors import ValetError
from ..egress import Egress, Request, Terms, Withheld
from ..egress.inject import fake
from ..egress.origin import Origin
from ..secret import Secret
from ..vault import Vault

if TYPE_CHECKING:
    from ..oauth import Profile

KIND = "probe"

GOOD_FOR = 30 * 86400.0
"""Seconds for which a host that did not echo is believed."""

WELL_KNOWN = ("/headers", "/anything", "/get", "/echo")
"""Where hosts that echo commonly do; one that has none of them answers 404."""

_NOBODY = ""
"""The principal of a probe's connections: no person's, so that none is shared with one (R129)."""


class Probes:
    """Asks each API host of a provider of the person's own, and remembers the answer."""

    def __init__(
        self, vault: Vault, egress: Egress, clock: Callable[[], float] = time.time
    ) -> None:
        self._vault = vault
        self._egress = egress
        self._clock = clock

    async def check(self, profile: Profile, like: Secret | None = None) -> None:
        """Raise `ValetError` unless every API host of `profile` may be given a credential.

        `like` is a credential whose shape the fake shall have. `reflection_refused`: the host
        echoes; `provider_unreachable` and others: it could not be asked, so it is given none. Hosts
        of the built-in providers are known and not asked.
        """
        if not profile.configured:
            return
        asked = [o for o in profile.origins if o not in profile.accepts_reflection]
        for origin in asked:
            if not self._believed(profile, origin):
                await self._ask(profile, origin, like)

    def _believed(self, profile: Profile, origin: Origin) -> bool:
        record = self._vault.get(KIND, _id(profile, origin))
        if record is None or record.meta["echoes"]:
            return False
        age: float = self._clock() - record.meta["checked_at"]
        return 0 <= age < GOOD_FOR

    async def _ask(self, profile: Profile, origin: Origin, like: Secret | None) -> None:
        required = ["/", *([profile.probe_path] if profile.probe_path else [])]
        paths = [*required, *WELL_KNOWN]
        found = await asyncio.gather(
            *(self._one(profile, origin, path, fake(like)) for path in paths),
            return_exceptions=True,
        )
        echoes = any(isinstance(answer, Withheld) for answer in found)
        if not echoes:
            for answer in found[: len(required)]:
                if isinstance(answer, BaseException):
                    raise answer
        meta = {"origin": str(origin), "echoes": echoes, "checked_at": self._clock()}
        self._vault.put(KIND, _id(profile, origin), meta, Secret(""))
        if echoes:
            raise ValetError("reflection_refused", host=origin.host)

    async def _one(self, profile: Profile, origin: Origin, path: str, credential: Secret) -> None:
        await self._egress.send(
            Request("GET", origin, path, {"Accept": "*/*"}),
            credential,
            Terms(_NOBODY, profile.loopback, profile.title, profile.placed("probe"), profile.never),
        )


def _id(profile: Profile, origin: Origin) -> str:
    """Name what was asked: the host, how, and where; another question has another answer."""
    asked = [str(origin), repr(profile.placement), profile.probe_path, profile.loopback]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]
