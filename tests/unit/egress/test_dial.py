"""Where a connection goes: to vetted addresses, and for one person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from jupyter_valet.broker.egress import Egress, Request, Terms
from jupyter_valet.broker.egress.dial import Destination, Pools, VettedResolver
from jupyter_valet.broker.egress.inject import Watches
from jupyter_valet.broker.egress.origin import AddressRefused, Origin
from jupyter_valet.broker.secret import Secret
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

PUBLIC = Origin.parse("https://api.example")


def answer(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def found(host: str, port: int, **_: Any) -> list[Any]:
        return [(None, None, 0, "", (address, port)) for address in addresses]

    monkeypatch.setattr("anyio.getaddrinfo", found)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "0.0.0.0", "::ffff:127.0.0.1"],
)
async def test_a_name_that_leads_inside_is_not_dialled(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """R130, R132: one bad address refuses the name."""
    answer(monkeypatch, "93.184.216.34", address)
    resolver = VettedResolver(Destination("jane", PUBLIC, loopback=False))
    with pytest.raises(AddressRefused):
        await resolver.resolve("api.example", 443)


async def test_the_address_that_was_checked_is_the_one_that_is_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R132: no second look-up; TLS still names the host."""
    answer(monkeypatch, "93.184.216.34")
    resolver = VettedResolver(Destination("jane", PUBLIC, loopback=False))
    (found,) = await resolver.resolve("api.example", 443)
    assert (found["host"], found["hostname"]) == ("93.184.216.34", "api.example")


async def test_another_host_is_refused() -> None:
    """A session belongs to one origin."""
    resolver = VettedResolver(Destination("jane", PUBLIC, loopback=False))
    with pytest.raises(AddressRefused):
        await resolver.resolve("evil.example", 443)


async def test_a_number_for_a_host_is_checked_too() -> None:
    """R130, R131: aiohttp asks no resolver about it."""
    pools = Pools(None)
    here = Origin.parse("http://127.0.0.1:1")
    with pytest.raises(AddressRefused):
        await pools.session(Destination("jane", here, loopback=False))


async def test_a_profile_that_is_not_on_loopback_never_gets_there() -> None:
    """R130, through the whole call."""
    egress = Egress()
    request = Request("GET", Origin.parse("http://127.0.0.1:1"), "/")
    with pytest.raises(AddressRefused):
        await egress.send(request, Secret("t"), Terms("j", loopback=False, provider="X"))
    await egress.close()


@pytest.fixture
async def ports() -> AsyncIterator[tuple[str, list[Any]]]:
    seen: list[Any] = []

    async def serve(request: web.Request) -> web.Response:
        assert request.transport is not None
        seen.append(request.transport.get_extra_info("peername")[1])
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    await runner.cleanup()


@pytest.mark.parametrize("how", ["send", "stream"])
async def test_no_connection_is_shared_between_people(
    ports: tuple[str, list[Any]], how: str
) -> None:
    """R129, H37: kept alive for one person, never lent to another."""
    url, seen = ports
    egress = Egress()
    request, secret = Request("GET", Origin.parse(url), "/"), Secret("t" * 20)
    for principal in ("jane", "jane", "joe"):
        if how == "send":
            await egress.send(request, secret, Terms(principal, loopback=True, provider="X"))
            continue
        async with egress.stream(
            request, secret, Terms(principal, loopback=True, provider="X")
        ) as answer:
            await answer.whole()
    await egress.close()
    assert seen[0] == seen[1]
    assert seen[2] != seen[0]


async def test_old_pools_are_closed(ports: tuple[str, list[Any]]) -> None:
    """Many people do not keep many connections open for ever."""
    url, _ = ports
    pools = Pools(None)
    first = await pools.session(Destination("p0", Origin.parse(url), loopback=True))
    for i in range(1, 66):
        await pools.session(Destination(f"p{i}", Origin.parse(url), loopback=True))
    assert first.closed
    await pools.close()


async def test_an_unreachable_upstream_is_named_and_nothing_else() -> None:
    """A fixed text: no address, no port, no library's words."""
    egress = Egress()
    request = Request("GET", Origin.parse("http://127.0.0.1:9"), "/secret-path")
    with pytest.raises(ValetError) as caught:
        await egress.send(request, Secret("t" * 20), Terms("j", loopback=True, provider="Demo"))
    await egress.close()
    assert caught.value.code == "provider_unreachable"
    assert str(caught.value).startswith("Demo did not answer.")
    assert caught.value.__cause__ is None


async def test_a_slow_upstream_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One time limit for the whole answer."""
    import asyncio

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    app = web.Application()
    app.router.add_get("/", slow)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = Origin.parse(f"http://127.0.0.1:{runner.addresses[0][1]}")
    egress = Egress(timeout=0.2)
    with pytest.raises(ValetError, match="did not answer"):
        await egress.send(
            Request("GET", origin, "/"),
            Secret("t" * 20),
            Terms("j", loopback=True, provider="Demo"),
        )
    await egress.close()
    await runner.cleanup()


async def test_a_new_credential_is_watched_for_at_once() -> None:
    """R93: what recognises a token is kept with it, never beyond it."""
    watches = Watches()
    first = watches.of("here", Secret("a" * 20))
    assert watches.of("here", Secret("a" * 20)) is first
    assert watches.of("here", Secret("b" * 20)).found_in(b"b" * 20)
    watches.keep(())
    assert watches.of("here", Secret("a" * 20)) is not first


async def test_a_pool_that_something_passes_through_is_not_closed_for_another() -> None:
    """A download may take longer than it takes others to ask sixty-four hosts."""
    pools = Pools(None)
    try:
        kept = Destination("jane/k1", Origin.parse("https://api.example"), False)
        with pools.streaming(kept):
            session = await pools.session(kept)
            for number in range(100):
                await pools.session(Destination(f"joe/{number}", kept.origin, False))
            assert not session.closed
            assert len(pools) == 64
        for number in range(100):
            await pools.session(Destination(f"jim/{number}", kept.origin, False))
        assert session.closed
    finally:
        await pools.close()
