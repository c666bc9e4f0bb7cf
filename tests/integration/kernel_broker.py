"""A broker in a thread: MCP 2026-07-28 and the routes of `wire/routes.py`, on scripted data.

It is strict where the specification is: wrong headers, missing `_meta`, a state that is used twice
or a reused JSON-RPC id are refused, so that a client that gets through has kept the rules.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from jupyter_valet.wire import capability
from jupyter_valet.wire import mcp as names
from jupyter_valet.wire.errors import ValetError
from jupyter_valet.wire.views import ScopeView, TransactionState, TransactionView

ORIGIN = "http://127.0.0.1:8888/"

TOOLS: list[dict[str, Any]] = [
    {
        "name": "demo_list_issues",
        "title": "List issues",
        "description": "List the issues of a repository.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "state": {"type": "string", "enum": ["open", "closed"], "default": "open"},
                "repo": {"type": "string", "description": "owner/name"},
                "per-page": {"type": "integer"},
            },
            "required": ["repo"],
        },
        "annotations": {"readOnlyHint": True},
        "_meta": {
            names.META_TOOLSET: "demo",
            names.META_TOOL: "list_issues",
            names.META_PROVIDER: "demo",
        },
    },
    {
        "name": "demo_create_issue",
        "description": "Create an issue.",
        "inputSchema": {
            "type": "object",
            "properties": {"title": {"type": "string", "x-mcp-header": "Title"}},
            "required": ["title"],
        },
        "_meta": {
            names.META_TOOLSET: "demo",
            names.META_TOOL: "create_issue",
            names.META_PROVIDER: "demo",
        },
    },
    {
        "name": "other_echo",
        "description": "Answer with the arguments.",
        "inputSchema": {"type": "object", "properties": {"value": {}}},
        "annotations": {"readOnlyHint": True},
        "_meta": {names.META_TOOLSET: "other", names.META_TOOL: "echo"},
    },
]

ISSUES = [
    {"number": 1, "title": "First", "labels": ["a"]},
    {"number": 2, "title": "<script>alert(1)</script>", "labels": []},
]


@dataclass
class FakeBroker:
    """What the tests script and look at."""

    token: str = field(default_factory=capability.mint)
    sse: bool = False
    connected: bool = False
    long_poll: float = 25.0
    tools: list[dict[str, Any]] = field(default_factory=lambda: [dict(t) for t in TOOLS])
    transactions: dict[str, TransactionView] = field(default_factory=dict)
    ended: list[tuple[str, str]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    override: Any = None
    """Called with the JSON-RPC message; returns a reply's `result`/`error` part, or None."""
    drop: int = 0
    """How many of the next tool calls are dropped without an answer."""
    ttl: float = 600.0
    origin: str = ORIGIN
    held: tuple[str, ...] = ()
    """Ids of the transactions that calls of an agent are held for."""

    def __post_init__(self) -> None:
        self.changed = threading.Condition()
        self.states: dict[str, str] = {}
        self.ids: set[int] = set()
        self.connections: list[dict[str, Any]] = []
        handler = type("Handler", (_Handler,), {"broker": self})
        self.server = _Server(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def environ(self) -> dict[str, str]:
        return {"JUPYTER_VALET_URL": self.url, "JUPYTER_VALET_CAPABILITY": self.token}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def ask(self, reason: str = "list_issues needs it") -> TransactionView:
        with self.changed:
            for old in self.transactions.values():
                if not TransactionState(old.state).final:
                    return old
            id_ = secrets.token_urlsafe(32)
            view = TransactionView(
                id=id_,
                revision=1,
                state="waiting",
                provider="demo",
                provider_title="Demo Provider",
                server="jupyter-valet at 127.0.0.1:8888",
                reason=reason,
                url=f"{self.origin}valet/connect/{id_}",
                notebook="a.ipynb",
                expires_at=time.time() + self.ttl,
                scopes=[ScopeView("read", "Read your issues")],
            )
            self.transactions[id_] = view
            self.changed.notify_all()
            return view

    def move(self, id_: str, state: str, **fields: Any) -> None:
        with self.changed:
            old = self.transactions[id_]
            if TransactionState(old.state).final:
                return
            self.transactions[id_] = replace(old, state=state, revision=old.revision + 1, **fields)
            if state == "done":
                self.connected = True
            self.changed.notify_all()

    def hold(self, view: TransactionView) -> None:
        """Hold a call of an agent for a transaction."""
        with self.changed:
            self.held = (*self.held, view.id)
            self.changed.notify_all()

    def pending(self, timeout: float = 20) -> TransactionView:
        """Wait for a transaction that is not over."""
        with self.changed:
            assert self.changed.wait_for(lambda: self._open() is not None, timeout)
            found = self._open()
            assert found is not None
            return found

    def _open(self) -> TransactionView | None:
        live = [t for t in self.transactions.values() if not TransactionState(t.state).final]
        return live[0] if live else None

    def person(self, *states: str, pause: float = 0.05) -> threading.Thread:
        """Start somebody who takes the next transaction through `states`."""

        def act() -> None:
            view = self.pending()
            for state in states:
                time.sleep(pause)
                account = {"account": "jane"} if state == "done" else {}
                error = {"error": "the provider said no."} if state == "failed" else {}
                self.move(view.id, state, **account, **error)

        thread = threading.Thread(target=act, daemon=True)
        thread.start()
        return thread

    # -- MCP ---------------------------------------------------------------------------------
    def reply(self, message: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(message)
        if message["id"] in self.ids:
            self.problems.append("MC-03: a JSON-RPC id was used twice")
        self.ids.add(message["id"])
        if self.override is not None and (part := self.override(message)) is not None:
            return part
        params = message["params"]
        if message["method"] == "tools/list":
            return {"result": self._page(params)}
        assert message["method"] == "tools/call", message["method"]
        return self._call(params)

    def _page(self, params: dict[str, Any]) -> dict[str, Any]:
        start = int(params.get("cursor", 0))
        more = {"nextCursor": str(start + 2)} if start + 2 < len(self.tools) else {}
        return {"resultType": "complete", "tools": self.tools[start : start + 2], **more}

    def _call(self, params: dict[str, Any]) -> dict[str, Any]:
        name, arguments = params["name"], params["arguments"]
        if name == "other_echo":
            return _done(arguments)
        answers, state = params.get("inputResponses"), params.get("requestState")
        if state is not None:
            if state not in self.states:
                return _invalid_state()
            id_ = self.states.pop(state)
            if answers and answers[f"sign-in-{id_}"]["action"] != "accept":
                code = {"decline": "declined"}.get(answers[f"sign-in-{id_}"]["action"], "cancelled")
                return _failed(ValetError(code, provider="Demo Provider"))
        if not self.connected:
            return {"result": self._input_required()}
        if name == "demo_create_issue":
            return _done({"number": 3, "title": arguments["title"]})
        return _done(ISSUES)

    def _input_required(self) -> dict[str, Any]:
        view = self.ask()
        state = f"v1.{secrets.token_urlsafe(24)} \u00e4/+=="  # MC-02: opaque, echoed as it is
        self.states[state] = view.id
        params = {"mode": "url", "message": "Sign in to go on.", "url": view.url}
        return {
            "resultType": "input_required",
            "inputRequests": {
                f"sign-in-{view.id}": {"method": "elicitation/create", "params": params}
            },
            "requestState": state,
        }

    def check(self, headers: Any, message: dict[str, Any]) -> str:
        """Return what is wrong with an MCP request, or nothing."""
        meta = message.get("params", {}).get("_meta", {})
        if meta.get(names.META_VERSION) != names.PROTOCOL_VERSION:
            return "no protocol version in _meta"
        if meta.get(names.META_CAPABILITIES) != {"elicitation": {"url": {}}}:
            return "EC-02: declares something else than URL mode"
        if names.META_CLIENT not in meta:
            return "no clientInfo"
        if headers.get(names.HEADER_VERSION) != names.PROTOCOL_VERSION:
            return "MC-06: MCP-Protocol-Version"
        if headers.get(names.HEADER_METHOD) != message["method"]:
            return "MC-06: Mcp-Method"
        if headers.get(names.HEADER_NAME) != message["params"].get("name"):
            return "MC-06: Mcp-Name"
        accept = headers.get("Accept", "")
        if "application/json" not in accept or "text/event-stream" not in accept:
            return "Accept"
        return ""


def _done(data: Any) -> dict[str, Any]:
    text = {"type": "text", "text": json.dumps(data)}
    return {"result": {"resultType": "complete", "content": [text], "structuredContent": data}}


def _failed(error: ValetError) -> dict[str, Any]:
    return {
        "result": {
            "resultType": "complete",
            "isError": True,
            "content": [{"type": "text", "text": str(error)}],
            "_meta": {names.META_ERROR: error.to_json()},
        }
    }


def _invalid_state() -> dict[str, Any]:
    return {
        "error": {
            "code": -32602,
            "message": "Invalid or expired requestState",
            "data": {"reason": "invalid_request_state"},
        }
    }


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up is part of the tests


class _Handler(BaseHTTPRequestHandler):
    broker: FakeBroker
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        pass

    def _json(self, status: int, data: Any) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _known(self) -> bool:
        parts = urlsplit(self.path)
        self.broker.requests.append((self.command, parts.path))
        self.broker.paths.append(self.path)
        if self.headers.get("Authorization") == f"Bearer {self.broker.token}":
            return True
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._json(401, ValetError("capability_refused").to_json())
        return False

    def do_POST(self) -> None:
        if not self._known():
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = json.loads(body)
        if self.path == "/connect":
            self._connect(message)
        elif self.path == "/mcp":
            self._mcp(message)
        else:
            self._json(404, ValetError("not_found", what="page").to_json())

    def _connect(self, wanted: dict[str, Any]) -> None:
        broker = self.broker
        if wanted["provider"] != "demo":
            error = ValetError("unknown_provider", provider=wanted["provider"])
            self._json(404, error.to_json())
        elif broker.connected and not wanted["new_account"]:
            found = {
                "id": "c1",
                "provider": "demo",
                "provider_title": "Demo Provider",
                "account_id": "1",
                "account": "jane",
            }
            self._json(200, {"connection": found, "transaction": None})
        else:
            self._json(200, {"connection": None, "transaction": broker.ask("%connect").to_json()})

    def _mcp(self, message: dict[str, Any]) -> None:
        broker = self.broker
        if message["method"] == "tools/call" and broker.drop > 0:
            broker.drop -= 1
            self.close_connection = True
            return
        if problem := broker.check(self.headers, message):
            broker.problems.append(problem)
            error = {"code": -32020, "message": problem}
            self._json(400, {"jsonrpc": "2.0", "id": message.get("id"), "error": error})
            return
        broker.last_headers = dict(self.headers)  # type: ignore[attr-defined]
        answer = {"jsonrpc": "2.0", "id": message["id"], **broker.reply(message)}
        if not broker.sse:
            self._json(400 if "error" in answer else 200, answer)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}
        data = json.dumps(answer, indent=1).replace("\n", "\r\ndata: ")
        for part in (": ping\r\n\r\n", f"event: message\ndata: {json.dumps(progress)}\n\n"):
            self._chunk(part)
        self._chunk(f"data: {data}\r\n\r\n")
        self._chunk("")

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def do_GET(self) -> None:
        if not self._known():
            return
        parts = urlsplit(self.path)
        if parts.path == "/connections":
            self._json(200, {"connections": self.broker.connections})
        elif parts.path == "/status":
            self._json(200, _STATUS)
        elif parts.path == "/held":
            self._held(parse_qs(parts.query))
        elif parts.path.startswith("/transactions/"):
            self._transaction(unquote(parts.path.split("/")[2]), parse_qs(parts.query))
        else:
            self._json(404, ValetError("not_found", what="page").to_json())

    def _held(self, query: dict[str, list[str]]) -> None:
        broker, after, wait = self.broker, int(query["after"][0]), float(query["wait"][0])

        def revision() -> int:
            return len(broker.held)

        with broker.changed:
            broker.changed.wait_for(lambda: revision() != after, min(wait, broker.long_poll))
            views = [broker.transactions[id_].to_json() for id_ in broker.held]
        self._json(200, {"revision": revision(), "questions": views})

    def _transaction(self, id_: str, query: dict[str, list[str]]) -> None:
        broker = self.broker
        with broker.changed:
            if id_ not in broker.transactions:
                self._json(404, ValetError("not_found", what="sign-in").to_json())
                return
            if "after" in query:
                after, wait = int(query["after"][0]), float(query["wait"][0])
                broker.changed.wait_for(
                    lambda: broker.transactions[id_].revision > after,
                    min(wait, broker.long_poll),
                )
            view = broker.transactions[id_]
        self._json(200, view.to_json())

    def do_DELETE(self) -> None:
        if not self._known():
            return
        parts = urlsplit(self.path)
        id_ = unquote(parts.path.split("/")[2])
        if parts.path.startswith("/connections/"):
            broker = self.broker
            broker.ended.append((id_, parts.query))
            broker.connections = [c for c in broker.connections if c["id"] != id_]
            self._json(200, {})
            return
        if id_ not in self.broker.transactions:
            self._json(404, ValetError("not_found", what="sign-in").to_json())
            return
        action = parse_qs(parts.query)["action"][0]
        self.broker.ended.append((id_, action))
        self.broker.move(id_, {"decline": "declined", "cancel": "cancelled"}[action])
        self._json(200, self.broker.transactions[id_].to_json())


_STATUS = {
    "version": "0.1.0",
    "level": "L1",
    "level_words": "no passive reading",
    "vault": "unlocked",
    "key_source": "keyring",
    "providers": ["demo", "github"],
    "toolsets": ["demo", "other"],
    "connections_url": f"{ORIGIN}valet/connections",
    "from_the_future": True,
}
