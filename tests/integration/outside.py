"""A person at the pages of a real Jupyter server, and clients outside of its notebooks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
from jupyter_process import PRESSED, Answer, Server
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from person import Person


def url(server: Server) -> str:
    """Return the endpoint's URL."""
    return f"http://127.0.0.1:{server.port}{server.base}valet/mcp"


@asynccontextmanager
async def client(server: Server, token: str, mode: str, **how: Any) -> AsyncIterator[Client]:
    """Yield the SDK's client; `mode` is `legacy` (2025-11-25) or `2026-07-28`."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(streamable_http_client(url(server), http_client=http), mode=mode, **how) as mcp,
    ):
        yield mcp


def press(server: Server, page: Answer, path: str, id: str, **more: str) -> Answer:
    """Press the link or button with this id, as a browser does from an isolated page."""
    link = re.search(rf'id="{id}"[^>]* href="([^"]+)"', page.body)
    if link:
        return server.get(_below(server, unescape(link[1])), PRESSED)
    form = re.search(
        rf'<form method="get" action="([^"]+)">(?:(?!</form>).)*id="{id}"', page.body, re.S
    )
    assert form, page.body
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
    return server.get(f"{_below(server, form[1])}?{urlencode({**fields, **more})}", PRESSED)


def sign_in(server: Server, address: str, provider: str = "demo") -> str:
    """Open the address of a question, agree, and sign in at the demo provider; return the end."""
    path = _below(server, urlsplit(address).path)
    page = server.get(path)
    if 'id="accept"' in page.body:
        press(server, page, path, "accept", understood="yes")
        page = server.get(path)
    pressed = press(server, page, path, "approve")
    binding = "; ".join(f"{n}={m.coded_value}" for n, m in pressed.cookies.items())
    query = Person().at_demo(pressed.location)
    back = server.get(f"valet/callback/{provider}?{query}", PRESSED, cookie=binding)
    return server.get(_below(server, urlsplit(back.location).path)).body


def grant(server: Server, address: str, choices: Mapping[str, str]) -> Answer:
    """Open the address of a question for a grant, and allow the first connection."""
    path = _below(server, urlsplit(address).path)
    page = server.get(path)
    connection = re.search(r'name="connection" value="([^"]+)"', page.body)
    assert connection, page.body
    told = {"connection": connection[1], "understood": "yes", "until": "always", **choices}
    return press(server, page, path, "grant", **told)


def _below(server: Server, path: str) -> str:
    return path.removeprefix(server.base)
