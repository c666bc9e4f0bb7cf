"""Outside MCP clients: what the Jupyter server says of a request that it forwards to the broker.

A program outside of the notebooks calls `{base_url}valet/mcp` on Jupyter's port. The server judges
tokens of its own identity provider only; what else a client shows goes to the broker unread. Both
travel in one header, under a secret that the server made for this broker and no kernel knows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from dataclasses import dataclass, replace
from functools import lru_cache

from . import capability

ROUTE = "/clients/mcp"
"""Where the broker's listener takes what was forwarded."""

PAGE_MCP = "valet/mcp"
"""The MCP endpoint below `base_url`."""

PAGE_ISSUER = "valet/oauth"
"""Our own authorization server below `base_url`: the path of its issuer identifier."""

HEADER = "valet-arrival"
"""Carries an `Arrival`; the server drops it from what clients send."""

DOOR_PREFIX = "jvd_"
"""The secret between the server and its broker."""

KEY_PREFIX = "jva_"
"""An API key of a person's, for one client."""

ACCESS_PREFIX = "jvo_"
"""An access token of our own authorization server."""

SCOPES = ("tools:read", "tools:write")
"""The scopes that clients are told of; `broker.clients.scopes` has the narrower ones."""

KEY_DAYS = (7, 30, 90, 365)
"""Days for which an API key may be made; there is none for ever."""

USUAL_KEY_DAYS = 90

LONGEST_KEY_NAME = 80
REFRESH_PREFIX = "jvr_"
"""A refresh token of it."""

CODE_PREFIX = "jvc_"
"""An authorization code of it."""

OURS = (
    DOOR_PREFIX,
    KEY_PREFIX,
    ACCESS_PREFIX,
    REFRESH_PREFIX,
    CODE_PREFIX,
    capability.PREFIX,
)
"""What begins so is nobody else's to judge: it is shown to no identity provider and no issuer."""

MAX_BODY = 4 * 1024 * 1024
"""Bytes of one message, as the SDK has it."""

_RANDOM_BYTES = 32


def mint(prefix: str) -> str:
    """Return a new secret of 256 bits with the prefix of its kind."""
    return prefix + secrets.token_urlsafe(_RANDOM_BYTES)


def digest(token: str) -> str:
    """Return the SHA-256 by which a secret is known where it need not be kept."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True)
class Arrival:
    """One request of an outside client, as it got to Jupyter's port."""

    origin: str
    """The public origin with `base_url`, for the pages that a person opens."""
    resource: str
    """The canonical URI of the endpoint as this client addressed it (RFC 8707)."""
    metadata: str
    """Where the endpoint's metadata are (RFC 9728)."""
    principal: str = ""
    """Whom the server's identity provider knows by the token; empty: it was not asked, or knew
    nobody."""
    audience: str = ""
    """The endpoint's URI where configuration or JupyterHub fixes it; empty: only the client's own
    `Host` says so, which it may choose to fit a token of another server."""
    token: str = ""
    """The bearer token, unread, when it is for the broker to judge."""

    def __repr__(self) -> str:
        return f"Arrival({self.resource}, principal={self.principal!r})"

    def encode(self) -> str:
        """Return the value of the header: the facts, which many requests share, and the token."""
        return f"{_facts(*(getattr(self, name) for name in _FACTS))}.{self.token}"

    @classmethod
    def decode(cls, value: str) -> Arrival:
        """Read the value of the header. Raises `ValueError`."""
        facts, dot, token = value.partition(".")
        if not dot:
            raise ValueError("not an arrival")
        return replace(_arrival(facts), token=token) if token else _arrival(facts)


_FACTS = ("origin", "resource", "metadata", "principal", "audience")
"""What an `Arrival` says besides the token, in this order; a token is remembered nowhere."""

_REMEMBERED = 64


@lru_cache(_REMEMBERED)
def _facts(*facts: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(facts).encode()).decode()


@lru_cache(_REMEMBERED)
def _arrival(facts: str) -> Arrival:
    try:
        told = json.loads(base64.b64decode(facts, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise ValueError("not an arrival") from None
    if not isinstance(told, list) or list(map(type, told)) != [str] * len(_FACTS):
        raise ValueError("not an arrival")
    return Arrival(**dict(zip(_FACTS, told, strict=True)))
