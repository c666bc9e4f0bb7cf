"""When Jupyter last let each person in, for keys and sign-ins that outlive that by far.

A key says whose it is, and Jupyter says who may come; but nobody tells a server whom its identity
provider, its authorizer or a JupyterHub let in no longer. So what a person gave to programs is good
while the person comes by, too. Whom the server belongs to need not.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable

from ...wire.control import OWNER
from ...wire.errors import ValetError
from ..secret import Secret
from ..vault import Vault

KIND = "admission"

DAYS = 30
"""Days for which a person who does not come by may have programs come."""

_DAY = 86_400.0
_NOTHING = Secret("")


class Admissions:
    """`owner` is the one whom the server belongs to; empty where it belongs to several."""

    def __init__(self, vault: Vault, owner: str, *, clock: Callable[[], float] = time.time) -> None:
        self._vault = vault
        self._always = {OWNER, owner} - {""}
        self._clock = clock
        self._noted: dict[str, float] = {}

    def seen(self, principal: str) -> None:
        """Note that Jupyter has just let a person in; a write a day at most."""
        now = self._clock()
        if principal in self._always or now - self._noted.get(principal, 0.0) < _DAY:
            return
        self._noted[principal] = now
        with contextlib.suppress(ValetError):  # no room on the disk: the next day is another
            meta = {"principal": principal, "seen_at": now}
            self._vault.put(KIND, _id(principal), meta, _NOTHING)

    def lasts(self, principal: str, since: float) -> bool:
        """Tell whether what a person gave out at `since` is good although they are not here."""
        if principal in self._always:
            return True
        record = self._vault.get(KIND, _id(principal))
        seen_at = float(record.meta["seen_at"]) if record else 0.0
        return self._clock() < max(since, seen_at) + DAYS * _DAY


def _id(principal: str) -> str:
    return hashlib.sha256(principal.encode()).hexdigest()[:32]
