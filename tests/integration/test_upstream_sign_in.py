"""Signing in at an upstream MCP server: discovery, registration, tokens, refresh, step-up.

Real on both sides: the official SDK's server, and oidc-provider in front of it, with resource
indicators and dynamic registration.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from oauth_harness import oidc_provider
from upstream_server import UpstreamServer, claims_of
from upstream_world import UpstreamWorld, upstream_world

from jupyter_valet.broker.elicitation import NeedsAuthorization

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with oidc_provider(tmp_path_factory.mktemp("oidc"), ["http://127.0.0.1:1/x"]) as running:
        yield running


@pytest.fixture(params=["2026-07-28", "2025-11-25"])
async def server(request: Any, issuer: str) -> AsyncIterator[UpstreamServer]:
    upstream = UpstreamServer(issuer=issuer, legacy=request.param == "2025-11-25")
    async with upstream.running():
        yield upstream


@pytest.fixture
async def world(tmp_path: Path, server: UpstreamServer) -> AsyncIterator[UpstreamWorld]:
    async with upstream_world(tmp_path, {"up": {"url": server.url, "loopback": True}}) as made:
        yield made


async def test_the_call_that_asked_finishes_after_the_sign_in(
    world: UpstreamWorld, server: UpstreamServer
) -> None:
    """CL-01 … CL-05, CL-07, CL-11, CL-14: nobody registered anything beforehand."""
    with pytest.raises(NeedsAuthorization) as needs:
        await world.call("up_connect")
    assert world.profiles["up"].title == f"up ({server.origin.partition('//')[2]})"
    await world.sign_in(needs.value)
    outcome = await world.call("up_connect")
    assert outcome.data["tools"] == [{"name": "up_echo_back", "title": "Echo"}]
    said = await world.call("up_echo_back", {"text": "tides"})
    assert said.data == {"said": "tides"}
    assert said.error is None
    claims = claims_of(server.tokens[-1])
    assert claims["aud"] == server.url, "the token is for this server alone (RFC 8707)"
    assert {event["action"] for event in world.events} >= {"connection.made", "connection.used"}
