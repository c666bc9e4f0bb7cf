"""Our dispatcher for 2026-07-28 next to the SDK's server, which is its oracle.

The same bytes go to both, around one world: status, type and messages must be the same, and no
difference is allowed for. What is amiss is refused by the SDK in both, so what these tests can find
is a request that only ours lets in, or an answer that only ours gives.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web
from api_calls import calls_of
from mcp.shared.inbound import encode_header_value
from mcp_world import URL_MODE, Upstream, World, last_message, world

from jupyter_valet.broker.mcp import Endpoint, inbound
from jupyter_valet.broker.mcp.familiar import Familiar
from jupyter_valet.broker.mcp.presence import Presence
from jupyter_valet.broker.toolsets import toolsets

pytestmark = pytest.mark.anyio

META = "io.modelcontextprotocol/"
TOOL = "demo_list_issues"


class OnlySdk(Endpoint):
    """The endpoint as it would be without our dispatcher."""

    async def _single(self, caller: Any, scope: Any, receive: Any, send: Any) -> None:
        await self._by_sdk(caller, scope, Presence(receive), send)


@dataclass
class Sent:
    """One POST, before it is bytes."""

    message: Any
    headers: list[tuple[str, str]]
    body: bytes | None = None
    method: str = "POST"
    pieces: int = 1

    def bytes(self) -> bytes:
        return json.dumps(self.message).encode() if self.body is None else self.body


@dataclass
class Got:
    """One answer, without what is random in it."""

    status: int = 0
    type: str = ""
    body: bytes = b""
    messages: list[Any] = field(default_factory=list)


def call(name: str = TOOL, arguments: Any = None, **params: Any) -> Sent:
    arguments = {"project": "tidepool"} if arguments is None else arguments
    return request("tools/call", name=name, arguments=arguments, **params)


def request(method: str, meta: Any = None, request_id: Any = 1, **params: Any) -> Sent:
    meta = {
        META + "protocolVersion": "2026-07-28",
        META + "clientCapabilities": URL_MODE,
        **(meta or {}),
    }
    message = {
        "jsonrpc": "2.0",
        "id": request_id,
        "method": method,
        "params": {"_meta": meta, **params},
    }
    headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", method),
    ]
    if isinstance(params.get("name"), str):
        headers.append(("mcp-name", encode_header_value(params["name"])))
    return Sent(message, headers)


def with_header(sent: Sent, name: str, *values: str) -> Sent:
    others = [pair for pair in sent.headers if pair[0] != name]
    return replace(sent, headers=[*others, *((name, value) for value in values)])


def with_message(sent: Sent, **members: Any) -> Sent:
    return replace(sent, message={**sent.message, **members})


def without(sent: Sent, member: str) -> Sent:
    return replace(sent, message={k: v for k, v in sent.message.items() if k != member})


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


OURS = {
    "a call": call(),
    "an id that is a string": with_message(call(), id="één-\u2028"),
    "an id of 300 digits": with_message(call(), id=10**300),
    "an id with half a character": with_message(call(), id="\ud800"),
    "an id of nothing": with_message(call(), id=""),
    "an unknown member": with_message(call(), more=[1]),
    "a tool nobody has": call("demo_no_such_tool"),
    "a name that needs an encoding": call("démo_☃"),
    "a name of 10,000 letters": call("x" * 10_000),
    "no arguments": call(arguments={}),
    "arguments that are null": with_message(
        call(), params={**call().message["params"], "arguments": None}
    ),
    "arguments that do not fit": call(arguments={"project": 7}),
    "an argument that is not declared": call(arguments={"project": "tidepool", "to": "x"}),
    "an argument that is no number": call(arguments={"project": float("nan")}),
    "an argument that is infinite": call(arguments={"project": float("-inf")}),
    "an argument with half a character": call(arguments={"project": "\ud800"}),
    "arguments 200 deep": call(arguments={"project": nested(200)}),
    "a member that is there twice": replace(
        call(), body=json.dumps(call().message)[:-1].encode() + b',"id":2}'
    ),
    "a progress token": call(_meta={**call().message["params"]["_meta"], "progressToken": "p"}),
    "a state that is null": call(requestState=None),
    "a state that is nobody's": call(requestState="v1.AAAA"),
    "an answer to nothing": call(inputResponses={"x": {"action": "accept"}}),
    "an answer without a state": call(inputResponses={"connect": {"action": "accept"}}),
    "a list": request("tools/list"),
    "a list from a cursor": request("tools/list", cursor="9"),
    "capabilities of nothing": request("tools/list", {META + "clientCapabilities": {}}),
    "capabilities nobody knows": call(
        _meta={**call().message["params"]["_meta"], META + "clientCapabilities": {"x": {"y": 1}}}
    ),
    "who asks": request("tools/list", {META + "clientInfo": {"name": "n", "version": "1"}}),
    "another charset": with_header(call(), "content-type", "application/json; charset=utf-8"),
    "accepted with a weight": with_header(
        call(), "accept", "text/event-stream;q=0.1, APPLICATION/json;q=1"
    ),
    "in four pieces": replace(call(), pieces=4),
    "in UTF-16": replace(call(), body=json.dumps(call().message).encode("utf-16")),
    "a header of a parameter that no tool declares": with_header(call(), "mcp-param-x", "1"),
}

THE_SDKS = {
    "discover": request("server/discover"),
    "ping": request("ping"),
    "initialize": request("initialize"),
    "a method nobody has": request("no/such"),
    "a method of the revision that is not offered": request("prompts/list"),
    "no body": replace(call(), body=b""),
    "no JSON": replace(call(), body=b"{"),
    "JSON and more": replace(call(), body=json.dumps(call().message).encode() + b"x"),
    "arguments 2,000 deep": replace(
        call(),
        body=json.dumps(call().message).replace('"tidepool"', "[" * 2000 + "]" * 2000).encode(),
    ),
    "100,000 deep": replace(call(), body=b"[" * 100_000),
    "a number of 5,000 digits": replace(call(), body=b"1" * 5000),
    "a batch": replace(call(), message=[call().message]),
    "a text": replace(call(), message="tools/call"),
    "a response": with_message(without(without(call(), "method"), "params"), result={}),
    "a notification": without(call(), "id"),
    "a notification of an unknown revision": with_header(
        without(call(), "id"), "mcp-protocol-version", "2031-01-01"
    ),
    "another JSON-RPC": with_message(call(), jsonrpc="1.0"),
    "no JSON-RPC": without(call(), "jsonrpc"),
    "an id that is null": with_message(call(), id=None),
    "an id that is true": with_message(call(), id=True),
    "an id that is a fraction": with_message(call(), id=1.5),
    "a method that is a number": with_message(call(), method=7),
    "no params": without(call(), "params"),
    "params that are a list": with_message(call(), params=[1]),
    "no _meta": with_message(call(), params={"name": TOOL}),
    "_meta that is a text": call(_meta="x"),
    "no version": call(_meta={META + "clientCapabilities": {}}),
    "no capabilities": call(_meta={META + "protocolVersion": "2026-07-28"}),
    "capabilities that are a list": request("tools/list", {META + "clientCapabilities": [1]}),
    "who asks, in a wrong shape": request("tools/list", {META + "clientInfo": {"name": 7}}),
    "an unknown revision": with_header(
        request("tools/list", {META + "protocolVersion": "2031-01-01"}),
        "mcp-protocol-version",
        "2031-01-01",
    ),
    "a version that the header does not have": request(
        "tools/list", {META + "protocolVersion": "2031-01-01"}
    ),
    "no method header": with_header(call(), "mcp-method"),
    "another method header": with_header(call(), "mcp-method", "tools/list"),
    "a method header twice": with_header(call(), "mcp-method", "tools/call", "tools/call"),
    "no name header": with_header(call(), "mcp-name"),
    "another name header": with_header(call(), "mcp-name", "demo_get_issue"),
    "a name header that is no base64": with_header(call(), "mcp-name", "=?base64?%%?="),
    "any header twice": with_header(call(), "x-more", "1", "2"),
    "no name": request("tools/call", arguments={}),
    "a name that is a number": call(7),  # type: ignore[arg-type]
    "arguments that are a list": call(arguments=[1]),
    "a state that is a number": call(requestState=7),
    "an answer in a wrong shape": call(inputResponses={"connect": {"action": "maybe"}}),
    "a cursor that is a number": request("tools/list", cursor=7),
    "a progress token that is a list": call(
        _meta={**call().message["params"]["_meta"], "progressToken": [1]}
    ),
    "no type": with_header(call(), "content-type"),
    "another type": with_header(call(), "content-type", "text/plain"),
    "nothing accepted": with_header(call(), "accept"),
    "only JSON accepted": with_header(call(), "accept", "application/json"),
    "anything accepted": with_header(call(), "accept", "*/*"),
    "a GET": replace(call(), method="GET"),
    "a DELETE": replace(call(), method="DELETE"),
    "4 MiB and a byte": replace(call(), body=b" " * (4 * 1024 * 1024 + 1), pieces=8),
}


@dataclass
class Both:
    """The two, around one world."""

    world: World
    token: str
    ours: Endpoint
    sdks: Endpoint

    async def answers(self, sent: Sent) -> tuple[Got, Got]:
        """Return what the two say."""
        return await self.ask(self.ours, sent), await self.ask(self.sdks, sent)

    async def ask(self, endpoint: Endpoint, sent: Sent) -> Got:
        headers = [("host", "127.0.0.1:9"), ("authorization", f"Bearer {self.token}")]
        scope = {
            "type": "http",
            "method": sent.method,
            "path": "/mcp",
            "query_string": b"",
            "server": ("127.0.0.1", 9),
            "headers": [
                (name.encode(), value.encode("latin-1"))
                for name, value in [*headers, *sent.headers]
            ],
        }
        parts = _pieces(sent)
        got = Got()

        async def receive() -> dict[str, Any]:
            for part in parts:
                return part
            await anyio.sleep_forever()
            raise AssertionError

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                kinds = dict(message["headers"])
                got.status = message["status"]
                got.type = kinds.get(b"content-type", b"").decode()
            else:
                got.body += message.get("body", b"")

        with anyio.fail_after(10):
            await endpoint(scope, receive, send)
        return _told(got)


def _pieces(sent: Sent) -> Iterator[dict[str, Any]]:
    body = sent.bytes()
    size = -(-len(body) // sent.pieces) or 1
    cuts = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    for number, cut in enumerate(cuts, 1):
        yield {"type": "http.request", "body": cut, "more_body": number < len(cuts)}


def _told(got: Got) -> Got:
    """Return the answer as messages, each random thing replaced by what it is."""
    body, got.body = got.body, b""
    if got.type.startswith("text/event-stream"):
        events = [part for part in body.decode().split("\r\n\r\n") if "data: " in part]
        got.messages = [_plain(last_message(event)) for event in events]
    elif got.type == "application/json":
        got.messages = [_plain(json.loads(body))]
    else:
        got.body = body
    return got


def _plain(message: Any) -> Any:
    result = message.get("result") or {}
    if "requestState" in result:
        assert result["requestState"].startswith("v1.")
        result["requestState"] = "a state"
    for question in (result.get("inputRequests") or {}).values():
        assert "/valet/connect/" in question["params"]["url"]
        question["params"]["url"] = "our page"
    return message


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    async with (
        Upstream().running() as upstream,
        world(tmp_path_factory.mktemp("world"), upstream) as here,
    ):
        parts = (here.calls, here.transactions, here.kernels, here.vault, here.known)
        ours, sdks = Endpoint(*parts, hold=0.1, poll=0.1), OnlySdk(*parts, hold=0.1, poll=0.1)
        async with ours, sdks:
            yield Both(here, here.kernel(), ours, sdks)


@pytest.fixture
def read_here(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return, filled as requests come, whether our dispatcher took each."""
    taken: list[bool] = []
    real = Familiar.read

    def noted(*arguments: Any) -> Any:
        found = real(*arguments)
        taken.append(found is not None)
        return found

    monkeypatch.setattr(Familiar, "read", noted)
    return taken


async def test_a_stream_of_news_is_the_sdks(both: Both) -> None:
    """subscriptions: `subscriptions/listen` is one long answer, for which the SDK has the means."""
    sent = request("subscriptions/listen", notifications={"toolsListChanged": True})
    headers = [(name.encode(), value.encode()) for name, value in sent.headers]
    scope = {"method": "POST", "headers": headers}
    assert inbound.read(scope, sent.bytes(), lambda name: None) is None


@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in", "nobody signed in"])
@pytest.mark.parametrize("name", OURS)
async def test_what_is_answered_here_is_answered_alike(
    both: Both, read_here: list[bool], name: str, signed_in: bool
) -> None:
    """Every request that is whole (PS-03, PS-04), and every error of a call."""
    if signed_in and not both.world.connections.find("jane", "demo"):
        both.world.connect()
    token = both.token if signed_in else both.world.kernel("k2", "somebody")
    for _ in range(2):  # when its form is new, and when it is known
        ours, sdks = await replace(both, token=token).answers(OURS[name])
        assert ours == sdks
    assert read_here == [True, True]


@pytest.mark.parametrize("name", THE_SDKS)
async def test_what_is_amiss_is_refused_alike(both: Both, read_here: list[bool], name: str) -> None:
    """PS-03: nothing is let in that the SDK refuses, and it is the SDK's words that refuse it."""
    ours, sdks = await both.answers(THE_SDKS[name])
    assert ours == sdks
    assert read_here in ([False], [])


async def test_whatever_is_changed_in_a_request_the_answers_are_alike(both: Both) -> None:
    """PS-03: a thousand changes to good requests, the same in every run."""
    chance = random.Random(20260728)
    seen = set()
    for _ in range(1000):
        sent = _changed(chance, chance.choice(WHOLE))
        ours, sdks = await both.answers(sent)
        assert ours == sdks, sent
        seen.add((ours.status, *(m["error"]["code"] for m in ours.messages if "error" in m)))
    assert {(200,), (202,), (400, -32602), (400, -32600), (400, -32020), (404, -32601)} <= seen


WHOLE = [call(), call(), request("tools/list"), request("no/such")]
VALUES: list[Any] = [
    None, True, 0, -1, 1.5, "", "x", "tools/call", "tools/list", TOOL, [], [1], {}, {"a": 1},
    "2026-07-28", "2025-11-25", "2.0", "\ud800", 10**30, {"elicitation": {"url": None}},
]  # fmt: skip


def _changed(chance: random.Random, sent: Sent) -> Sent:
    """Change one or two things of the message, or a header."""
    sent = copy.deepcopy(sent)
    for _ in range(chance.choice([1, 1, 2])):
        if chance.random() < 0.25:
            _change_header(chance, sent)
        else:
            _change_member(chance, chance.choice(list(_objects(sent.message))))
    return sent


def _objects(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from _objects(below)


def _change_member(chance: random.Random, target: dict[str, Any]) -> None:
    key = chance.choice([*target, "more"])
    if chance.random() < 0.3:
        target.pop(key, None)
    else:
        target[key] = copy.deepcopy(chance.choice(VALUES))


def _change_header(chance: random.Random, sent: Sent) -> None:
    number = chance.randrange(len(sent.headers))
    name, value = sent.headers[number]
    match chance.randrange(4):
        case 0:
            del sent.headers[number]
        case 1:
            sent.headers.append((name, value))
        case 2:
            sent.headers[number] = (name, value.swapcase())
        case _:
            other = str(chance.choice(VALUES)).encode("ascii", "replace").decode()
            # Another revision is the older transport's, with sessions: not compared here.
            sent.headers[number] = (name, "2031-01-01" if name.endswith("version") else other)


ANSWERS: dict[str, Any] = {
    "an object": (200, b'{"a": {"b": null}, "c": [1, 2.5, "x"]}', "application/json"),
    "null": (200, b"null", "application/json"),
    "false": (200, b"false", "application/json"),
    "a number": (200, b"1e400", "application/json"),
    "what is no number": (200, b"[NaN]", "application/json"),
    "an empty list": (200, b"[]", "application/json"),
    "nothing": (204, b"", ""),
    "half a character": (200, rb'"\ud800"', "application/json"),
    "a text": (200, "é☃".encode(), "text/plain"),
    "bytes": (200, b"\x00\xff", "image/png"),
    "no JSON": (200, b"{", "application/json"),
    "what is missing": (404, b'{"message": "none"}', "application/json"),
    "a fault": (500, b"", "text/html"),
    "a megabyte too much": (200, b" " * 1_100_000, "text/plain"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_what_upstream_answers_is_passed_on_alike(both: Both, name: str) -> None:
    """Every kind of result: data, text, neither, an error."""
    status, body, kind = ANSWERS[name]

    async def answer(_: web.Request) -> web.Response:
        headers = {"Content-Type": kind} if kind else {}
        return web.Response(status=status, body=body, headers=headers)

    if not both.world.connections.find("jane", "demo"):
        both.world.connect()
    both.world.upstream.handler = answer
    try:
        ours, sdks = await both.answers(call())
    finally:
        both.world.upstream.handler = None
    assert ours == sdks


async def test_progress_is_told_alike(both: Both) -> None:
    """streamable-http: who asks to hear of progress gets a stream, and the answer at its end."""
    meta = {**call().message["params"]["_meta"], "progressToken": "p"}
    meta[META + "clientCapabilities"] = {}
    asked = replace(both, token=both.world.kernel("k3", "who waits"))
    ours, sdks = await asked.answers(call(_meta=meta))
    assert ours == sdks
    assert ours.type == "text/event-stream"
    assert [message.get("method") for message in ours.messages[:-1]] == [
        "notifications/progress"
    ] * (len(ours.messages) - 1)
    assert len(ours.messages) > 1


async def test_a_declared_header_is_compared_alike(both: Both, tmp_path: Path) -> None:
    """MC-06: `Mcp-Param-*` headers, also where an argument of the name is not given."""
    here = both.world
    [demo] = [toolset for toolset in toolsets(here.known) if toolset.name == "demo"]
    operations = {operation.name: operation for operation in demo.operations}
    project, *others = operations["list_issues"].parameters
    project = replace(project, schema={**project.schema, "x-mcp-header": "Project"})
    listed = replace(operations["list_issues"], parameters=(project, *others))
    calls = calls_of(
        [replace(demo, operations=(listed,))],
        here.connections,
        here.egress,
        here.known,
        here.policy,
    )
    parts = (calls, here.transactions, here.kernels, here.vault, here.known)
    async with Endpoint(*parts) as ours, OnlySdk(*parts) as sdks:
        pair = replace(both, ours=ours, sdks=sdks, token=here.kernel("k4", "nobody"))
        statuses = []
        for values in ([], ["tidepool"], ["another"], ["tidepool", "tidepool"], ["=?base64?x?="]):
            for arguments in ({"project": "tidepool"}, {}, {"project": None}, {"project": 1.0}):
                sent = with_header(call(arguments=arguments), "mcp-param-project", *values)
                first, second = await pair.answers(sent)
                assert first == second, sent
                statuses.append(first.status)
    assert 200 in statuses
    assert 400 in statuses
