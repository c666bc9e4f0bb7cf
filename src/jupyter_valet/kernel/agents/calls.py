"""Tools for who talks to a model by itself: their descriptions, and the calls that the model makes.

A person's code calls `tools.<toolset>.<tool>(...)` and gets data or an exception. What a model asks
for comes by name with JSON, and what it is given back is text, errors included.
"""

from __future__ import annotations

import json
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from ...wire import mcp as names
from ...wire.errors import ValetError
from .. import mcp
from ..catalogue import catalogue
from ..plain_text import one_line
from ..session import Session
from ..shells import in_thread, run, run_async


class Answer(str):
    """What a model is given for its call: text, and whether it is an error."""

    is_error: bool = False

    @classmethod
    def of(cls, text: str, *, is_error: bool) -> Answer:
        """Return the answer with this text."""
        answer = cls(text)
        answer.is_error = is_error
        return answer


class Caller:
    """`tools.call(name, arguments)`: make the call that a model asks for, and return its answer.

    `arguments` are a dictionary or JSON text, as SDKs give them. When the tool needs a sign-in, the
    card shows up in the cell, and the call goes on after it. Nothing raises but an interrupt: what
    went wrong is the answer's text, and then its `is_error` is true. `await tools.call.aio(...)` is
    the same and leaves the kernel free.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, name: str, arguments: Mapping[str, Any] | str | None = None) -> Answer:
        """Make the call and wait for its answer."""
        try:
            way = catalogue(self._session).named(name).asked(_object(name, arguments))
            return _answer(run(way, self._session))
        except ValetError as error:
            return Answer.of(words(error), is_error=True)

    def aio(
        self, name: str, arguments: Mapping[str, Any] | str | None = None
    ) -> Coroutine[Any, Any, Answer]:
        """Return the same call, to be awaited."""
        return self._awaited(name, arguments)

    async def _awaited(self, name: str, arguments: Mapping[str, Any] | str | None) -> Answer:
        try:
            return _answer(await reply(self._session, name, arguments))
        except ValetError as error:
            return Answer.of(words(error), is_error=True)

    def __repr__(self) -> str:
        return "tools.call(name, arguments): the answer to a model's call, as text"


async def reply(
    session: Session, name: str, arguments: Mapping[str, Any] | str | None
) -> dict[str, Any]:
    """Make the call of a model and return the result of MCP. Raises `ValetError`."""
    given = _object(name, arguments)
    tool = await in_thread(lambda _stop: catalogue(session).named(name))
    return await run_async(tool.asked(given), session)


def words(error: ValetError) -> str:
    """Return an error as a model reads it, in the words of the MCP endpoint."""
    return f"{error.code}: {error.message} {error.next}"


def _answer(reply: Mapping[str, Any]) -> Answer:
    """Return what a model reads of a `tools/call` result."""
    text = mcp.text_of(reply)
    if not text and "structuredContent" in reply:
        text = json.dumps(reply["structuredContent"], ensure_ascii=False)
    return Answer.of(text, is_error=reply.get("isError") is True)


def to_openai(session: Session, wanted: Iterable[str], api: str) -> list[dict[str, Any]]:
    """Return the tools as OpenAI's APIs take them. Raises `ValetError`."""
    found = [
        {"name": t["name"], "description": _words(t), "parameters": _schema(t)}
        for t in _described(session, wanted)
    ]
    if api == "responses":
        return [{"type": "function", **function, "strict": False} for function in found]
    if api != "chat":
        raise ValetError("usage", what="There is no such API", usage="api='chat' or 'responses'")
    return [{"type": "function", "function": function} for function in found]


def to_anthropic(session: Session, wanted: Iterable[str]) -> list[dict[str, Any]]:
    """Return the tools as Anthropic's Messages API takes them. Raises `ValetError`."""
    return [
        {"name": t["name"], "description": _words(t), "input_schema": _schema(t)}
        for t in _described(session, wanted)
    ]


def _described(session: Session, wanted: Iterable[str]) -> list[dict[str, Any]]:
    """Return the tools of those names as the broker lists them. Raises `ValetError`.

    A name is a toolset's, a tool's as a model calls it, or `toolset.tool`. Without any, they are
    those that every agent is shown.
    """
    names_ = list(wanted)
    found: dict[str, dict[str, Any]] = {}
    listed = session.tools(whole=bool(names_))
    for name in names_:
        fitting = [tool for tool in listed if name in _names(tool)]
        if not fitting:
            known = sorted({_meta(tool, names.META_TOOLSET) for tool in listed})
            hint = f"There are {', '.join(known[:12])}." if known else "There are none yet."
            raise ValetError("unknown_tool", what="toolset", name=one_line(name, 80), hint=hint)
        found |= {tool["name"]: tool for tool in fitting}
    return list(found.values()) if names_ else listed


def _object(name: str, arguments: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Return the arguments as an object. Raises `ValetError("bad_arguments")`."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError:
            what = "they are not JSON"
            raise ValetError("bad_arguments", tool=one_line(name, 80), what=what) from None
    if arguments is not None and not isinstance(arguments, Mapping):
        what = "they are not an object"
        raise ValetError("bad_arguments", tool=one_line(name, 80), what=what)
    return dict(arguments or {})


def _names(tool: Mapping[str, Any]) -> tuple[str, str, str]:
    toolset = _meta(tool, names.META_TOOLSET)
    return toolset, str(tool.get("name")), f"{toolset}.{_meta(tool, names.META_TOOL)}"


def _meta(tool: Mapping[str, Any], name: str) -> str:
    meta = tool.get("_meta")
    return str(meta.get(name, "")) if isinstance(meta, dict) else ""


def _words(tool: Mapping[str, Any]) -> str:
    return str(tool.get("description") or tool.get("title") or tool["name"])


def _schema(tool: Mapping[str, Any]) -> dict[str, Any]:
    schema = tool.get("inputSchema")
    return schema if isinstance(schema, dict) else {"type": "object", "properties": {}}
