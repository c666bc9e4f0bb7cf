"""A program outside of the notebooks, spoken byte by byte, and the person who gives it a key."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urlencode

from jupyter_process import PRESSED, Answer, Server

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    },
}
LEGACY = {"MCP-Protocol-Version": "2025-11-25"}
_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
}
_USUAL = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}{server.base}valet/mcp"


def modern(method: str, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a message of 2026-07-28 and its headers."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": _META}}
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    return message, headers


def ask(
    server: Server,
    message: Any = INITIALIZE,
    headers: dict[str, str] | None = None,
    *,
    token: str = "",
    method: str = "POST",
    path: str = "valet/mcp",
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send a message with exactly these headers besides the usual ones."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    sent = {**_USUAL, **(headers or {})}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    body = message if isinstance(message, bytes | str) else json.dumps(message)
    try:
        connection.request(method, server.base + path, body if method == "POST" else None, sent)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@contextlib.contextmanager
def stream(
    server: Server, token: str, message: Any = None, headers: dict[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Open a stream: a `POST` of `message`, or a `GET` when there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    sent = {**_USUAL, **(headers or {}), "Authorization": f"Bearer {token}"}
    body = None if message is None else json.dumps(message)
    connection.request("GET" if message is None else "POST", f"{server.base}valet/mcp", body, sent)
    try:
        yield connection.getresponse()
    finally:
        connection.close()


def begin_session(server: Server, token: str) -> dict[str, str]:
    """Begin a session of 2025-11-25; return the headers that belong to it."""
    status, headers, _ = ask(server, token=token)
    assert status == 200
    session = {**LEGACY, "Mcp-Session-Id": headers["Mcp-Session-Id"]}
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert ask(server, initialized, session, token=token)[0] == 202
    return session


# The person's page -------------------------------------------------------------------------------


def nonce(page: str) -> str:
    found = re.search(r'name="auth" value="([^"]+)"', page)
    assert found, page
    return found[1]


def press(server: Server, path: str, **fields: str) -> Answer:
    """Open the connections page and press a button on it."""
    auth = nonce(server.get("valet/connections").body)
    return server.get(f"valet/connections/{path}?{urlencode({'auth': auth, **fields})}", PRESSED)


def make_key(server: Server, name: str, *scopes: str, days: str = "90") -> str:
    """Make an API key as a person does."""
    ticked = {f"scope{i}": scope for i, scope in enumerate(scopes or ("tools:read",))}
    page = press(server, "key", name=name, days=days, **ticked)
    assert page.status == 200, page.body
    found = re.search(r'id="token"[^>]* value="([^"]+)"', page.body)
    assert found, page.body
    return unescape(found[1])


def key_id(server: Server, name: str) -> str:
    """Return the id of a key, which its button on the page carries."""
    page = server.get("valet/connections").body
    found = re.search(rf"<bdi>{name}</bdi>.*?name=\"key\" value=\"([0-9a-f]+)\"", page, re.DOTALL)
    assert found, page
    return found[1]


def revoke_key(server: Server, name: str) -> None:
    assert press(server, "key/end", key=key_id(server, name)).status == 303
