"""MCP authorization: may this kernel call us at all?

We are a resource server here (design, section 2). The only credential that opens this door is a
kernel's capability; a provider's token is refused on sight, and nothing that is accepted here is
ever sent upstream (RS-06, BP-08, ES-22). Clients outside of the notebooks come through another door
(`broker.clients`).
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from ...wire import capability
from ..http import of_head
from ..kernels import Caller
from ..refusal import Refusal

Scope = MutableMapping[str, Any]
Known = Callable[[str], Caller | None]
"""Returns who holds the capability with this digest."""

CALLER = "jupyter_valet.caller"
"""Where the ASGI scope holds who calls."""

_ISSUER = "jupyter-valet"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_QUERY_NAMES = frozenset({"access_token", "token", "capability", "authorization"})


def authenticate(scope: Scope, known: Known) -> Caller | Refusal:
    """Return who calls, from the `Authorization` header of this very request (RS-11, PS-01).

    A page never has business here: a request with an `Origin` is refused (PS-05), and so is a
    `Host` that is not this loopback listener, where DNS rebinding ends. The listener's own origin
    has no pages, so it is what a program says that names one all the same.
    """
    shown = of_head(scope, "capability", lambda: _shown(scope))
    if isinstance(shown, Refusal):
        return shown
    return (known(shown) if shown else None) or Refusal(401, 'Bearer error="invalid_token"')


def _shown(scope: Scope) -> str | Refusal:
    """Return the digest of what a request shows that may show a capability here.

    The look-up is by SHA-256, so its timing tells nothing about a capability.
    """
    named: dict[bytes, list[bytes]] = {b"host": [], b"origin": [], b"authorization": []}
    for name, value in scope["headers"]:
        named.get(name.lower(), []).append(value)
    if not _host_is_ours(scope, [host.decode("latin-1") for host in named[b"host"]]):
        return Refusal(421)
    if named[b"origin"] not in ([], [b"http://" + named[b"host"][0]]):
        return Refusal(403)
    if _token_in_query(scope):
        return Refusal(400, 'Bearer error="invalid_request"')
    given = [value.decode("latin-1") for value in named[b"authorization"]]
    if not given:
        return Refusal(401, "Bearer")
    scheme, _, token = given[0].partition(" ")
    if len(given) != 1 or scheme.lower() != "bearer":
        return Refusal(401, "Bearer")
    token = token.strip()
    return capability.digest(token) if capability.looks_like_one(token) else ""


def admit(scope: Scope, caller: Caller) -> Scope:
    """Return the scope with who calls in it, for our handlers and for the SDK.

    The SDK binds a legacy session to `scope["user"]`, so that a session id alone is worth nothing
    (RS-12, BP-16). The bearer itself stays out: nothing behind this point needs it.
    """
    user = AuthenticatedUser(
        AccessToken(
            token="",
            client_id=caller.kernel_id if caller.client else f"kernel:{caller.kernel_id}",
            scopes=[],
            subject=caller.principal,
            claims={"iss": _ISSUER},
        )
    )
    return {**scope, "user": user, CALLER: caller}


def _host_is_ours(scope: Scope, hosts: list[str]) -> bool:
    if len(hosts) != 1:
        return False
    name, _, port = hosts[0].rpartition(":")
    server = scope.get("server")
    listening = str(server[1]) if server and server[1] else port
    return name in _LOOPBACK and port == listening


def _token_in_query(scope: Scope) -> bool:
    if not scope.get("query_string"):
        return False
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return any(name.lower() in _QUERY_NAMES for name in query)
