"""API keys, as a person makes and revokes them, and as programs use them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import outside
import pytest
from demo_server import demo_server
from jupyter_process import LOADED, PRESSED, Server
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from person import Person
from program import (
    ask,
    begin_session,
    key_id,
    make_key,
    modern,
    nonce,
    press,
    revoke_key,
    stream,
    url,
)

pytestmark = [pytest.mark.timeout(120), pytest.mark.anyio]

LIST = modern("tools/list")
LISTEN = modern("subscriptions/listen", notifications={"toolsListChanged": True})


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with demo_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def valet(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `jupyter valet …` beside the server, as its person does in a terminal."""
    state = ("--state-dir", str(server.home / "state"), "--key-source", "file")
    command = [sys.executable, "-m", "jupyter_valet.cli", *words, *state]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_program_with_a_key_lists_and_calls_in_both_revisions(
    server: Server, mode: str
) -> None:
    token = make_key(server, f"editor {mode}")
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http,
        Client(streamable_http_client(url(server), http_client=http), mode=mode) as mcp,
    ):
        tools = {tool.name for tool in (await mcp.list_tools()).tools}
        assert "demo_list_issues" in tools
        found = await mcp.call_tool("valet_search_tools", {"query": "issues"})
        assert not found.is_error


def test_a_key_is_shown_once_and_no_reload_repeats_it(server: Server) -> None:
    auth = nonce(server.get("valet/connections").body)
    path = f"valet/connections/key?auth={auth}&name=once&days=7&scope0=tools:read"
    shown = server.get(path, PRESSED)
    assert "jva_" in shown.body
    assert "jva_" not in path + str(shown.headers)
    assert shown.headers["Cache-Control"] == "no-store"
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    for again in (PRESSED, LOADED):
        assert "jva_" not in server.get(path, again).body
    assert "jva_" not in server.get("valet/connections").body
    assert "jva_" not in server.log


def test_no_script_makes_a_key_even_with_the_nonce(server: Server) -> None:
    """A script of the Jupyter origin arrives as `same-origin`, a fetch as no navigation."""
    auth = nonce(server.get("valet/connections").body)
    path = f"valet/connections/key?auth={auth}&name=stolen&days=7&scope0=tools:write"
    fetched = {**PRESSED, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    for headers in (LOADED, fetched, {}):
        answer = server.get(path, headers)
        assert (answer.status, "jva_" in answer.body) == (403, False)
    assert "stolen" not in server.get("valet/connections").body


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "", "days": "7", "scope0": "tools:read"},
        {"name": "a", "days": "0", "scope0": "tools:read"},
        {"name": "a", "days": "36500", "scope0": "tools:read"},
        {"name": "a", "days": "7"},
        {"name": "a", "days": "7", "scope0": "repo"},
    ],
)
def test_what_the_form_does_not_offer_is_not_made(server: Server, fields: dict[str, str]) -> None:
    answer = press(server, "key", **fields)
    assert (answer.status, "jva_" in answer.body) == (400, False)


def test_the_page_lists_keys_with_their_last_use(server: Server) -> None:
    token = make_key(server, "listed", "tools:read:demo", days="7")
    page = server.get("valet/connections").body
    assert "use the tools of demo that read" in page
    assert "never" in page.partition("<bdi>listed</bdi>")[2].partition("</section>")[0]
    assert ask(server, *LIST, token=token)[0] == 200
    page = server.get("valet/connections").body
    assert "never" not in page.partition("<bdi>listed</bdi>")[2].partition("</section>")[0]


def test_a_revoked_key_is_refused(server: Server) -> None:
    """RS-04."""
    token = make_key(server, "short")
    assert ask(server, *LIST, token=token)[0] == 200
    revoke_key(server, "short")
    status, headers, _ = ask(server, *LIST, token=token)
    assert status == 401
    assert 'error="invalid_token"' in headers["WWW-Authenticate"]


def _ends(reading: Any, revoke: Any) -> float:
    """Return how many seconds after `revoke` the stream ended."""
    reading.readline()
    revoke()
    since = time.monotonic()
    while reading.read1(65536):
        pass
    return time.monotonic() - since


@pytest.mark.parametrize("era", ["2025-11-25", "2026-07-28"])
def test_a_key_revoked_in_the_middle_of_a_stream_ends_it_at_once(server: Server, era: str) -> None:
    """RS-11: on the page of the same person; a stream that goes on would be an old authority."""
    name = f"streaming {era}"
    token = make_key(server, name)
    opening = LISTEN if era == "2026-07-28" else (None, begin_session(server, token))
    if era == "2025-11-25":
        # Its stream says nothing until something happens, so there is no first line to wait for.
        with stream(server, token, *opening) as reading:
            assert reading.status == 200
            revoke_key(server, name)
            assert reading.read() == b""
    else:
        with stream(server, token, *opening) as reading:
            assert reading.status == 200
            assert _ends(reading, lambda: revoke_key(server, name)) < 15


def test_a_key_that_another_process_revokes_ends_a_stream_within_seconds(server: Server) -> None:
    """The command line writes into the same vault; the broker looks once a second."""
    made = valet(server, "token", "create", "from the terminal", "--days", "7")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    with stream(server, token, *LISTEN) as reading:
        assert reading.status == 200
        revoked = _ends(reading, lambda: valet(server, "token", "revoke", "from the terminal"))
        assert revoked < 15
    assert ask(server, *LIST, token=token)[0] == 401


@pytest.mark.parametrize("era", ["2025-11-25", "2026-07-28"])
def test_a_call_that_waits_for_its_person_ends_with_its_key_and_the_question_with_it(
    server: Server, era: str
) -> None:
    """A question that is answered later must not give anything to a program that is out."""
    name = f"waiting {era}"
    token = make_key(server, name)
    call = {"name": "demo_list_issues", "arguments": {"project": "tidepool"}}
    if era == "2026-07-28":
        message, headers = modern("tools/call", **call)
        message["params"]["_meta"] = {
            **message["params"]["_meta"],
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    else:
        headers = begin_session(server, token)
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, server, message, headers, token=token)
        while not (asked := waiting(server)):
            time.sleep(0.05)
        began = time.monotonic()
        revoke_key(server, name)
        status, _, body = answer.result(20)
    assert time.monotonic() - began < 15
    assert status == 401 or b"result" not in body
    assert waiting(server) == []
    assert "Cancelled" in server.get(f"valet/connect/{asked[0]}").body


def test_a_sign_in_that_ends_after_its_program_did_gives_that_nothing(server: Server) -> None:
    """The account is the person's, and stays; the program that asked for it is out."""
    token = make_key(server, "impatient")
    call = modern("tools/call", name="demo_list_issues", arguments={"project": "tidepool"})
    _, _, body = ask(server, *call, token=token)
    [question] = json.loads(body)["result"]["inputRequests"].values()
    path = question["params"]["url"].partition(server.base)[2]

    page = server.get(path)
    if 'id="accept"' in page.body:
        outside.press(server, page, path, "accept", understood="yes")
        page = server.get(path)
    pressed = outside.press(server, page, path, "approve")
    binding = "; ".join(f"{n}={m.coded_value}" for n, m in pressed.cookies.items())
    query = Person().at_demo(pressed.location)
    revoke_key(server, "impatient")
    server.get(f"valet/callback/demo?{query}", PRESSED, cookie=binding)

    page = server.get("valet/connections")
    assert "amara" in page.body.lower()
    assert "impatient" not in page.body
    connection = re.search(r'name="connection" value="([^"]+)"', page.body)
    assert connection
    press(server, "end", connection=connection[1], revoke="false")


def waiting(server: Server) -> list[str]:
    """Return the ids of the questions on the connections page."""
    return re.findall(r'valet/connect/([\w-]+)"', server.get("valet/connections").body)


def test_others_stream_on_when_a_key_is_revoked(server: Server) -> None:
    kept, gone = make_key(server, "kept"), make_key(server, "gone")
    with stream(server, kept, *LISTEN) as reading:
        reading.readline()
        revoke_key(server, "gone")
        assert ask(server, *LIST, token=gone)[0] == 401
        time.sleep(1.2)  # the broker has looked again
        assert not reading.isclosed()
    revoke_key(server, "kept")


def test_a_session_of_another_key_does_not_exist(server: Server) -> None:
    """RS-12, BP-16: also between two programs of one person."""
    mine, other = make_key(server, "mine"), make_key(server, "other")
    session = begin_session(server, mine)
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    assert ask(server, listing, session, token=mine)[0] == 200
    assert ask(server, listing, session, token=other)[0] == 404
    assert ask(server, None, session, token=other, method="DELETE")[0] == 404
    assert ask(server, listing, session, token=mine)[0] == 200


def test_the_command_line_makes_lists_and_revokes_keys(server: Server) -> None:
    made = valet(server, "token", "create", "script", "--scope", "tools:write", "--days", "7")
    token = made.stdout.strip()
    assert token.startswith("jva_")
    assert "\n" not in token
    assert token not in made.stderr
    listed = valet(server, "token", "list")
    assert "script" in listed.stdout
    assert "tools:write" in listed.stdout
    assert token not in listed.stdout + valet(server, "token", "list", "--json").stdout
    assert ask(server, *LIST, token=token)[0] == 200
    assert key_id(server, "script") in valet(server, "token", "revoke", "script").stdout
    assert ask(server, *LIST, token=token)[0] == 401
    again = valet(server, "token", "revoke", "script")
    assert (again.returncode, "API key" in again.stderr) == (1, True)


@pytest.mark.parametrize("era", ["2025-11-25", "2026-07-28"])
@pytest.mark.parametrize("through", ["by name", "through valet_call_tool"])
def test_a_tool_beyond_the_scopes_is_refused_with_the_one_that_it_takes(
    server: Server, era: str, through: str
) -> None:
    """RS-07, RS-08, RS-09, BP-23: 403; in the challenge the narrowest scope, and before
    2026-07-28 what the client holds."""
    name = f"reader {era} {through}"
    token = make_key(server, name, "tools:read")
    call: dict[str, Any] = {"name": "demo_create_issue", "arguments": {"project": "tidepool"}}
    if through != "by name":
        call = {"name": "valet_call_tool", "arguments": call}
    if era == "2026-07-28":
        message, headers = modern("tools/call", **call)
    else:
        headers = begin_session(server, token)
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    status, answered, body = ask(server, message, headers, token=token)
    assert status == 403
    challenge = answered["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    held = "" if era == "2026-07-28" else "tools:read "
    assert f'scope="{held}tools:write:demo"' in challenge
    assert "resource_metadata=" in challenge
    assert "offline_access" not in challenge
    assert json.loads(body)["error"]["code"] == "scope_required"
    revoke_key(server, name)
