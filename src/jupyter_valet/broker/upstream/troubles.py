"""What went wrong below the SDK's client, carried past it.

An exception in its HTTP client would end the whole session, and an error answer of the server's
loses its status and its challenge on the way up. So the transport answers with an error of its own
that names what happened, and whoever made the call looks it up here.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Any

from mcp.shared.exceptions import MCPError

from ..oauth.rfc9728 import Challenge

CODE = -32099
"""JSON-RPC leaves it to implementations; nobody outside the broker sees it."""

_MEMBER = "jupyter-valet/trouble"
_MOST = 256


class Refused(Exception):
    """The server refused the credential, or wants one (401), or more of one (403).

    `why` says why there is no better credential, once that was tried.
    """

    def __init__(self, status: int, challenge: Challenge, why: str = "") -> None:
        self.status = status
        self.why = why
        self.challenge = challenge
        super().__init__(f"status {status}")


class SessionLost(Exception):
    """The server does not know the session any more, so it did nothing with the request."""


class Troubles:
    """The exceptions on their way."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Exception] = OrderedDict()

    def data(self, error: Exception) -> dict[str, Any]:
        """Return a JSON-RPC error that stands for `error`; nobody else can name it."""
        name = secrets.token_urlsafe(16)
        self._kept[name] = error
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return {"code": CODE, "message": "refused below", "data": {_MEMBER: name}}

    def of(self, error: MCPError) -> Exception | None:
        """Return what `error` stands for, once; None when the server itself answered it."""
        data = error.error.data
        name = data.get(_MEMBER) if isinstance(data, dict) else None
        return self._kept.pop(name, None) if isinstance(name, str) else None
