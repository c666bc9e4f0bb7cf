"""Providers that fail, lie, stall or point elsewhere: fixed errors, and nothing dialled in vain."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpcore2
import httpx2
import pytest
from aiohttp import web
from certificates import certificate
from free_ports import free_port
from oauth_harness import Clock, Notes
from odd_server import OddServer

from jupyter_valet.broker.connections import Connections
from jupyter_valet.broker.egress.origin import AddressRefused
from jupyter_valet.broker.egress.vetted import vetted_client
from jupyter_valet.broker.oauth import (
    Account,
    InvalidGrant,
    OAuthApp,
    OAuthClient,
    OAuthRefused,
    Profile,
    ProviderUnreachable,
    TokenSet,
    profiles,
)
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import open_vault
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

TOKENS = TokenSet(Secret("old-access"), Secret("old-refresh"), 0.0, frozenset({"read"}))
REDIRECT_URI = "http://127.0.0.1:8888/valet/callback/corp"


@pytest.fixture
async def odd() -> AsyncIterator[OddServer]:
    async with OddServer() as server:
        yield server


@pytest.fixture
async def oauth() -> AsyncIterator[OAuthClient]:
    client = OAuthClient()
    yield client
    await client.close()


@pytest.fixture
async def hasty() -> AsyncIterator[OAuthClient]:
    client = OAuthClient(timeout=1)
    yield client
    await client.close()


@pytest.fixture
def fixed(odd: OddServer) -> Profile:
    """A provider whose endpoints are configured."""
    return profiles(
        {
            "corp": {
                "issuer": odd.url,
                "loopback": True,
                "title": "Corp",
                "authorization_endpoint": f"{odd.url}/authorize",
                "token_endpoint": f"{odd.url}/token",
                "userinfo_endpoint": f"{odd.url}/me",
                "revocation_endpoint": f"{odd.url}/revoke",
            }
        }
    )["corp"]


@pytest.fixture
def app(odd: OddServer) -> OAuthApp:
    return OAuthApp("corp", odd.url, "client", Secret("client-secret"))


GOOD = {"access_token": "new-access", "token_type": "Bearer", "expires_in": 3600}


@pytest.mark.parametrize(
    ("status", "body", "slug"),
    [
        (200, b"", "not_json"),
        (200, b"<html>Sign in to the hotel network</html>", "not_json"),
        (200, b"[]", "not_json"),
        (200, b'{"access_token": "a", "access_token": "b", "token_type": "bearer"}', "not_json"),
        (200, b'{"access_token": 7, "token_type": "bearer"}', "bad_token"),
        (200, b'{"token_type": "bearer", "refresh_token": "new-refresh"}', "bad_token"),
        (200, b'{"access_token": "a", "token_type": "mac"}', "bad_token_type"),
        (200, b'{"error": "made_up", "error_description": "old-refresh"}', "refused"),
        (200, b'{"error": {"code": 7}}', "refused"),
        (200, b'{"error": "invalid_client"}', "invalid_client"),
        (401, b'{"error": "invalid_client"}', "invalid_client"),
        (400, b'{"error": "unauthorized_client"}', "unauthorized_client"),
        (400, b"<html>old-refresh</html>", "refused"),
        (400, json.dumps(GOOD).encode(), "refused"),
        (302, b"", "redirected"),
    ],
)
async def test_a_bad_token_answer_gives_a_fixed_error(
    odd: OddServer,
    oauth: OAuthClient,
    fixed: Profile,
    app: OAuthApp,
    status: int,
    body: bytes,
    slug: str,
) -> None:
    """L19: what the provider said stays in the broker, also when it quotes a token."""
    odd.status, odd.body = status, body
    odd.headers = {"Location": "https://evil.example/"} if status == 302 else {}
    with pytest.raises(OAuthRefused) as caught:
        await oauth.refresh(fixed, app, TOKENS)
    assert caught.value.slug == slug
    assert len(str(caught.value)) < 200
    assert "old-refresh" not in f"{caught.value!r}{caught.value}{caught.value.fields}"
    assert len(odd.requests) == 1, "no redirect was followed, nothing was tried again"


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_failing_provider_is_unreachable_and_not_a_dead_sign_in(
    odd: OddServer, oauth: OAuthClient, fixed: Profile, app: OAuthApp, status: int
) -> None:
    odd.status, odd.body = status, b'{"error": "invalid_grant"}'
    with pytest.raises(ProviderUnreachable):
        await oauth.refresh(fixed, app, TOKENS)


@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error", "slow_down"])
async def test_an_error_that_says_later_is_not_a_dead_sign_in(
    odd: OddServer, oauth: OAuthClient, fixed: Profile, app: OAuthApp, error: str
) -> None:
    odd.status, odd.body = 400, json.dumps({"error": error}).encode()
    with pytest.raises(ProviderUnreachable):
        await oauth.refresh(fixed, app, TOKENS)


async def test_an_answer_of_ten_megabytes_is_cut_off(
    odd: OddServer, oauth: OAuthClient, fixed: Profile, app: OAuthApp
) -> None:
    odd.body = b'{"x": "' + b"x" * 10_000_000 + b'"}'
    with pytest.raises(ValetError) as caught:
        await oauth.refresh(fixed, app, TOKENS)
    assert caught.value.code == "response_too_large"


async def test_a_compressed_answer_is_refused(
    odd: OddServer, oauth: OAuthClient, fixed: Profile, app: OAuthApp
) -> None:
    """A megabyte of it may hold gigabytes; it was not asked for."""
    odd.headers, odd.body = {"Content-Encoding": "gzip"}, json.dumps(GOOD).encode()
    with pytest.raises(OAuthRefused) as caught:
        await oauth.refresh(fixed, app, TOKENS)
    assert caught.value.slug == "not_json"
    assert odd.requests[0][2]["Accept-Encoding"] == "identity"


async def test_a_slow_provider_is_unreachable_after_the_timeout(
    odd: OddServer, hasty: OAuthClient, fixed: Profile, app: OAuthApp
) -> None:
    odd.delay = 30
    begun = time.monotonic()
    with pytest.raises(ProviderUnreachable):
        await hasty.refresh(fixed, app, TOKENS)
    assert time.monotonic() - begun < 20


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def _raw_server(handler: Handler) -> AsyncIterator[str]:
    """Run a server that speaks no better HTTP than `handler` does; yields its URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def test_a_provider_that_drips_is_held_to_one_deadline(hasty: OAuthClient) -> None:
    """A byte now and then resets the timeout of a read; the deadline is for the whole answer."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.2)

    async with _raw_server(drip) as issuer:
        profile = profiles({"corp": {"issuer": issuer, "loopback": True}})["corp"]
        app = OAuthApp("corp", issuer, "client")
        begun = time.monotonic()
        with pytest.raises(ProviderUnreachable):
            await hasty.begin(profile, app, scopes=[], redirect_uri=REDIRECT_URI)
        assert time.monotonic() - begun < 20


async def test_a_provider_that_is_down_is_unreachable(oauth: OAuthClient) -> None:
    issuer = f"http://127.0.0.1:{free_port()}"
    profile = profiles({"corp": {"issuer": issuer, "loopback": True}})["corp"]
    with pytest.raises(ProviderUnreachable):
        await oauth.begin(
            profile, OAuthApp("corp", issuer, "client"), scopes=[], redirect_uri=REDIRECT_URI
        )


async def test_a_provider_that_hangs_up_is_unreachable(oauth: OAuthClient) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()

    async with _raw_server(hang_up) as issuer:
        profile = profiles({"corp": {"issuer": issuer, "loopback": True}})["corp"]
        app = OAuthApp("corp", issuer, "client")
        with pytest.raises(ProviderUnreachable):
            await oauth.begin(profile, app, scopes=[], redirect_uri=REDIRECT_URI)


# Connections in bad weather ------------------------------------------------------------------


@pytest.fixture
async def stored(
    odd: OddServer, oauth: OAuthClient, fixed: Profile, app: OAuthApp, tmp_path: Path
) -> AsyncIterator[Connections]:
    """One connection whose access token has expired."""
    vault = open_vault(tmp_path / "state", "file")
    connections = Connections(vault, oauth, {"corp": fixed}, Notes(), clock=Clock())
    connections.save_app(app)
    connections.store("owner", fixed, TOKENS, Account("1", "jane"))
    yield connections
    await connections.close()
    vault.close()


async def test_all_who_wait_share_the_failure_of_one_attempt(
    odd: OddServer, stored: Connections
) -> None:
    """64 calls must not knock 64 times at a provider that is down; the next call tries again."""
    odd.status = 503
    [connection] = stored.find("owner", "corp")
    calls = [stored.access_token(connection) for _ in range(64)]
    failed = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(error, ProviderUnreachable) for error in failed)
    assert len(odd.requests) == 1
    odd.status, odd.body = 200, json.dumps(GOOD).encode()
    assert await stored.access_token(connection) == Secret("new-access")
    assert stored.views("owner")[0].status == "active"


async def test_a_provider_that_gives_the_same_token_again_is_not_asked_for_ever(
    odd: OddServer, stored: Connections
) -> None:
    """L17: at most one more attempt per call."""
    odd.body = json.dumps(GOOD).encode()
    [connection] = stored.find("owner", "corp")
    token = await stored.access_token(connection)
    assert await stored.access_token(connection, rejected=token) == token
    assert len(odd.requests) <= 3


async def test_a_token_that_lives_shorter_than_the_margin_is_still_given_out(
    odd: OddServer, stored: Connections
) -> None:
    odd.body = json.dumps({**GOOD, "expires_in": 5}).encode()
    [connection] = stored.find("owner", "corp")
    assert await stored.access_token(connection) == Secret("new-access")
    assert len(odd.requests) == 1


@pytest.mark.parametrize("fault", ["down", "slow", "refuses"])
async def test_a_disconnect_is_done_here_even_if_the_provider_does_not_confirm(
    odd: OddServer, stored: Connections, fault: str
) -> None:
    odd.status = {"down": 503, "slow": 200, "refuses": 400}[fault]
    odd.delay = 30 if fault == "slow" else 0
    [connection] = stored.find("owner", "corp")
    assert await stored.end("owner", connection.id, revoke=True) == "not_confirmed"
    assert stored.find("owner", "corp") == []


async def test_a_dead_code_is_told_apart_from_a_provider_that_is_down(
    odd: OddServer, oauth: OAuthClient, fixed: Profile, app: OAuthApp
) -> None:
    odd.status, odd.body = 400, b'{"error": "invalid_grant"}'
    _, pending = await oauth.begin(fixed, app, scopes=["read"], redirect_uri=REDIRECT_URI)
    with pytest.raises(InvalidGrant):
        await oauth.exchange(fixed, app, pending, Secret("the-code"))
    assert b"the-code" in odd.requests[0][3]
    assert "the-code" not in odd.requests[0][1], "a code goes into the body, never into a URL"


async def test_an_identity_answer_that_is_none_is_refused(
    odd: OddServer, oauth: OAuthClient, fixed: Profile
) -> None:
    for status, body in ((401, b"{}"), (200, b"{}"), (200, b"<html>"), (302, b"")):
        odd.status, odd.body = status, body
        with pytest.raises(OAuthRefused):
            await oauth.account(fixed, TOKENS)


# Metadata and addresses ----------------------------------------------------------------------


def _names(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Let each look-up of a name give the next of `answers`; returns the names looked up."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        address = answers[min(len(asked), len(answers) - 1)]
        asked.append(host if isinstance(host, str) else host.decode())
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
async def test_an_issuer_at_a_private_address_is_not_dialled(
    odd: OddServer, oauth: OAuthClient, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """R130, R150, BP-09: the name is public, what it means is not."""
    port = odd.url.rpartition(":")[2]
    issuer = f"https://login.corp.example:{port}"
    profile = profiles({"corp": {"issuer": issuer}})["corp"]
    _names(monkeypatch, address)
    with pytest.raises(AddressRefused):
        await oauth.begin(
            profile, OAuthApp("corp", issuer, "client"), scopes=[], redirect_uri=REDIRECT_URI
        )
    assert odd.requests == []


async def test_a_name_that_changes_its_mind_is_dialled_at_what_was_vetted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R132, BP-13: DNS rebinding between the check and the connection."""
    asked = _names(monkeypatch, "140.82.121.4", "127.0.0.1")
    dialled: list[str] = []

    async def connect_tcp(self: object, host: str, *_: object, **__: object) -> None:
        dialled.append(host)
        raise httpcore2.ConnectError

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connect_tcp)
    async with vetted_client(loopback=False, timeout=2) as http:
        with pytest.raises(httpx2.NetworkError):
            await http.get("https://login.corp.example/")
    assert asked == ["login.corp.example"]
    assert dialled == ["140.82.121.4"]


async def test_every_request_vets_again(odd: OddServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is kept, so a later request cannot ride on an earlier check."""
    asked = _names(monkeypatch, "127.0.0.1", "10.0.0.1")
    async with vetted_client(loopback=True, timeout=10) as http:
        url = f"http://localhost:{odd.url.rpartition(':')[2]}/"
        assert (await http.get(url)).status_code == 200
        with pytest.raises(AddressRefused):
            await http.get(url)
    assert len(asked) == 2


async def test_metadata_that_points_at_this_machine_is_refused(
    odd: OddServer, oauth: OAuthClient
) -> None:
    """R149, R150: a loopback profile's metadata may not send it off, nor the other way round."""
    profile = profiles({"corp": {"issuer": odd.url, "loopback": True}})["corp"]
    odd.status = 404
    odd.paths["/.well-known/openid-configuration"] = json.dumps(
        {
            "issuer": odd.url,
            "authorization_endpoint": f"{odd.url}/authorize",
            "token_endpoint": "http://169.254.169.254/token",
            "code_challenge_methods_supported": ["S256"],
        }
    ).encode()
    with pytest.raises(OAuthRefused) as caught:
        await oauth.begin(
            profile, OAuthApp("corp", odd.url, "client"), scopes=[], redirect_uri=REDIRECT_URI
        )
    assert caught.value.slug == "bad_metadata"


@pytest.mark.parametrize(
    ("document", "slug"),
    [
        ({"issuer": "https://evil.example"}, "issuer_mismatch"),
        ({"code_challenge_methods_supported": ["plain"]}, "no_pkce"),
        (None, "no_metadata"),
    ],
)
async def test_metadata_that_does_not_fit_ends_the_sign_in(
    odd: OddServer, oauth: OAuthClient, document: dict[str, object] | None, slug: str
) -> None:
    """R149, R160, CL-03, CL-10."""
    good = {
        "issuer": odd.url,
        "authorization_endpoint": f"{odd.url}/authorize",
        "token_endpoint": f"{odd.url}/token",
        "code_challenge_methods_supported": ["S256"],
    }
    if document is not None:
        odd.paths["/.well-known/oauth-authorization-server"] = json.dumps(
            {**good, **document}
        ).encode()
        # The second place would be good; the first that answers decides.
        odd.paths["/.well-known/openid-configuration"] = json.dumps(good).encode()
    odd.body = b"<html>a page for every path</html>"
    profile = profiles({"corp": {"issuer": odd.url, "loopback": True}})["corp"]
    with pytest.raises(OAuthRefused) as caught:
        await oauth.begin(
            profile, OAuthApp("corp", odd.url, "client"), scopes=[], redirect_uri=REDIRECT_URI
        )
    assert caught.value.slug == slug


async def test_a_redirect_of_metadata_is_not_followed(odd: OddServer, oauth: OAuthClient) -> None:
    """BP-12."""
    odd.status, odd.headers = 302, {"Location": f"{odd.url}/elsewhere"}
    profile = profiles({"corp": {"issuer": odd.url, "loopback": True}})["corp"]
    with pytest.raises(OAuthRefused):
        await oauth.begin(
            profile, OAuthApp("corp", odd.url, "client"), scopes=[], redirect_uri=REDIRECT_URI
        )
    assert all(path != "/elsewhere" for _, path, _, _ in odd.requests)


async def test_plain_http_is_for_loopback_profiles_only(odd: OddServer) -> None:
    """BP-10."""
    async with vetted_client(loopback=False) as http:
        with pytest.raises(httpx2.UnsupportedProtocol):
            await http.get(odd.url)
    assert odd.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "https://LOCALHOST./",
        "https://2130706433/",
        "https://[::1]/",
        "https://0x7f.1/",
        "file:///x",
    ],
)
async def test_a_url_outside_the_grammar_is_not_dialled(url: str) -> None:
    """R131, R134, R137."""
    async with vetted_client(loopback=True) as http:
        with pytest.raises((httpx2.UnsupportedProtocol, httpx2.NetworkError)):
            await http.get(url)


async def test_a_proxy_of_the_environment_is_not_used(
    odd: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    async with vetted_client(loopback=True, timeout=10) as http:
        assert (await http.get(odd.url)).status_code == 200


async def test_cookies_are_not_kept(odd: OddServer) -> None:
    """One client serves many people."""
    odd.headers = {"Set-Cookie": "session=1; Path=/"}
    async with vetted_client(loopback=True, timeout=10) as http:
        await http.get(odd.url)
        await http.get(odd.url)
    assert all("Cookie" not in headers for _, _, headers, _ in odd.requests)


async def test_the_certificate_must_be_the_hosts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The connection goes to an address; the certificate is checked for the name."""
    _names(monkeypatch, "127.0.0.1")
    server_side, client_side = certificate("login.corp.example", tmp_path)
    port = free_port()
    runner = web.AppRunner(web.Application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=server_side).start()
    async with vetted_client(loopback=True, timeout=5, tls=client_side) as http:
        assert (await http.get(f"https://login.corp.example:{port}/")).status_code == 404
        with pytest.raises(httpx2.NetworkError):
            await http.get(f"https://other.corp.example:{port}/")
    async with vetted_client(loopback=True, timeout=5) as http:
        with pytest.raises(httpx2.NetworkError):
            await http.get(f"https://login.corp.example:{port}/")
    await runner.cleanup()
