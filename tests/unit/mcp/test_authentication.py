"""The door, without a server."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser

from jupyter_valet.broker.kernels import Caller, Kernels
from jupyter_valet.broker.mcp.authentication import CALLER, Refusal, admit, authenticate
from jupyter_valet.wire import capability

TOKEN = capability.mint()
CALLER_OF_TOKEN = Caller("jane", "k1", "a.ipynb", "http://127.0.0.1:8888/")


@pytest.fixture
def kernels() -> Kernels:
    known = Kernels()
    known.register(capability.digest(TOKEN), CALLER_OF_TOKEN)
    return known


def scope(*headers: tuple[str, str], query: str = "", port: int = 9) -> dict[str, Any]:
    return {
        "type": "http",
        "server": ("127.0.0.1", port),
        "query_string": query.encode(),
        "headers": [(n.lower().encode(), v.encode()) for n, v in headers],
    }


HOST = ("Host", "127.0.0.1:9")
GOOD = ("Authorization", f"Bearer {TOKEN}")
OWN = ("Origin", "http://127.0.0.1:9")


def test_a_kernel_comes_in(kernels: Kernels) -> None:
    """As whom the server declared it; it may say that it asks from where it asks at."""
    assert authenticate(scope(HOST, GOOD), kernels.known) == CALLER_OF_TOKEN
    assert authenticate(scope(HOST, GOOD, OWN), kernels.known) == CALLER_OF_TOKEN


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ([GOOD], "", 421),
        ([HOST, HOST, GOOD], "", 421),
        ([("Host", "127.0.0.1"), GOOD], "", 421),
        ([("Host", "evil.example:9"), GOOD], "", 421),
        ([("Host", "127.0.0.1:99"), GOOD], "", 421),
        ([HOST, GOOD, ("Origin", "http://127.0.0.1:99")], "", 403),
        ([HOST, GOOD, ("Origin", "https://127.0.0.1:9")], "", 403),
        ([HOST, GOOD, OWN, OWN], "", 403),
        ([HOST, GOOD, ("Origin", "")], "", 403),
        ([HOST, GOOD], f"access_token={TOKEN}", 400),
        ([HOST, GOOD], "x=1&Token=", 400),
        ([HOST], "", 401),
        ([HOST, GOOD, GOOD], "", 401),
        ([HOST, ("Authorization", TOKEN)], "", 401),
        ([HOST, ("Authorization", f"Basic {TOKEN}")], "", 401),
        ([HOST, ("Authorization", "Bearer " + capability.mint())], "", 401),
        ([HOST, ("Authorization", "Bearer ")], "", 401),
        ([HOST, ("Cookie", f"token={TOKEN}")], "", 401),
    ],
)
def test_everybody_else_stays_out(
    kernels: Kernels, headers: list[tuple[str, str]], query: str, status: int
) -> None:
    """PS-05, RS-04, RS-11: deny by default."""
    refusal = authenticate(scope(*headers, query=query), kernels.known)
    assert isinstance(refusal, Refusal)
    assert refusal.status == status
    challenged = any(name == b"www-authenticate" for name, _ in refusal.headers)
    assert challenged == (status in (400, 401))


def test_the_bearer_does_not_go_further(kernels: Kernels) -> None:
    """RS-06: what is behind the door does not hold it, so it cannot pass it on."""
    admitted = admit(scope(HOST, GOOD), CALLER_OF_TOKEN)
    user = admitted["user"]
    assert isinstance(user, AuthenticatedUser)
    assert TOKEN not in repr(user.access_token)
    assert (user.access_token.subject, user.access_token.client_id) == ("jane", "kernel:k1")
    assert admitted[CALLER] == CALLER_OF_TOKEN


def test_all_refusals_read_the_same(kernels: Kernels) -> None:
    """Nothing about why, nothing of what was sent."""
    assert Refusal(401).body == Refusal(403).body
    assert b"capability_refused" in Refusal(401).body
