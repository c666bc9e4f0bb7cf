"""Registrations that are kept nowhere: the client id holds all of it, under a seal.

RFC 7591 Appendix A.5.2. Whoever floods the registration uses up nothing, and keeps nobody out: who
registers meanwhile gets an id of this kind, which is good until somebody must have signed in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from ...wire.errors import ValetError
from ..reveal import reveal_bytes
from ..vault import Vault
from .registration import Registration

LONGEST = 1500
"""Characters of such an id: programs and their servers may expect a short one."""

SECONDS = 900.0
"""How long a program has to sign in with it; what was approved is kept by then."""

_PURPOSE = "client_app"
_PREFIX = "app-"
_SKEW = 60.0


class Unkept:
    """Makes and reads such ids, under a key of the vault."""

    def __init__(self, vault: Vault, *, clock: Callable[[], float] = time.time) -> None:
        self._vault = vault
        self._clock = clock
        self._key = b""

    def sealed(self, registration: Registration) -> Registration:
        """Return `registration` with an id that holds it. Raises `ValetError` when it is large."""
        facts = [
            int(registration.made_at),
            secrets.token_hex(8),
            registration.name,
            registration.application_type,
            *registration.redirect_uris,
        ]
        held = _encoded(json.dumps(facts, separators=(",", ":")).encode())
        client_id = f"{_PREFIX}{held}.{self._seal(held)}"
        if len(client_id) > LONGEST:
            raise ValetError("too_many_programs")
        return replace(registration, client_id=client_id)

    def read(self, client_id: str) -> Registration | None:
        """Return what an id of this kind holds, while it is good."""
        held, _, seal = client_id.removeprefix(_PREFIX).partition(".")
        if not (seal and client_id.startswith(_PREFIX) and len(client_id) <= LONGEST):
            return None
        if not hmac.compare_digest(seal.encode(), self._seal(held).encode()):
            return None
        made_at, _, name, kind, *uris = json.loads(base64.urlsafe_b64decode(held + "=="))
        if not made_at - _SKEW <= self._clock() < made_at + SECONDS:
            return None
        return Registration(client_id, name, tuple(uris), kind, made_at=made_at)

    def _seal(self, held: str) -> str:
        if not self._key:
            self._key = reveal_bytes(self._vault.key(_PURPOSE))
        return _encoded(hmac.digest(self._key, held.encode(), hashlib.sha256))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
