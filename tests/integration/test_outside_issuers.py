"""Access tokens of other issuers at a real endpoint: who comes in, how long, and where they end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from jupyter_process import POSTED, TOKEN, Server, jupyter_server
from leaks import must_not_leak
from oauth_harness import oidc_provider
from outside import client
from program import ask, begin_session, modern, stream
from recording_api import KEY, RecordingApi, as_json, provider
from token_issuer import CLIENT_ID, CLIENT_SECRET, TokenIssuer, new_key, running

from jupyter_valet.wire.clients import digest

pytestmark = [pytest.mark.timeout(120), pytest.mark.anyio]

AUDIENCE = "https://jupyter.example.org/valet/mcp"
LIST = modern("tools/list")
LISTEN = modern("subscriptions/listen", notifications={"toolsListChanged": True})
REPORT = {
    "openapi": "3.1.0",
    "info": {"title": "Reports", "version": "1"},
    "paths": {
        "/v1/report": {
            "get": {"operationId": "report", "summary": "Get it.", "responses": {"200": {}}}
        }
    },
}


RECORDING = """
import hashlib
from jupyter_server.auth.identity import IdentityProvider
of_request = IdentityProvider.get_token
def recording(self, handler):
    token = of_request(self, handler)
    with open(SEEN, "a") as file:
        print(hashlib.sha256((token or "").encode()).hexdigest(), file=file)
    return token
IdentityProvider.get_token = recording
"""
"""What Jupyter's identity provider is shown, by its digest."""


@dataclass
class World:
    """The server, its two issuers, the strict one, and an API that keeps what it is sent."""

    server: Server
    signed: TokenIssuer
    looked_up: TokenIssuer
    strict: str
    api: RecordingApi
    seen: Path
    shown: list[str]

    def token(self, **changed: Any) -> str:
        token = self.signed.token(**changed)
        self.shown.append(token)
        return token


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("server")
    outside = tmp_path_factory.mktemp("outside")
    with ExitStack() as stack:
        signed = stack.enter_context(running(TokenIssuer()))
        looked_up = stack.enter_context(running(TokenIssuer()))
        strict = stack.enter_context(oidc_provider(tmp_path_factory.mktemp("oidc"), []))
        api = stack.enter_context(RecordingApi().running())
        api.on("/v1/report", as_json({"rain": 3}))
        config = _config(outside, signed, looked_up, strict, api)
        server = stack.enter_context(jupyter_server(home, fake=False, config=config))
        world = World(server, signed, looked_up, strict, api, outside / "seen", [])
        yield world
    must_not_leak(home, home / "state", world.shown)


def _config(
    folder: Path, signed: TokenIssuer, looked_up: TokenIssuer, strict: str, api: RecordingApi
) -> str:
    (folder / "secret").write_text(CLIENT_SECRET)
    document = {**REPORT, "servers": [{"url": api.url}]}
    (folder / "report.json").write_text(json.dumps(document))
    usual = {"audience": AUDIENCE, "subjects": ["jane", "valet-robot"], "loopback": True}
    asking = {"client_id": CLIENT_ID, "client_secret_file": str(folder / "secret")}
    issuers = {
        signed.url: usual,
        looked_up.url: {**usual, "introspection": asking, "token_prefix": "lab_"},
        strict: {**usual, "scopes": {"api:read": "tools:read"}},
    }
    file = str(folder / "report.json")
    return (
        f"c.ValetExtension.mcp_issuers = {issuers!r}\n"
        f"c.ValetExtension.providers = {{'own': {provider(api)!r}}}\n"
        f"c.ValetExtension.apis = {{'own': {{'file': {file!r}, 'provider': 'own'}}}}\n"
        "c.ValetExtension.wanted_level = 'L0'\n"
        f"SEEN = {str(folder / 'seen')!r}\n{RECORDING}"
    )


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_signed_token_lets_a_client_list_tools_in_both_revisions(
    world: World, mode: str
) -> None:
    async with client(world.server, world.token(), mode) as mcp:
        assert "own_report" in {tool.name for tool in (await mcp.list_tools()).tools}


def test_a_token_of_a_strict_server_for_this_resource_is_good_and_no_other_of_it(
    world: World,
) -> None:
    """RFC 9068, RFC 8707: oidc-provider's own JWTs; the one for another resource is refused."""

    def token(resource: str) -> str:
        form = {"grant_type": "client_credentials", "resource": resource, "scope": "api:read"}
        secret = "robot+secret%3A+100%25+%2B%2F%26%3D%7E"
        answer = httpx2.post(f"{world.strict}/token", data=form, auth=("valet-robot", secret))
        assert answer.status_code == 200, answer.text
        world.shown.append(answer.json()["access_token"])
        return world.shown[-1]

    assert ask(world.server, *LIST, token=token(AUDIENCE))[0] == 200
    status, headers, _ = ask(world.server, *LIST, token=token("https://other.example.org/mcp"))
    assert status == 401
    assert 'error="invalid_token"' in headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://other.example.org/mcp"},
        {"aud": None},
        {"exp": 1},
        {"sub": "a colleague"},
        {"iss": "https://elsewhere.example"},
    ],
    ids=str,
)
def test_a_token_for_others_of_others_or_out_of_date_is_refused(
    world: World, changed: dict[str, Any]
) -> None:
    """RS-04, RS-05, RS-06, BP-08; the answer says nothing about why."""
    bodies = set()
    for era in (LIST, (None, {})):
        message = era[0] if era[0] is not None else LIST[0]
        token = world.token(**changed)
        status, headers, body = ask(world.server, message, era[1], token=token)
        assert status == 401
        assert 'error="invalid_token"' in headers["WWW-Authenticate"]
        assert token.encode() not in body
        bodies.add(body)
    assert len(bodies) == 1


def test_a_token_that_names_our_address_by_its_host_alone_is_refused(world: World) -> None:
    """RS-05: nobody fixed this server's address, so a client must not choose it."""
    here = f"http://127.0.0.1:{world.server.port}{world.server.base}valet/mcp"
    assert ask(world.server, *LIST, token=world.token(aud=here))[0] == 401


def test_an_address_that_configuration_fixes_is_the_audience(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """RFC 8707, RFC 9728: what the metadata name as the resource is what `aud` must name."""
    home = tmp_path_factory.mktemp("fixed")
    config = (
        "c.ValetExtension.public_origin = 'https://jupyter.example.org'\n"
        f"c.ValetExtension.mcp_issuers = {{{world.signed.url!r}: "
        "{'subjects': ['jane'], 'loopback': True}}\n"
    )
    with jupyter_server(home, fake=False, config=config, base="/user/jane/") as server:
        path = "valet/mcp/oauth-protected-resource"
        resource = json.loads(ask(server, path=path, method="GET")[2])["resource"]
        assert resource == "https://jupyter.example.org/user/jane/valet/mcp"
        assert ask(server, *LIST, token=world.token(aud=resource))[0] == 200
        assert ask(server, *LIST, token=world.token(aud=resource + "2"))[0] == 401
        assert ask(server, *LIST, token=world.token())[0] == 401


def test_a_session_belongs_to_the_program_that_began_it(world: World) -> None:
    """RS-12, BP-16: a new token of the same client goes on, another client's does not."""
    session = begin_session(world.server, world.token())
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    assert ask(world.server, listing, session, token=world.token(jti="2"))[0] == 200
    assert ask(world.server, listing, session, token=world.token(client_id="x"))[0] == 404


def test_a_stream_ends_with_its_token(world: World) -> None:
    """RS-04: the clock's difference is the issuer's to spend, so it is a minute ago that counts."""
    ends = time.time() - 58
    with stream(world.server, world.token(exp=int(ends)), *LISTEN) as reading:
        assert reading.status == 200
        while reading.read1(65536):
            pass
    assert time.time() < ends + 60 + 3


def test_an_opaque_token_is_looked_up_and_nobody_else_s_is(world: World) -> None:
    """RFC 7662, BP-08."""
    world.looked_up.active["lab_1"] = world.looked_up.claims()
    assert ask(world.server, *LIST, token="lab_1")[0] == 200
    assert ask(world.server, *LIST, token="lab_2")[0] == 401
    assert ask(world.server, *LIST, token="gho_" + "a" * 36)[0] == 401
    assert set(world.looked_up.looked_up) == {"lab_1", "lab_2"}


def test_jupyter_s_identity_provider_is_not_shown_what_is_an_issuer_s(world: World) -> None:
    """RS-06: on a JupyterHub it would be sent to the Hub."""
    token = world.token()
    for shown in (token, "lab_4", "jva_" + "a" * 43, TOKEN):
        ask(world.server, *LIST, token=shown)
    seen = world.seen.read_text().split()
    judged = [s for s in (token, "lab_4", "jva_" + "a" * 43, TOKEN) if digest(s) in seen]
    assert judged == [TOKEN]


def test_keys_that_rotate_and_an_issuer_that_is_down(world: World) -> None:
    """A good token goes on; what nobody can judge is a 503, so that it is not thrown away."""
    assert ask(world.server, *LIST, token=world.token())[0] == 200
    world.signed.down = True
    world.looked_up.down = True
    try:
        assert ask(world.server, *LIST, token=world.token())[0] == 200
        status, headers, body = ask(world.server, *LIST, token="lab_3")
    finally:
        world.signed.down = world.looked_up.down = False
    assert (status, headers["Retry-After"]) == (503, "5")
    assert json.loads(body)["error"]["code"] == "issuer_unreachable"
    stranger = new_key("RS256", "nobody's")
    assert ask(world.server, *LIST, token=world.token(key=stranger))[0] == 401


def test_the_client_s_token_goes_nowhere(world: World) -> None:
    """RS-06, ES-22, BP-08: the API is sent the person's key; no file and no log has the token."""
    token = world.token(scope="tools:read tools:write")
    call = modern("tools/call", name="own_report", arguments={})
    _, _, body = ask(world.server, *call, token=token)
    asked = json.loads(body)["result"]
    [question] = asked["inputRequests"].values()
    path = question["params"]["url"].partition(world.server.base)[2]
    page = world.server.get(path)
    nonce = page.body.partition('name="nonce" value="')[2].partition('"')[0]
    form = urlencode({"nonce": nonce, "api_key": KEY})
    saved = world.server.request("POST", f"{path}/save", POSTED, body=form, login=False)
    assert saved.status == 303, saved.body
    status, _, body = ask(world.server, *call, token=token)
    assert status == 200
    assert b'"rain":3' in body.replace(b" ", b"")
    sent = "".join(seen.whole for seen in world.api.seen)
    assert KEY in sent
    assert token not in sent
    assert token.rpartition(".")[2] not in sent
