"""What an approval is good for: one exact request of one kernel, as a keyed digest."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING

from ..kernels import Caller
from ..reveal import reveal_bytes
from ..vault import Vault

if TYPE_CHECKING:
    from ..egress.request import Request

_PURPOSE = "approval"


class Digests:
    """Digests under a key of the vault: what is on its way to be written cannot be guessed."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._key = b""

    def of(self, caller: Caller, connection: str, tool: str, request: Request) -> str:
        """Return the same only for the same request, of the same kernel, with one connection."""
        if not self._key:
            self._key = reveal_bytes(self._vault.key(_PURPOSE))
        headers = sorted((name.lower(), value) for name, value in request.lines.items())
        body = hashlib.sha256(request.body or b"").hexdigest()
        facts = [caller.principal, caller.kernel_id, connection, tool]
        wire = [request.method, str(request.origin), request.target, headers, body]
        message = json.dumps([*facts, *wire], separators=(",", ":")).encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
