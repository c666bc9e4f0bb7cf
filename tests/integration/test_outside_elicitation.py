"""A client outside of the notebooks needs a sign-in: each kind of client, against real parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest
from jupyter_process import PRESSED, TOKEN, Server, jupyter_server
from leaks import must_not_leak
from mcp_types import ElicitRequestURLParams, ElicitResult
from notebook_kernel import Kernel
from outside import client, grant, sign_in

pytestmark = [pytest.mark.timeout(120), pytest.mark.anyio]

MODES = ["legacy", "2026-07-28"]
ISSUES = {"project": "tidepool"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    config = "c.ValetExtension.demo = True\n"
    with jupyter_server(home, fake=False, config=config, base="/user/jane/") as server:
        yield server
    must_not_leak(home, home / "state")


@pytest.fixture
def server(running: Server) -> Server:
    """The server, with nobody signed in."""
    page = running.get("valet/connections").body
    for connection in re.findall(r'name="connection" value="([^"]+)"', page):
        nonce = re.search(r'name="auth" value="([^"]+)"', running.get("valet/connections").body)
        assert nonce
        running.get(
            f"valet/connections/end?auth={nonce[1]}&connection={connection}&revoke=false", PRESSED
        )
    return running


async def answer(server: Server) -> None:
    """Wait for a question on the connections page, and sign in."""
    with anyio.fail_after(20):
        while not (found := waiting(server)):  # noqa: ASYNC110 - another process brings it about
            await anyio.sleep(0.05)
    await anyio.to_thread.run_sync(sign_in, server, f"{server.url}valet/connect/{found[0]}")


def waiting(server: Server) -> list[str]:
    """Return the ids of the questions on the connections page."""
    return re.findall(r'valet/connect/([\w-]+)"', server.get("valet/connections").body)


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_can_ask_gets_the_question_in_its_form_and_the_same_call_finishes(
    server: Server, mode: str
) -> None:
    """ES-03, ES-24, ES-33, MS-01: our own page, never the provider's, and who asks is named."""
    asked: list[ElicitRequestURLParams] = []

    async def opens(context: Any, params: Any) -> ElicitResult:
        asked.append(params)
        ended = await anyio.to_thread.run_sync(sign_in, server, params.url)
        assert "Connected as" in ended
        assert "Programs with a Jupyter token" in ended
        return ElicitResult(action="accept")

    async with client(server, TOKEN, mode, elicitation_callback=opens) as mcp:
        result = await mcp.call_tool("demo_list_issues", ISSUES)
    assert not result.is_error, result
    assert len(asked) == 1
    assert asked[0].url.startswith(f"http://127.0.0.1:{server.port}{server.base}valet/connect/")
    assert asked[0].message.startswith("Sign in at")


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_cannot_ask_gets_words_without_a_link_and_the_page_has_the_question(
    server: Server, mode: str
) -> None:
    """What a model reads must not hold what it could hand on: no URL, no handle."""
    async with client(server, TOKEN, mode) as mcp:
        refused = await mcp.call_tool("demo_list_issues", ISSUES)
        assert refused.is_error
        said = str(refused.content)
        assert "valet/connections" in said
        assert "http" not in said
        [question] = waiting(server)
        assert question not in said
        assert "Connected as" in await anyio.to_thread.run_sync(
            sign_in, server, f"{server.url}valet/connect/{question}"
        )
        done = await mcp.call_tool("demo_list_issues", ISSUES)
        assert not done.is_error, done


@pytest.mark.parametrize("mode", MODES)
async def test_who_answers_during_the_hold_is_not_asked_twice(server: Server, mode: str) -> None:
    """The short hold: the page is open anyway, and the same call finishes."""

    async with client(server, TOKEN, mode) as mcp, anyio.create_task_group() as tasks:
        tasks.start_soon(answer, server)
        result = await mcp.call_tool("demo_list_issues", ISSUES)
    assert not result.is_error, result


async def test_what_a_notebook_may_use_a_client_may_not_until_it_has_a_grant_of_its_own(
    server: Server,
) -> None:
    """BP-01: consent for each client; the connection is there, and the question is for a grant."""
    kernel = Kernel(server)
    kernel.run("%load_ext jupyter_valet")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer, server)
        call = "print(len(tools.demo.list_issues('tidepool')), 'issues')"
        assert "4 issues" in await anyio.to_thread.run_sync(kernel.run, call)
    kernel.end()
    asked: list[Any] = []

    async def opens(context: Any, params: Any) -> ElicitResult:
        asked.append(params)
        await anyio.to_thread.run_sync(grant, server, params.url, {})
        return ElicitResult(action="accept")

    async with client(server, TOKEN, "2026-07-28", elicitation_callback=opens) as mcp:
        result = await mcp.call_tool("demo_list_issues", ISSUES)
        again = await mcp.call_tool("demo_list_issues", ISSUES)
    assert not result.is_error, result
    assert not again.is_error, again
    assert [one.message.startswith("May this program use") for one in asked] == [True]
    assert "Programs with a Jupyter token" in server.get("valet/connections").body


async def test_the_card_is_shown_in_an_open_notebook_when_the_client_cannot_show_it(
    server: Server,
) -> None:
    """Below the cell that ran last; the notebook shows it, and can neither answer nor decline."""
    kernel = Kernel(server, "work.ipynb")
    kernel.run("%load_ext jupyter_valet")
    cards: list[str] = []

    def look() -> None:
        while not cards:
            message = kernel.client.get_iopub_msg(timeout=20)
            text = message["content"].get("data", {}).get("text/plain", "")
            if "valet/connect/" in text:
                cards.append(text)
        [address] = re.findall(r"http://\S+/valet/connect/[\w-]+", cards[0])
        id = address.rpartition("/")[2]
        path = f"/transactions/{id}"
        shown = kernel.run(f"print(ask(path='{path}'))")
        assert shown.startswith("200"), shown
        ended = kernel.run(END.format(path=path))
        assert "404" in ended, ended
        sign_in(server, address)

    try:
        async with client(server, TOKEN, "legacy") as mcp, anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, look)
            result = await mcp.call_tool("demo_list_issues", ISSUES)
        assert not result.is_error, result
        assert "Programs with a Jupyter token" in cards[0]
        assert "Code in this notebook gets nothing by it" in cards[0]
    finally:
        kernel.end()


END = """
_c = _http.HTTPConnection(_parse.urlsplit(_os.environ["JUPYTER_VALET_URL"]).netloc, timeout=30)
_c.request("DELETE", "{path}?action=decline",
           headers={{"Authorization": "Bearer " + _os.environ["JUPYTER_VALET_CAPABILITY"]}})
print(_c.getresponse().status)
"""
