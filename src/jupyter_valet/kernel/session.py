"""A kernel's session with the broker: where it is, and what can be asked of it.

The Jupyter server puts the address and the kernel's capability into the environment
(`wire/env.py`), so this works in notebooks, in terminals and in scripts that a kernel starts.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from ..wire import capability, egress, env, routes
from ..wire import mcp as names
from ..wire.egress import EgressView
from ..wire.errors import RemoteError, ValetError
from ..wire.functions import Calls, Function, Report
from ..wire.held import ROUTE as HELD
from ..wire.held import HeldView
from ..wire.toolsets import AddRequest, ServerRequest, ToolsetView
from ..wire.views import (
    ConnectionView,
    ConnectReply,
    ConnectRequest,
    StatusView,
    TransactionView,
)
from . import mcp
from .flow import End, Look, Pause, Post, Step
from .transport import Answer, Lost, Request, Stop, Stopped, Transport, never

V = TypeVar(
    "V",
    Calls,
    ConnectionView,
    ConnectReply,
    EgressView,
    HeldView,
    StatusView,
    ToolsetView,
    TransactionView,
)

_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}|localhost|::1")
_QUICK = 3.0
"""Seconds of patience for what must not keep anybody waiting: giving up, completion."""


class Session:
    """Everything a kernel may ask of its broker. Safe to use from any thread."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ids = itertools.count(1)

    def perform(self, step: Step, stop: Stop = never) -> Any:
        """Do one step of a flow and return its outcome."""
        match step:
            case Post():
                return self.post(step, stop)
            case Look():
                return self._look(step, stop)
            case End():
                return self.end_transaction(step.transaction, step.action)
            case Pause():
                return time.sleep(step.seconds)

    def post(self, step: Post, stop: Stop = never, patience: float | None = None) -> dict[str, Any]:
        """Send one MCP request, return its result. Raises `ValetError`, `Lost`, `StateRefused`."""
        number = next(self._ids)
        request = Request(
            "POST",
            routes.MCP,
            step.call.http_headers(),
            step.call.body(number),
            repeatable=step.repeatable,
        )
        message = self._transport.fetch(
            request, lambda answer: _reply(answer, number), stop=stop, patience=patience
        )
        return mcp.result(message, step.call)

    def transaction(self, transaction: str) -> TransactionView:
        """Return the transaction as it is now."""
        return _view(self._get(_transaction_path(transaction)))

    def _look(self, step: Look, stop: Stop) -> TransactionView | None:
        if step.after is None:
            return self.transaction(step.transaction)
        query = {"after": step.after, "wait": f"{routes.LONG_POLL_SECONDS:g}"}
        path = f"{_transaction_path(step.transaction)}?{urlencode(query)}"
        until = step.until or never
        try:
            return _view(self._get(path, stop=lambda: stop() or until()))
        except Stopped:
            if stop():
                raise
            return None

    def end_transaction(self, transaction: str, action: str) -> None:
        """Decline or cancel; what is over already, or a broker that is away, is no error here."""
        path = f"{_transaction_path(transaction)}?{urlencode({'action': action})}"
        try:
            self._json(Request("DELETE", path, repeatable=True, idle=5), patience=_QUICK)
        except ValetError:
            return

    def connect(self, wanted: ConnectRequest) -> ConnectReply:
        """Ask for a connection: the one that is there, or the transaction that will make it."""
        body = json.dumps(wanted.to_json()).encode()
        headers = {"Content-Type": "application/json"}
        # Asking twice is harmless: one kernel that asks for the same gets the same transaction.
        return _parsed(
            ConnectReply,
            self._json(Request("POST", routes.CONNECT, headers, body, repeatable=True)),
        )

    def connections(self, *, quick: bool = False) -> list[ConnectionView]:
        """Return the person's connections; `quick` does not wait for a restart."""
        found = self._get(routes.CONNECTIONS, quick=quick).get("connections", [])
        return [_parsed(ConnectionView, c) for c in found]

    def disconnect(self, connection: str, *, revoke: bool) -> str:
        """Forget a connection; with `revoke`, at the provider too.

        Returns `forgotten`, `revoked`, or `not_confirmed` when the provider did not say that it
        revoked it.
        """
        query = "?revoke=true" if revoke else ""
        path = f"{routes.CONNECTIONS}/{quote(connection, safe='')}{query}"
        return str(self._json(Request("DELETE", path, repeatable=True)).get("ended", "forgotten"))

    def end_grant(self, grant: str) -> None:
        """Give a grant of this notebook back."""
        path = f"{routes.GRANTS}/{quote(grant, safe='')}"
        self._json(Request("DELETE", path, repeatable=True))

    def status(self, *, quick: bool = False) -> StatusView:
        """Return what `%valet` prints; `quick` does not wait for a restart."""
        return _parsed(StatusView, self._get(routes.STATUS, quick=quick))

    def add_toolset(self, asked: AddRequest) -> ToolsetView:
        """Add an API for this notebook."""
        return _parsed(ToolsetView, self._send("POST", routes.TOOLSETS, asked.to_json()))

    def add_server(self, asked: ServerRequest) -> None:
        """Add an upstream MCP server for this notebook."""
        self._send("POST", f"{routes.TOOLSETS}/servers", asked.to_json())

    def remove_toolset(self, name: str) -> None:
        """Forget an API or a server that this notebook added."""
        self._json(Request("DELETE", f"{routes.TOOLSETS}/{quote(name, safe='')}"))

    def toolsets(self) -> list[ToolsetView]:
        """Return the APIs that were added, for this notebook or for all."""
        found = self._get(routes.TOOLSETS).get("toolsets", [])
        return [_parsed(ToolsetView, toolset) for toolset in found]

    def _send(self, method: str, path: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Send JSON that may be sent twice without harm."""
        headers = {"Content-Type": "application/json"}
        body = json.dumps(data).encode()
        return self._json(Request(method, path, headers, body, repeatable=True))

    def held(self, after: int, seconds: float, stop: Stop = never) -> HeldView:
        """Return what calls of this kernel are held for, once its revision is not `after`.

        Raises `Stopped` soon after `stop()` is true.
        """
        query = urlencode({"after": after, "wait": f"{seconds:g}"})
        return _parsed(HeldView, self._get(f"{HELD}?{query}", stop=stop))

    def declare(self, functions: Sequence[Function], *, quick: bool = False) -> None:
        """Tell the broker all functions of this kernel that are tools, in place of the last."""
        body = json.dumps({"functions": [f.to_json() for f in functions]}).encode()
        headers = {"Content-Type": "application/json"}
        request = Request("PUT", routes.FUNCTIONS, headers, body, repeatable=True)
        self._json(request, patience=_QUICK if quick else None)

    def function_calls(self, seconds: float) -> Calls:
        """Return the calls of this kernel's functions, as soon as there is one."""
        path = f"{routes.FUNCTION_CALLS}?{urlencode({'wait': f'{seconds:g}'})}"
        # Not repeatable: a call that was handed out is not handed out again.
        return _parsed(Calls, self._json(Request("GET", path)))

    def report(self, call: str, report: Report) -> None:
        """Say what became of a call of a function."""
        path = f"{routes.FUNCTION_CALLS}/{quote(call, safe='')}"
        body = json.dumps(report.to_json()).encode()
        headers = {"Content-Type": "application/json"}
        self._json(Request("POST", path, headers, body, repeatable=True))

    def tools(self, *, quick: bool = False, whole: bool = True) -> list[dict[str, Any]]:
        """Return the tools of all pages of `tools/list`; `quick` does not wait for a restart.

        `whole` is everything there is, also what agents are not shown and search for.
        """
        found: list[dict[str, Any]] = []
        params: dict[str, Any] = {}
        meta = {names.META_LIST: names.LIST_ALL} if whole else {}
        for _ in range(100):
            call = mcp.Call("tools/list", params, meta=meta)
            step = Post(call, repeatable=True)
            try:
                page = self.post(step, patience=_QUICK if quick else None)
            except Lost as lost:
                raise ValetError("broker_unreachable") from lost
            found += [t for t in page.get("tools", []) if isinstance(t, dict)]
            if not (cursor := page.get("nextCursor")):
                return found
            params = {"cursor": cursor}
        raise ValetError("protocol_error", what="the list of tools has no end")

    def egress(self, provider: str) -> EgressView:
        """Return where a provider's credential may go. Raises `ValetError`."""
        return _parsed(EgressView, self._get(f"{egress.ROUTE}/{quote(provider, safe='')}"))

    def close(self) -> None:
        """Drop the idle connections; the session can be used again."""
        self._transport.close()

    def _get(self, path: str, stop: Stop = never, *, quick: bool = False) -> dict[str, Any]:
        patience = _QUICK if quick else None
        return self._json(Request("GET", path, repeatable=True), stop=stop, patience=patience)

    def _json(
        self, request: Request, *, stop: Stop = never, patience: float | None = None
    ) -> dict[str, Any]:
        try:
            return self._transport.fetch(request, _object, stop=stop, patience=patience)
        except Lost as lost:
            raise ValetError("broker_unreachable") from lost


_sessions: dict[tuple[str, str], Session] = {}


def current(environ: Mapping[str, str] = os.environ) -> Session:
    """Return this process's session. Raises `ValetError("no_server")` where there is none."""
    url, token = environ.get(env.URL, ""), environ.get(env.CAPABILITY, "")
    known = _sessions.get((url, token))
    if known is None:
        known = _sessions[url, token] = Session(_transport(url, token))
        atexit.register(known.close)
    return known


def _transport(url: str, token: str) -> Transport:
    """Check the address: the capability goes to a listener of this machine and to nothing else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValetError("no_server") from None
    plain = parts.scheme == "http" and parts.username is None and not parts.path.strip("/")
    if not (plain and port and _LOOPBACK.fullmatch(host) and capability.looks_like_one(token)):
        raise ValetError("no_server")
    return Transport(host, port, token)


def _transaction_path(transaction: str) -> str:
    return f"{routes.TRANSACTIONS}/{quote(transaction, safe='')}"


def _object(answer: Answer) -> dict[str, Any]:
    """Read a JSON answer of the broker's own routes; an error status raises its `ValetError`."""
    body = answer.body()
    if answer.status == 204:
        return {}
    if answer.status >= 400:
        raise _refusal(answer.status, body)
    return mcp.parse(body)


def _reply(answer: Answer, number: int) -> dict[str, Any]:
    """Read the reply to an MCP request, from a JSON body or an SSE stream."""
    if answer.content_type == "text/event-stream":
        for message in mcp.events(answer.lines()):
            if mcp.is_reply(message, number):
                answer.skip_rest()
                return message
        raise OSError("the stream ended without a reply")
    body = answer.body()
    try:
        message = mcp.parse(body)
    except ValetError:
        if answer.status < 400:
            raise
        raise _refusal(answer.status, body) from None
    if not mcp.is_reply(message, number):
        raise _refusal(answer.status, body)
    return message


def _refusal(status: int, body: bytes) -> ValetError:
    try:
        known = mcp.parse(body)
    except ValetError:
        known = {}
    if isinstance(known.get("error"), dict) and isinstance(known["error"].get("code"), str):
        return RemoteError(known)
    if status == 401:
        return ValetError("capability_refused")
    return ValetError("protocol_error", what=f"status {status}")


def _view(data: dict[str, Any]) -> TransactionView:
    return _parsed(TransactionView, data)


def _parsed(kind: type[V], data: Any) -> V:
    """Build a view. Raises `ValetError` when the broker's answer lacks something."""
    try:
        return kind.from_json(data)
    except (TypeError, AttributeError):
        raise ValetError("protocol_error", what="an answer is incomplete") from None
