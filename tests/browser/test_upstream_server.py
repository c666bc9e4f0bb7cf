"""An upstream MCP server in a real JupyterLab: leave, tools, and a page that it wants opened."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jlab import Notebook, jupyter, write_notebook
from mcp_types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestURLParams,
    InputRequiredResult,
    TextContent,
    Tool,
)
from playwright.sync_api import Browser, expect
from signing_in import TIMEOUT, card, question_page
from upstream_server import UpstreamServer


@contextmanager
def upstream() -> Iterator[UpstreamServer]:
    """Run the SDK's server in a thread of its own."""
    server = UpstreamServer()
    up, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def visit(context: Any, params: Any) -> Any:
        if params.input_responses is None:
            asked = ElicitRequestURLParams(message="Link your account.", url=_page(server))
            request = ElicitRequest(params=asked)
            return InputRequiredResult(input_requests={"k": request}, request_state="s")
        return CallToolResult(content=[TextContent(text=params.input_responses["k"].action)])

    async def run() -> None:
        server.tools.append(Tool(name="visit", input_schema={"type": "object"}))
        server.handlers["visit"] = visit
        async with server.running():
            up.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[run()])
    thread.start()
    try:
        assert up.wait(60)
        yield server
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def _page(server: UpstreamServer) -> str:
    return f"{server.origin}/link?for=4711"


def test_leave_tools_and_a_page_of_the_server(browser: Browser, tmp_path: Path) -> None:
    """EC-04, EC-07, EC-13: the card and the page name the server; the same calls finish."""
    with upstream() as server:
        entry = {"url": server.url, "loopback": True, "title": "Up", "reads": ["*"]}
        (tmp_path / "config").mkdir()
        settings = {"ValetExtension": {"mcp_servers": {"up": entry}}}
        (tmp_path / "config/jupyter_server_config.json").write_text(json.dumps(settings))
        with jupyter(tmp_path, demo=False) as jupyter_server, browser.new_context() as context:
            write_notebook(jupyter_server.root / "test.ipynb", "")
            notebook = Notebook.open(context, jupyter_server, "test.ipynb")
            notebook.run_code("%load_ext jupyter_valet")
            _leave(notebook, server)
            assert "tides" in notebook.run_code("tools.up.echo_back(text='tides')")
            _visit(notebook, server)


def _leave(notebook: Notebook, server: UpstreamServer) -> None:
    cell = notebook.start_code("tools.up.connect()")
    host = server.origin.partition("//")[2]
    with question_page(notebook, cell, "#approve") as tab:
        expect(card(notebook, cell)).to_contain_text(f"Use Up ({host})?")
        expect(tab.locator("main")).to_contain_text("It asks for no sign-in")
        tab.locator("#approve").click(timeout=TIMEOUT)
        tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
    notebook.wait_done(cell)
    assert "up_visit" in notebook.text(cell)


def _visit(notebook: Notebook, server: UpstreamServer) -> None:
    cell = notebook.start_code("tools.up.visit()")
    with question_page(notebook, cell, "#approve") as tab:
        expect(tab.locator("#target")).to_have_text(_page(server))
        expect(tab.locator("main")).to_contain_text("says: Link your account.")
        tab.locator("#approve").click(timeout=TIMEOUT)
        tab.wait_for_url(_page(server), timeout=TIMEOUT)
    notebook.wait_done(cell)
    assert "accept" in notebook.text(cell)
    assert "was opened" in notebook.text(cell)
