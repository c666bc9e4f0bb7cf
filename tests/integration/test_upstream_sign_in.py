"""Signing in at an upstream MCP server: discovery, registration, tokens, refresh, step-up.

Real on both sides: the official SDK's server, and oidc-provider in front of it, with resource
indicators and dynamic registration.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from mcp_types import CallToolResult, TextContent
from oauth_harness import oidc_provider
from upstream_server import UpstreamServer, claims_of
from upstream_world import JANE, ORIGIN, UpstreamWorld, upstream_world

from jupyter_valet.broker.elicitation import NeedsAuthorization
from jupyter_valet.broker.oauth import InvalidGrant
from jupyter_valet.broker.upstream.calling import MOST_STEPS
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with oidc_provider(tmp_path_factory.mktemp("oidc"), [f"{ORIGIN}valet/callback/up"]) as running:
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
    """CL-01, CL-04, CL-05, CL-07, CL-11: nobody registered anything beforehand.

    The authorization server demands PKCE (CL-09) and sends `iss` (CL-12).
    """
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


def entry(server: UpstreamServer, **more: Any) -> dict[str, Any]:
    return {"up": {"url": server.url, "loopback": True, **more}}


async def test_the_client_was_registered_for_this_issuer_and_is_used_again(
    world: UpstreamWorld, server: UpstreamServer, issuer: str
) -> None:
    """CL-08: a registration is kept with its issuer; the next sign-in needs no other."""
    await world.signed_in_call("up_connect")
    (registration,) = world.vault.list("oauth_registration")
    assert registration.meta["issuer"] == issuer
    first = claims_of(server.tokens[-1])["client_id"]
    assert registration.meta["client_id"] == first
    await world.connections.end("jane", world.connections.views("jane")[0].id, revoke=False)
    await world.signed_in_call("up_connect")
    assert claims_of(server.tokens[-1])["client_id"] == first


async def test_a_client_that_was_registered_beforehand_comes_first(
    tmp_path: Path, server: UpstreamServer
) -> None:
    """CL-05: pre-registered, then documents, then registration."""
    async with upstream_world(tmp_path, entry(server, client_id="valet-public")) as world:
        await world.signed_in_call("up_connect")
        assert claims_of(server.tokens[-1])["client_id"] == "valet-public"
        assert world.vault.list("oauth_registration") == []


async def test_a_refused_token_is_refreshed_silently_also_after_a_restart(
    tmp_path: Path, server: UpstreamServer
) -> None:
    """CL-18: no browser, and no refresh token at paths of the server's that were guessed at."""
    async with upstream_world(tmp_path, entry(server)) as world:
        await world.signed_in_call("up_connect")
        server.refusing.add(server.tokens[-1])
        assert (await world.call("up_echo_back", {"text": "a"})).data == {"said": "a"}
        server.refusing.add(server.tokens[-1])
    async with upstream_world(tmp_path, entry(server)) as world:
        assert (await world.call("up_echo_back", {"text": "b"})).data == {"said": "b"}
        assert len(set(server.tokens)) == 3
        assert [event["action"] for event in world.events].count("connection.refreshed") == 1
    assert all(
        head.get("content-type") != "application/x-www-form-urlencoded" for head in server.seen
    )


async def test_a_sign_in_that_is_refused_for_good_is_asked_for_once(
    world: UpstreamWorld, server: UpstreamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L17: one forced refresh, then the person."""
    await world.signed_in_call("up_connect")
    monkeypatch.setattr(server, "_good", lambda authorization: False)
    before = len(server.seen)
    with pytest.raises(NeedsAuthorization, match="up") as needs:
        await world.call("up_echo_back", {"text": "a"})
    assert "up (127.0.0.1:" in needs.value.reason
    assert len(server.seen) - before <= 4


async def test_more_is_asked_for_with_what_there_was(
    world: UpstreamWorld, server: UpstreamServer
) -> None:
    """CL-16, CL-17: the union, and the challenge is believed."""
    await world.signed_in_call("up_connect")
    server.needed["echo-Back"] = "api:write"
    with pytest.raises(NeedsAuthorization) as needs:
        await world.call("up_echo_back", {"text": "a"})
    assert needs.value.scopes == {"api:read", "api:write"}
    await world.sign_in(needs.value)
    assert (await world.call("up_echo_back", {"text": "a"})).data == {"said": "a"}
    assert set(claims_of(server.tokens[-1])["scope"].split()) >= {"api:read", "api:write"}


async def test_less_than_was_asked_for_is_enough_to_begin_with(
    world: UpstreamWorld, server: UpstreamServer
) -> None:
    """BP-23: a server names all that it knows; what a call needs, it says when it is called."""
    server.scopes = ["api:read", "api:nobody-has-it"]
    with pytest.raises(NeedsAuthorization) as needs:
        await world.call("up_connect")
    assert (await world.sign_in(needs.value)).error == ""
    assert (await world.call("up_connect")).error is None


async def test_a_server_that_wants_ever_more_is_not_followed_for_ever(
    world: UpstreamWorld, server: UpstreamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CL-17: retries are few."""
    await world.signed_in_call("up_connect")
    wanted = iter(range(1000))
    monkeypatch.setattr(
        server,
        "_missing",
        lambda headers, body: f"more-{next(wanted)}" if b"tools/call" in body else "",
    )
    for _ in range(MOST_STEPS):
        with pytest.raises(NeedsAuthorization):
            await world.call("up_echo_back", {"text": "a"})
    with pytest.raises(ValetError) as enough:
        await world.call("up_echo_back", {"text": "a"})
    assert enough.value.code == "scope_missing"


async def test_another_issuer_is_another_provider(
    tmp_path_factory: pytest.TempPathFactory, world: UpstreamWorld, server: UpstreamServer
) -> None:
    """CL-08, CL-15: what the first authorization server issued never reaches the second."""
    await world.signed_in_call("up_connect")
    old = server.tokens[-1]
    with oidc_provider(tmp_path_factory.mktemp("second"), []) as second:
        server.issuer = second
        with pytest.raises(NeedsAuthorization) as needs:
            await world.call("up_echo_back", {"text": "a"})
        assert world.profiles["up"].issuer == second
        assert world.connections.find("jane", "up") == []
        (view,) = world.connections.views("jane")
        assert view.status == "needs_login"
        await world.sign_in(needs.value)
        server.tokens.clear()
        assert (await world.call("up_echo_back", {"text": "a"})).data == {"said": "a"}
        assert old not in server.tokens
        issuers = {record.meta["issuer"] for record in world.vault.list("oauth_registration")}
        assert len(issuers) == 2
    assert [event["provider"] for event in world.actions("upstream.changed")] == ["up"]


async def test_another_issuer_is_found_where_nothing_can_be_refreshed(
    tmp_path_factory: pytest.TempPathFactory,
    world: UpstreamWorld,
    server: UpstreamServer,
    issuer: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CL-08: the challenge is looked at, too, when the old sign-in is dead at its own issuer."""
    await world.signed_in_call("up_connect")

    async def dead(*_: Any) -> Any:
        raise InvalidGrant("up")

    monkeypatch.setattr(world.oauth, "refresh", dead)
    with oidc_provider(tmp_path_factory.mktemp("third"), []) as third:
        server.issuer = third
        with pytest.raises(NeedsAuthorization):
            await world.call("up_echo_back", {"text": "a"})
        assert world.profiles["up"].issuer == third


async def test_calls_do_not_wait_for_each_other(
    world: UpstreamWorld, server: UpstreamServer
) -> None:
    """The SDK's OAuth client holds a lock over the whole request; here is none."""
    await world.signed_in_call("up_connect")
    together = asyncio.Barrier(3)

    async def slow(context: Any, params: Any) -> Any:
        async with asyncio.timeout(20):
            await together.wait()
        return CallToolResult(content=[TextContent(text="met")])

    server.handlers["echo-Back"] = slow
    calls = [world.call("up_echo_back", {"text": str(i)}) for i in range(3)]
    assert {(await call).data for call in asyncio.as_completed(calls)} == {"met"}


async def test_a_connection_is_its_person_s_alone(
    world: UpstreamWorld, server: UpstreamServer
) -> None:
    """R129: neither the token nor the list of one person is another's."""
    await world.signed_in_call("up_connect")
    other = replace(JANE, principal="amara", kernel_id="k2")
    assert world.source.find(other, "up_echo_back") is None
    with pytest.raises(NeedsAuthorization):
        await world.call("up_connect", caller=other)


async def test_the_token_is_sent_in_the_header_and_nowhere_else(
    world: UpstreamWorld, server: UpstreamServer
) -> None:
    """CL-14, ES-21: a token in no query, no log of ours and no event."""
    await world.signed_in_call("up_connect")
    token = server.tokens[-1]
    for head in server.seen:
        for name, value in head.items():
            assert token not in value or name == "authorization"
    assert token not in repr(world.events)


async def test_an_answer_of_another_sign_in_makes_no_connection(
    world: UpstreamWorld, server: UpstreamServer
) -> None:
    """CL-12, CL-13: the state of this sign-in, and the issuer that it was begun at."""
    with pytest.raises(NeedsAuthorization) as needs:
        await world.call("up_connect")
    transaction = world.transactions.ask(JANE, needs.value.question)
    where = {"transaction": transaction.id, "principal": "jane", "origin": ORIGIN}
    facts = await world.consent.open(where)
    sent = await world.consent.approve({**where, "nonce": facts["nonce"]})
    query = await world.browser.sign_in(sent["location"], facts["redirect_uri"])
    answer = {**where, "provider": "up", "binding": sent["binding"]}
    with pytest.raises(ValetError):
        await world.consent.callback({**answer, "query": query.replace("state=", "state=x")})
    evil = quote("https://evil.example", safe="")
    await world.consent.callback({**answer, "query": re.sub("iss=[^&]*", f"iss={evil}", query)})
    ended = world.transactions.get(transaction.id)
    assert ended is not None
    assert "another provider" in ended.error
    assert world.connections.views("jane") == []


def holding(folder: Path, text: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


async def test_what_was_issued_is_in_no_file_in_clear(
    tmp_path: Path, world: UpstreamWorld, server: UpstreamServer
) -> None:
    """CL-20: tokens and the registered client's secret are in the vault, sealed."""
    await world.signed_in_call("up_connect")
    token = server.tokens[-1].encode()
    assert holding(tmp_path, b"oauth_registration"), "the search looks at the vault"
    assert holding(tmp_path, token) == []
