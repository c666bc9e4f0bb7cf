"""What a client must not send through Jupyter's port: bytes, headers, other people's states."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_process import TOKEN, Server, jupyter_server
from leaks import must_not_leak
from program import INITIALIZE, ask, make_key, modern, url

from jupyter_valet.wire.clients import MAX_BODY

pytestmark = pytest.mark.timeout(120)

LIST = modern("tools/list")
CALL = modern("tools/call", name="demo_list_issues", arguments={"project": "tidepool"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    # One second for a body, so that nobody waits for thirty.
    config = (
        "c.ValetExtension.demo = True\n"
        "import jupyter_valet.server.mcp.passage as passage\n"
        "passage.BODY_SECONDS = 1.0\n"
    )
    with jupyter_server(home, fake=False, config=config) as running:
        yield running
    must_not_leak(home, home / "state")


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    return make_key(server, "hostile", "tools:write")


def raw(server: Server, *parts: bytes, headers: str = "", token: str = TOKEN) -> bytes:
    """Send a request byte by byte, and return what comes until the server closes."""
    head = (
        f"POST {server.base}valet/mcp HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json, text/event-stream\r\n{headers}\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        try:
            for part in (head.encode(), *parts):
                connection.sendall(part)
        except OSError:
            pass  # it has closed already; what it said is still there to read
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except OSError:
            pass
        return answer


def is_alive(server: Server, token: str) -> bool:
    return ask(server, *LIST, token=token)[0] == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_read(server: Server, token: str) -> None:
    began = time.monotonic()
    answer = raw(server, headers=f"Content-Length: {MAX_BODY + 1}\r\n", token=token)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - began < 20
    assert is_alive(server, token)


def test_a_body_that_grows_too_large_is_refused(server: Server, token: str) -> None:
    chunk = b"40000\r\n" + b" " * 0x40000 + b"\r\n"
    chunked = "Transfer-Encoding: chunked\r\nConnection: close\r\n"
    answer = raw(server, chunk * 17, b"0\r\n\r\n", headers=chunked, token=token)
    assert answer.startswith(b"HTTP/1.1 413 ")
    answer = raw(server, chunk * 60, b"0\r\n\r\n", headers=chunked, token=token)
    assert not answer.startswith(b"HTTP/1.1 2")
    assert is_alive(server, token)


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: two\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
    ],
)
def test_two_lengths_of_one_body_are_refused(server: Server, token: str, headers: str) -> None:
    """Request smuggling ends where it would begin (R129)."""
    answer = raw(server, b"{}0\r\n\r\n", headers=headers, token=token)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1, "what came after it is no second request"
    assert is_alive(server, token)


def test_a_body_that_drips_is_given_up(server: Server, token: str) -> None:
    """Slow loris: the client that takes its time loses the connection, and nobody else waits."""
    began = time.monotonic()
    held = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(16)]
    head = (
        f"POST {server.base}valet/mcp HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: 1000\r\n\r\n{{"
    )
    for connection in held:
        connection.sendall(head.encode())
    assert is_alive(server, token)
    for connection in held:
        assert connection.recv(1) == b""
        connection.close()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"42",
        b'"tools/list"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":1,"method":7}',
        b'{"jsonrpc":"2.0","id":{"a":1},"method":"tools/list"}',
        b"[]",
        json.dumps([LIST[0]]).encode(),
        json.dumps([LIST[0], LIST[0]]).encode(),
    ],
    ids=lambda body: repr(body[:30]),
)
@pytest.mark.parametrize("headers", [{}, LIST[1]], ids=["2025-11-25", "2026-07-28"])
def test_what_is_no_single_message_is_refused(
    server: Server, token: str, body: bytes, headers: dict[str, str]
) -> None:
    """A batch is none either, since 2025-06-18."""
    status, _, answer = ask(server, body, headers, token=token)
    assert status == 400
    assert json.loads(answer)["error"]["code"] in (-32700, -32600, -32602)


@pytest.mark.parametrize(
    ("message", "changed", "code"),
    [
        (LIST, {"Mcp-Method": "tools/call"}, -32020),
        (LIST, {"Mcp-Method": None}, -32020),
        (LIST, {"MCP-Protocol-Version": "1999-01-01"}, -32020),
        (CALL, {"Mcp-Name": "valet_search_tools"}, -32020),
        (CALL, {"Mcp-Name": None}, -32020),
    ],
)
def test_headers_that_say_another_thing_than_the_message_are_refused(
    server: Server, token: str, message: Any, changed: dict[str, Any], code: int
) -> None:
    """PS-03: also through the forwarding, which passes them on as they are."""
    headers = {n: v for n, v in {**message[1], **changed}.items() if v is not None}
    status, _, answer = ask(server, message[0], headers, token=token)
    assert (status, json.loads(answer)["error"]["code"]) == (400, code)


def test_an_unknown_revision_is_refused(server: Server, token: str) -> None:
    """PS-03: -32022 of 2026-07-28; a handshake of an unknown one gets the newest there is."""
    message = json.loads(json.dumps(LIST[0]))
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01"
    headers = {**LIST[1], "MCP-Protocol-Version": "2099-01-01"}
    status, _, answer = ask(server, message, headers, token=token)
    assert (status, json.loads(answer)["error"]["code"]) == (400, -32022)


def test_a_state_of_another_program_of_the_same_person_is_refused(
    server: Server, token: str
) -> None:
    """ES-24, MS-04, MS-05: it is sealed to the client that it was made for."""
    other = make_key(server, "the other", "tools:write")
    status, _, answer = ask(server, *CALL, token=token)
    assert status == 200
    asked = json.loads(answer)["result"]
    [key] = asked["inputRequests"]
    arguments = {"name": "demo_list_issues", "arguments": {"project": "tidepool"}}
    again = {"inputResponses": {key: {"action": "decline"}}}
    retry = modern("tools/call", **arguments, **again, requestState=asked["requestState"])
    for changed in (retry[0], _tampered(retry[0])):
        status, _, answer = ask(server, changed, retry[1], token=other)
        assert json.loads(answer)["error"]["code"] == -32602
    status, _, answer = ask(server, _tampered(retry[0]), retry[1], token=token)
    assert json.loads(answer)["error"]["code"] == -32602
    status, _, answer = ask(server, *retry, token=token)
    assert json.loads(answer)["result"]["isError"], "its own program may decline"


def _tampered(message: dict[str, Any]) -> dict[str, Any]:
    state = message["params"]["requestState"]
    middle = len(state) // 2
    other = "A" if state[middle] != "A" else "B"
    changed = f"{state[:middle]}{other}{state[middle + 1 :]}"
    return {**message, "params": {**message["params"], "requestState": changed}}


@pytest.mark.parametrize("name", ["token", "access_token", "Authorization", "capability"])
def test_a_key_in_the_query_is_refused(server: Server, token: str, name: str) -> None:
    """RS-11: also beside a good header, because the URL is in logs by then."""
    path = f"valet/mcp?{name}={'x' * 20}"
    assert ask(server, INITIALIZE, token=token, path=path)[0] == 400
    assert ask(server, INITIALIZE, path=path)[0] == 400


def test_two_headers_and_other_schemes_prove_nothing(server: Server, token: str) -> None:
    """RS-11: one credential, in the one place; which of two is meant is not guessed."""
    twice = f"Authorization: Bearer {token}\r\nContent-Length: 2\r\nConnection: close\r\n"
    assert raw(server, b"{}", headers=twice, token=token).startswith(b"HTTP/1.1 400 ")
    for scheme in ("Basic", "Token", "token", "DPoP", "Bearer,"):
        assert ask(server, *LIST[:1], {**LIST[1], "Authorization": f"{scheme} {token}"})[0] == 401


def test_a_name_that_was_rebound_to_this_machine_gets_nothing(server: Server, token: str) -> None:
    """PS-05: DNS rebinding, with a good token even; the challenge does not name that host."""
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "[::2]"):
        for given in (token, ""):
            status, headers, body = ask(server, *LIST[:1], {**LIST[1], "Host": host}, token=given)
            assert status == 421
            assert "evil" not in str(headers) + body.decode()
    assert url(server).startswith("http://127.0.0.1")
