"""Authorization of the MCP endpoint, as a client on Jupyter's port sees it, in both revisions.

The public suites have no scenario for a resource server. A real Jupyter server and broker answer;
the client is spoken byte by byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest
from demo_server import demo_server
from jupyter_process import TOKEN, Server
from leaks import in_vault, spellings
from outside import grant, sign_in
from program import INITIALIZE, ask, begin_session, make_key, modern, revoke_key, url
from wire import NEW, OLD, Message, wire

from jupyter_valet.wire import capability

pytestmark = [pytest.mark.timeout(120), pytest.mark.anyio]

REVISIONS = pytest.mark.parametrize("revision", [OLD, NEW])
URL = {"elicitation": {"url": {}}}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with demo_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def first(revision: str) -> tuple[Any, dict[str, str]]:
    """Return the first message of a client, and its headers."""
    return (INITIALIZE, {}) if revision == OLD else modern("server/discover")


def calling(server: Server, revision: str, token: str, tool: str) -> tuple[Any, dict[str, str]]:
    """Return a call of a tool, in a session where the revision has them."""
    call = {"name": tool, "arguments": {"project": "tidepool", "title": "x"}}
    if revision == NEW:
        return modern("tools/call", **call)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    return message, begin_session(server, token)


# Who may come in -------------------------------------------------------------------------------


@REVISIONS
def test_a_client_without_a_token_learns_all_that_it_needs(server: Server, revision: str) -> None:
    """RS-01, RS-02, RS-03: from the 401 to the document to the server that gives out tokens."""
    status, headers, _ = ask(server, *first(revision))
    challenge = headers["WWW-Authenticate"]
    assert status == 401
    assert "error=" not in challenge
    assert 'scope="tools:read"' in challenge
    place = re.search(r'resource_metadata="([^"]+)"', challenge)
    assert place
    path = place[1].partition(server.base)[2]
    status, _, body = ask(server, method="GET", path=path)
    document = json.loads(body)
    assert (status, document["resource"]) == (200, url(server))
    assert document["authorization_servers"]


WRONG = {
    "unknown": "jva_" + "a" * 43,
    "garbled": "jva_",
    "of a kernel": capability.mint(),
    "of a provider": "gho_" + "a" * 36,
    "of nobody": "x",
    "a JWT of nobody": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqYW5lIn0.",
    "the door's": "jvd_" + "a" * 43,
}


@REVISIONS
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_token_is_refused_and_nothing_says_why(
    server: Server, revision: str, kind: str
) -> None:
    """RS-04, RS-05, RS-06, RS-07, BP-08: the same words for every token that is not good here."""
    status, headers, body = ask(server, *first(revision), token=WRONG[kind])
    assert status == 401
    assert 'error="invalid_token"' in headers["WWW-Authenticate"]
    assert "resource_metadata=" in headers["WWW-Authenticate"]
    assert json.loads(body)["error"]["code"] == "token_refused"
    assert WRONG[kind] not in str(headers)


@REVISIONS
@pytest.mark.parametrize("name", ["token", "access_token", "Token", "capability"])
def test_a_good_token_in_the_query_is_a_bad_request(
    server: Server, revision: str, name: str
) -> None:
    """RS-07, RS-11."""
    message, headers = first(revision)
    path = f"valet/mcp?{name}={TOKEN}"
    assert ask(server, message, headers, path=path)[0] == 400
    assert ask(server, message, headers, path=path, token=TOKEN)[0] == 400


@REVISIONS
def test_what_a_browser_sends_on_its_own_opens_nothing(server: Server, revision: str) -> None:
    """RS-11, PS-05: neither the cookie of a login, nor a script of Jupyter's own pages."""
    message, headers = first(revision)
    assert server.get("api/status").status == 200
    assert ask(server, message, {**headers, "Cookie": server.cookie})[0] == 401
    own = f"http://127.0.0.1:{server.port}"
    assert ask(server, message, {**headers, "Origin": own}, token=TOKEN)[0] == 403


@REVISIONS
def test_a_token_is_judged_with_every_request(server: Server, revision: str) -> None:
    """RS-11, RS-12, BP-16: a session that was opened with it is no leave to go on."""
    token = make_key(server, f"judged {revision}")
    if revision == OLD:
        listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        asked = listing, begin_session(server, token)
    else:
        asked = modern("tools/list")
    assert ask(server, *asked, token=token)[0] == 200
    revoke_key(server, f"judged {revision}")
    assert ask(server, *asked, token=token)[0] == 401
    assert ask(server, *asked)[0] == 401


# What they may do ------------------------------------------------------------------------------


@REVISIONS
@pytest.mark.parametrize(
    ("held", "reads", "writes"),
    [
        ("tools:read:demo", True, False),
        ("tools:read", True, False),
        ("tools:write:demo", True, True),
        ("tools:write", True, True),
        ("tools:write:github", False, False),
    ],
)
def test_a_wider_scope_is_as_good_as_the_narrower(
    server: Server, revision: str, held: str, reads: bool, writes: bool
) -> None:
    """RS-08, RS-09, RS-10: what reaches far enough is let through; else 403, and which would do.

    Until 2025-11-25 with what the client holds, unless what it lacks holds that too.
    """
    kept = () if revision == "2026-07-28" or held == "tools:read:demo" else (held,)
    name = f"{held} {revision}"
    token = make_key(server, name, held)
    for tool, allowed, needed in (
        ("demo_list_issues", reads, "tools:read:demo"),
        ("demo_create_issue", writes, "tools:write:demo"),
    ):
        status, headers, _ = ask(server, *calling(server, revision, token, tool), token=token)
        assert status == (200 if allowed else 403)
        if not allowed:
            challenge = headers["WWW-Authenticate"]
            assert 'error="insufficient_scope"' in challenge
            assert f'scope="{" ".join(sorted((needed, *kept)))}"' in challenge
            assert "resource_metadata=" in challenge
    revoke_key(server, name)


def allow(server: Server, address: str) -> None:
    """Allow a client what it asks for."""
    grant(server, address, {})


# What they never see ---------------------------------------------------------------------------


@REVISIONS
async def test_no_token_of_the_provider_reaches_an_outside_client(
    server: Server, revision: str
) -> None:
    """ES-21, ES-23: a sign-in asked for by a client, and a call; every byte of every answer."""
    token = make_key(server, f"canary {revision}", "tools:write")
    asked: list[str] = []

    async def go(params: Message) -> Message:
        asked.append(params["url"])
        # The second client finds the account there, and needs leave of its own to use it.
        act = sign_in if params["message"].startswith("Sign in") else allow
        await anyio.to_thread.run_sync(act, server, params["url"])
        return {"action": "accept"}

    async with wire(url(server), token, revision, URL, go) as client:
        reply = await client.call("demo_list_issues", project="tidepool")
        await client.request("tools/list", {})
    assert asked
    assert not reply["result"].get("isError"), reply
    held = in_vault(server.home / "state")
    assert held, "there is something to look for"
    assert [s for one in held for s in spellings(one) if s in bytes(client.bytes)] == []
    assert token.encode() not in bytes(client.bytes)
