"""The OAuth client against real authorization servers: oidc-provider, and nanoidp beside it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from msgspec import structs
from oauth_harness import Browser, Clock, Notes, nanoidp, oidc_provider
from vault_worlds import World, running_world

from jupyter_valet.broker.connections import Connection, Connections, NeedsLogin
from jupyter_valet.broker.oauth import (
    InvalidGrant,
    OAuthApp,
    OAuthClient,
    Profile,
    TokenSet,
    profiles,
)
from jupyter_valet.broker.oauth.token_endpoint import unpack
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Vault
from jupyter_valet.demo.app import serve
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

CORP = "http://127.0.0.1:8888/user/jane/valet/callback/corp"
DEMO = "http://127.0.0.1:8888/valet/callback/demo"
NANO = "http://127.0.0.1:8888/valet/callback/nano"
API = ("openid", "profile", "api:read")
SECRETS = {"valet-basic": "basic secret: 100% +/&=~", "valet-post": "post-secret"}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with oidc_provider(tmp_path_factory.mktemp("oidc"), [CORP]) as running:
        yield running


@pytest.fixture
def corp(issuer: str) -> Profile:
    return profiles({"corp": {"issuer": issuer, "loopback": True, "title": "Corp"}})["corp"]


@pytest.fixture
def app(corp: Profile) -> OAuthApp:
    return OAuthApp("corp", corp.issuer, "valet-basic", Secret(SECRETS["valet-basic"]))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def oauth(clock: Clock) -> AsyncIterator[OAuthClient]:
    client = OAuthClient(timeout=10, clock=clock)
    yield client
    await client.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    browser = Browser({"login": "jane", "password": "pw"})
    yield browser
    await browser.close()


class Desk:
    """A vault with connections in it."""

    def __init__(
        self, vault: Vault, clock: Clock, oauth: OAuthClient, corp: Profile, app: OAuthApp
    ) -> None:
        self.clock = clock
        self.notes = Notes()
        self.vault = vault
        self.connections = Connections(self.vault, oauth, {"corp": corp}, self.notes, clock=clock)
        self.connections.save_app(app)


@pytest.fixture(params=["sqlite"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Where the vault is: a test that is about the vault names both."""
    yield from running_world(request, tmp_path)


@pytest.fixture
async def desk(
    world: World, clock: Clock, oauth: OAuthClient, corp: Profile, app: OAuthApp
) -> AsyncIterator[Desk]:
    desk = Desk(world.open(), clock, oauth, corp, app)
    yield desk
    await desk.connections.close()
    desk.vault.close()


@pytest.fixture
async def connection(
    desk: Desk, oauth: OAuthClient, browser: Browser, corp: Profile, app: OAuthApp
) -> Connection:
    url, pending = await oauth.begin(corp, app, scopes=API, redirect_uri=CORP)
    code = oauth.check_callback(corp, pending, await browser.sign_in(url, CORP))
    tokens = await oauth.exchange(corp, app, pending, code)
    return desk.connections.store("owner", corp, tokens, await oauth.account(corp, tokens))


@pytest.fixture
def refreshing(oauth: OAuthClient, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once a refresh is on its way to the provider."""
    begun = asyncio.Event()
    refresh = oauth.refresh

    async def watched(profile: Profile, app: OAuthApp, tokens: TokenSet) -> TokenSet:
        begun.set()
        return await refresh(profile, app, tokens)

    monkeypatch.setattr(oauth, "refresh", watched)
    return begun


async def refreshes(issuer: str) -> int:
    async with httpx2.AsyncClient(trust_env=False) as http:
        return int((await http.get(f"{issuer}/-/refreshes")).json()["refreshes"])


@pytest.mark.parametrize("client_id", ["valet-basic", "valet-post", "valet-public"])
async def test_a_sign_in_by_issuer_url_alone(
    oauth: OAuthClient, browser: Browser, corp: Profile, client_id: str
) -> None:
    """RFC 6749 §2.3.1: Basic with characters to encode, post, and a public client with PKCE."""
    secret = SECRETS.get(client_id)
    app = OAuthApp("corp", corp.issuer, client_id, Secret(secret) if secret else None)
    method = {"valet-basic": "client_secret_basic", "valet-post": "client_secret_post"}
    profile = replace(corp, token_auth=method.get(client_id, ""))
    url, pending = await oauth.begin(profile, app, scopes=API, redirect_uri=CORP)
    assert pending.iss_required, "oidc-provider announces RFC 9207"
    code = oauth.check_callback(profile, pending, await browser.sign_in(url, CORP))
    tokens = await oauth.exchange(profile, app, pending, code)
    assert tokens.scopes == set(API)
    assert tokens.refresh_token is not None, "the offline scope was added"
    assert not tokens.extra
    account = await oauth.account(profile, tokens)
    assert (account.id, account.label) == ("jane", "jane")
    assert await oauth.revoke(profile, app, tokens)
    with pytest.raises(InvalidGrant):
        await oauth.refresh(profile, app, tokens)


async def test_a_code_is_good_once(
    oauth: OAuthClient, browser: Browser, corp: Profile, app: OAuthApp
) -> None:
    """R144: the provider kills the tokens of a code that is used twice."""
    url, pending = await oauth.begin(corp, app, scopes=API, redirect_uri=CORP)
    code = oauth.check_callback(corp, pending, await browser.sign_in(url, CORP))
    tokens = await oauth.exchange(corp, app, pending, code)
    with pytest.raises(InvalidGrant):
        await oauth.exchange(corp, app, pending, code)
    with pytest.raises(InvalidGrant):
        await oauth.refresh(corp, app, tokens)


async def test_a_refresh_rotates_and_reuse_ends_the_family(
    oauth: OAuthClient, browser: Browser, corp: Profile, app: OAuthApp
) -> None:
    """R162: why there is one refresh at a time."""
    url, pending = await oauth.begin(corp, app, scopes=API, redirect_uri=CORP)
    code = oauth.check_callback(corp, pending, await browser.sign_in(url, CORP))
    first = await oauth.exchange(corp, app, pending, code)
    second = await oauth.refresh(corp, app, first)
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token
    assert second.scopes == first.scopes
    with pytest.raises(InvalidGrant):
        await oauth.refresh(corp, app, first)
    with pytest.raises(InvalidGrant):
        await oauth.refresh(corp, app, second)


async def test_many_calls_on_one_expired_token_refresh_once(
    issuer: str, desk: Desk, connection: Connection
) -> None:
    """R162, L15: 64 calls, one refresh, no failure, one token; and it is the one in the vault."""
    before = await refreshes(issuer)
    desk.clock.ahead = 7200
    calls = [desk.connections.access_token(connection) for _ in range(64)]
    tokens = await asyncio.gather(*calls)
    assert await refreshes(issuer) == before + 1
    assert all(token == tokens[0] for token in tokens)
    record = desk.vault.get("connection", connection.id)
    assert record is not None
    assert unpack(record.payload).access_token == tokens[0]
    assert desk.notes.actions().count("connection.refreshed") == 1


async def test_many_calls_with_one_refused_token_refresh_once(
    issuer: str, desk: Desk, connection: Connection
) -> None:
    """L17: each of 64 calls saw a 401 for the same token."""
    before = await refreshes(issuer)
    token = await desk.connections.access_token(connection)
    calls = [desk.connections.access_token(connection, rejected=token) for _ in range(64)]
    tokens = await asyncio.gather(*calls)
    assert await refreshes(issuer) == before + 1
    assert all(other == tokens[0] != token for other in tokens)


async def test_a_cancelled_call_does_not_stop_the_refresh_of_the_others(
    issuer: str, desk: Desk, connection: Connection, refreshing: asyncio.Event
) -> None:
    """A rotated refresh token must reach the vault whatever becomes of the call that began it."""
    before = await refreshes(issuer)
    desk.clock.ahead = 7200
    first = asyncio.create_task(desk.connections.access_token(connection))
    second = asyncio.create_task(desk.connections.access_token(connection))
    await refreshing.wait()
    first.cancel()
    assert await second
    assert first.cancelled()
    assert await refreshes(issuer) == before + 1


async def test_a_refresh_that_everybody_left_still_reaches_the_vault(
    issuer: str, desk: Desk, connection: Connection, refreshing: asyncio.Event
) -> None:
    before = desk.vault.get("connection", connection.id)
    desk.clock.ahead = 7200
    call = asyncio.create_task(desk.connections.access_token(connection))
    await refreshing.wait()
    call.cancel()
    await desk.connections.close()
    after = desk.vault.get("connection", connection.id)
    assert before is not None
    assert after is not None
    assert unpack(after.payload).refresh_token != unpack(before.payload).refresh_token


async def test_a_disconnect_during_a_refresh_wins(
    desk: Desk,
    oauth: OAuthClient,
    connection: Connection,
    corp: Profile,
    app: OAuthApp,
    refreshing: asyncio.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the refresh brought ends at the provider too."""
    revoked: list[TokenSet] = []
    revoke = oauth.revoke

    async def watched(profile: Profile, app: OAuthApp, tokens: TokenSet) -> bool:
        revoked.append(tokens)
        return await revoke(profile, app, tokens)

    monkeypatch.setattr(oauth, "revoke", watched)
    desk.clock.ahead = 7200
    call = asyncio.create_task(desk.connections.access_token(connection))
    await refreshing.wait()
    assert await desk.connections.end("owner", connection.id, revoke=False) == "forgotten"
    with pytest.raises(ValetError, match="no such connection"):
        await call
    assert desk.connections.find("owner", "corp") == []
    [tokens] = revoked
    with pytest.raises(InvalidGrant):
        await oauth.refresh(corp, app, tokens)


async def test_an_access_that_only_touches_metadata_does_not_cost_the_refresh_token(
    desk: Desk, connection: Connection, refreshing: asyncio.Event
) -> None:
    desk.clock.ahead = 7200
    call = asyncio.create_task(desk.connections.access_token(connection))
    await refreshing.wait()
    desk.connections.used(connection, tool="corp.list")  # old enough to be written
    assert await call
    desk.clock.ahead = 14400
    assert await desk.connections.access_token(connection)


async def test_a_use_costs_a_write_now_and_then_only(desk: Desk, connection: Connection) -> None:
    desk.connections.used(connection, tool="corp.list", kernel="k", notebook="n.ipynb")
    written = desk.vault.get("connection", connection.id)
    assert written is not None
    for _ in range(100):
        desk.connections.used(connection)
    again = desk.vault.get("connection", connection.id)
    assert again is not None
    assert again.revision == written.revision
    [view] = desk.connections.views("owner")
    assert view.last_used_at > written.meta["last_used_at"] > 0
    await desk.connections.close()
    closed = desk.vault.get("connection", connection.id)
    assert closed is not None
    assert closed.meta["last_used_at"] == view.last_used_at


WORKER = """
    import asyncio, json, sys, time
    from pathlib import Path

    from jupyter_valet.broker.connections import Connections
    from jupyter_valet.broker.oauth import OAuthClient, profiles

    class Notes:
        def record(self, *_, **__):
            pass

    async def main():
        given = json.loads(sys.argv[1])
        sys.path.insert(0, given["programs"])
        from vault_programs import opened

        clock = lambda: time.time() + 7200
        oauth = OAuthClient(clock=clock)
        vault = opened(Path(given["state"]))
        known = profiles({"corp": {"issuer": given["issuer"], "loopback": True, "title": "Corp"}})
        connections = Connections(vault, oauth, known, Notes(), clock=clock)
        connection = connections.get("owner", given["connection"])
        print("ready", flush=True)
        sys.stdin.readline()
        calls = [connections.access_token(connection) for _ in range(32)]
        tokens = await asyncio.gather(*calls)
        assert all(token == tokens[0] for token in tokens)
        await oauth.close()
        vault.close()
        print("done", flush=True)

    asyncio.run(main())
"""


@pytest.mark.parametrize("world", ["sqlite", "postgres"], indirect=True)
async def test_two_processes_on_one_vault_refresh_once(
    issuer: str, world: World, desk: Desk, connection: Connection
) -> None:
    """R162, L15: the lock is the vault's, the second process reads again under it."""
    before = await refreshes(issuer)
    given = {
        "state": str(world.folder),
        "issuer": issuer,
        "connection": connection.id,
        "programs": str(Path(__file__).parent),
    }
    environ = {**os.environ, **world.environ}
    answers = await asyncio.to_thread(_race, json.dumps(given), environ)
    assert answers == ["done\n", "done\n"]
    assert await refreshes(issuer) == before + 1
    desk.clock.ahead = 7200  # this process, a third, sees what they wrote
    assert await desk.connections.access_token(connection)
    assert await refreshes(issuer) == before + 1


def _race(given: str, environ: dict[str, str]) -> list[str]:
    """Start two workers, let them go at the same moment, and return what they say."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WORKER), given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return [worker.communicate(timeout=60)[0] for worker in workers]


async def test_a_refresh_token_that_another_process_used_up_is_read_again(
    desk: Desk, oauth: OAuthClient, connection: Connection, corp: Profile, app: OAuthApp
) -> None:
    """L15: `invalid_grant` is not believed before the vault was read again."""
    record = desk.vault.get("connection", connection.id)
    assert record is not None
    fresh = await oauth.refresh(corp, app, unpack(record.payload))

    class Late(OAuthClient):
        """Its first refresh comes after another machine's, which wrote without our lock."""

        async def refresh(self, profile, app, tokens):  # type: ignore[no-untyped-def]
            if tokens.refresh_token != fresh.refresh_token:
                desk.vault.put("connection", connection.id, record.meta, fresh.to_secret())
                raise InvalidGrant("Corp")
            return await super().refresh(profile, app, tokens)

    late = Late()
    connections = Connections(desk.vault, late, {"corp": corp}, desk.notes, clock=desk.clock)
    token = await connections.access_token(connection, rejected=unpack(record.payload).access_token)
    assert token == fresh.access_token
    await late.close()


async def test_a_changed_profile_gets_no_token_and_no_secret(
    issuer: str, desk: Desk, oauth: OAuthClient, connection: Connection
) -> None:
    """L10: somebody edited where the refresh token is sent."""
    entry = {
        "issuer": issuer,
        "loopback": True,
        "authorization_endpoint": f"{issuer}/auth",
        "token_endpoint": "http://127.0.0.1:1/steal",
    }
    changed = profiles({"corp": entry})
    connections = Connections(desk.vault, oauth, changed, desk.notes, clock=desk.clock)
    assert connections.app("corp") is None
    assert connections.find("owner", "corp") == []
    [view] = connections.views("owner")
    assert (view.status, view.reason) == ("needs_login", "the provider's settings were changed")
    desk.clock.ahead = 7200
    with pytest.raises(NeedsLogin, match="settings were changed"):
        await connections.access_token(connection)
    assert await connections.end("owner", connection.id, revoke=True) == "not_confirmed"


async def test_nobody_else_can_use_or_end_a_connection(desk: Desk, connection: Connection) -> None:
    """L12, L26."""
    assert desk.connections.get("mallory", connection.id) is None
    assert desk.connections.find("mallory", "corp") == []
    assert desk.connections.views("mallory") == []
    with pytest.raises(ValetError, match="no such connection"):
        await desk.connections.end("mallory", connection.id, revoke=True)
    with pytest.raises(ValetError, match="no such connection"):
        await desk.connections.access_token(structs.replace(connection, principal="mallory"))


async def test_nothing_secret_reaches_log_audit_or_metadata(
    desk: Desk,
    oauth: OAuthClient,
    browser: Browser,
    corp: Profile,
    app: OAuthApp,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """R153, D10: at the most talkative log level."""
    caplog.set_level(logging.DEBUG)
    url, pending = await oauth.begin(corp, app, scopes=API, redirect_uri=CORP)
    query = await browser.sign_in(url, CORP)
    caplog.clear()  # the browser is not the product
    code = oauth.check_callback(corp, pending, query)
    tokens = await oauth.exchange(corp, app, pending, code)
    account = await oauth.account(corp, tokens)
    connection = desk.connections.store("owner", corp, tokens, account)
    desk.clock.ahead = 7200
    await desk.connections.access_token(connection)
    record = desk.vault.get("connection", connection.id)
    assert record is not None
    told = caplog.text + json.dumps(desk.notes.events) + json.dumps(record.meta)
    told += repr((pending, tokens, connection, record, app))
    for secret in (code, pending.verifier, tokens.access_token, tokens.refresh_token):
        assert secret is not None
        assert secret._Secret__value.decode() not in told
    assert SECRETS["valet-basic"] not in told
    assert "code=" not in told
    talkative = [r.name for r in caplog.records if r.name.startswith(("httpx", "httpcore"))]
    assert talkative == [], "these log URLs and headers of requests"


async def test_a_second_implementation_agrees(tmp_path: Path, oauth: OAuthClient) -> None:
    """nanoidp: discovery, PKCE, rotation, reuse, revocation, without `iss` on plain http."""
    browser = Browser({"username": "jane", "password": "secret"})
    with nanoidp(tmp_path, NANO) as issuer:
        profile = profiles({"nano": {"issuer": issuer, "loopback": True}})["nano"]
        app = OAuthApp("nano", issuer, "valet", Secret("nano-secret"))
        url, pending = await oauth.begin(
            profile, app, scopes=["openid", "profile"], redirect_uri=NANO
        )
        code = oauth.check_callback(profile, pending, await browser.sign_in(url, NANO))
        tokens = await oauth.exchange(profile, app, pending, code)
        account = await oauth.account(profile, tokens)
        assert account.label == "jane"
        second = await oauth.refresh(profile, app, tokens)
        assert second.access_token != tokens.access_token
        with pytest.raises(InvalidGrant):
            await oauth.refresh(profile, app, tokens)
        assert await oauth.revoke(profile, app, second)
    await browser.close()


async def test_the_demo_provider_is_a_provider_like_any_other(oauth: OAuthClient) -> None:
    """The built-in profile fits the server that `make demo` starts."""
    browser = Browser({})
    async with serve() as running:
        demo = profiles({}, running.issuer)["demo"]
        app = OAuthApp("demo", demo.issuer, demo.public_client_id)
        url, pending = await oauth.begin(
            demo, app, scopes=["issues:read", "issues:write"], redirect_uri=DEMO
        )
        code = oauth.check_callback(demo, pending, await browser.sign_in(url, DEMO))
        tokens = await oauth.exchange(demo, app, pending, code)
        assert tokens.scopes == {"openid", "profile", "issues:read", "issues:write"}
        assert (await oauth.account(demo, tokens)).label
        fresh = await oauth.refresh(demo, app, tokens)
        assert await oauth.revoke(demo, app, fresh)
        with pytest.raises(InvalidGrant):
            await oauth.refresh(demo, app, fresh)
    await browser.close()
