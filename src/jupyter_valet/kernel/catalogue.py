"""The tools that the broker lists, as Python objects with signatures, help and completion."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from html import escape
from typing import Any

from ..wire import mcp as names
from ..wire.errors import ValetError
from . import mcp, param_headers, results
from .desk import desk
from .flow import Flow, call_tool
from .plain_text import one_line
from .session import Session, current
from .shells import run, run_async
from .signatures import Parameters, identifier


class UnknownTool(ValetError, AttributeError):
    """A toolset or tool that is not there; an `AttributeError`, so that `hasattr` works."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        super().__init__(
            "unknown_tool", what=what, name=one_line(name, 80), hint=_hint(name, known)
        )


class Tool:
    """One tool. Calling it waits for the result; `.aio(...)` is the same call to be awaited."""

    def __init__(self, listed: dict[str, Any], session: Session) -> None:
        found = listed.get("_meta")
        meta: dict[str, Any] = found if isinstance(found, dict) else {}
        hints = listed.get("annotations")
        self._listed = listed
        self._session = session
        self._name = str(listed["name"])
        self._toolset = str(meta.get(names.META_TOOLSET) or _prefix(self._name))
        self._tool = str(meta.get(names.META_TOOL) or _rest(self._name))
        self._provider = str(meta.get(names.META_PROVIDER) or "")
        self._reads = isinstance(hints, dict) and hints.get("readOnlyHint") is True
        self._parameters = Parameters(listed.get("inputSchema") or {})
        self._headers = param_headers.declared(listed.get("inputSchema")) or {}
        self.__name__ = identifier(self._tool)
        self.__qualname__ = f"{identifier(self._toolset)}.{self.__name__}"
        self.__doc__ = self._help()
        self.__signature__ = self._parameters.signature
        self.aio = _Awaited(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the tool and wait for its result. Raises `ValetError`."""
        return results.result(run(self._flow(args, kwargs), self._session))

    async def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return results.result(await run_async(self._flow(args, kwargs), self._session))

    def _flow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Flow[dict[str, Any]]:
        arguments = self._parameters.arguments(self.__name__, args, kwargs)
        call = mcp.Call(
            "tools/call",
            {"name": self._name, "arguments": arguments},
            param_headers.headers(self._headers, arguments),
            {names.META_WHOLE: True},
        )
        return call_tool(call, desk, repeatable=self._reads)

    def asked(self, arguments: Mapping[str, Any]) -> Flow[dict[str, Any]]:
        """Return the way of the call that a model asks for; its result is what a model is given."""
        call = mcp.Call(
            "tools/call",
            {"name": self._name, "arguments": dict(arguments)},
            param_headers.headers(self._headers, arguments),
        )
        return call_tool(call, desk, repeatable=self._reads)

    @property
    def summary(self) -> str:
        """What the tool does, in one line."""
        words = str(self._listed.get("title") or self._listed.get("description") or "")
        return one_line(words.strip().split("\n")[0], 160)

    def __repr__(self) -> str:
        return f"tools.{self.__qualname__}{_shown(self._parameters.signature)}\n{self.__doc__}"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"

    def _help(self) -> str:
        words = str(self._listed.get("description") or self._listed.get("title") or "").strip()
        lines = [one_line(line, 400) for line in words.splitlines()]
        if described := self._parameters.describe():
            lines += ["", "Arguments:", *(f"  {line}" for line in described)]
        if self._provider:
            lines += ["", f"Needs a sign-in with {one_line(self._provider, 60)}."]
        return "\n".join(lines)


class _Awaited:
    """`tool.aio`: the same call, to be awaited, with the same signature and help."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self.__name__ = "aio"
        self.__doc__ = tool.__doc__
        self.__signature__ = tool.__signature__

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Return the call, to be awaited. Cancelling it cancels the sign-in it waits for."""
        return self._tool._call(args, kwargs)

    def __repr__(self) -> str:
        return f"await {self._tool!r}"


class Toolset:
    """The tools of one source."""

    def __init__(self, name: str, tools: dict[str, Tool], again: Callable[[], Toolset]) -> None:
        self._name, self._tools, self._again = name, tools, again
        self.__doc__ = self.__repr__()

    def __getattr__(self, name: str) -> Tool:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Tool:
        found = self._tools.get(name) or self._again()._tools.get(name)
        if found is None:
            raise UnknownTool(f"tool in {one_line(self._name, 60)}", name, self._tools)
        return found

    def __dir__(self) -> list[str]:
        return sorted(self._tools)

    def _ipython_key_completions_(self) -> list[str]:
        return self.__dir__()

    def __repr__(self) -> str:
        width = max(map(len, self._tools), default=0)
        lines = [f"  {name:<{width}}  {tool.summary}" for name, tool in sorted(self._tools.items())]
        return "\n".join([f"tools.{self._name}", *lines])

    def _repr_html_(self) -> str:
        return _table(self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        return [
            (f"{self._name}.{name}{_shown(tool.__signature__)}", tool.summary)
            for name, tool in sorted(self._tools.items())
        ]


class Catalogue:
    """All toolsets of one session; listed when first needed, and again when a name is missing."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._toolsets: dict[str, Toolset] | None = None

    def toolset(self, name: str) -> Toolset:
        """Return a toolset. Raises `UnknownTool` with names that are close."""
        if name not in self._listed():
            self.refresh()
        known = self._listed()
        if name not in known:
            raise UnknownTool("toolset", name, known)
        return known[name]

    def named(self, name: str) -> Tool:
        """Return the tool that agents call `name`. Raises `UnknownTool` with names that are close.

        The list is asked for again when there is none.
        """
        if name not in (known := self._by_name()):
            self.refresh()
            known = self._by_name()
        if name not in known:
            raise UnknownTool("tool", name, known)
        return known[name]

    def _by_name(self) -> dict[str, Tool]:
        toolsets = self._listed().values()
        return {tool._name: tool for toolset in toolsets for tool in toolset._tools.values()}

    def names(self, *, quick: bool = False) -> list[str]:
        """Return the toolsets' names; `quick` prefers an empty answer to waiting."""
        try:
            return sorted(self._listed(quick=quick))
        except ValetError:
            return []

    def text(self) -> str:
        """Return all tools as text."""
        return "\n".join(repr(t) for _, t in sorted(self._listed().items())) or "no tools"

    def html(self) -> str:
        """Return all tools as a table."""
        return _table([row for _, t in sorted(self._listed().items()) for row in t._rows()])

    def refresh(self, *, quick: bool = False) -> None:
        """Ask the broker for the tools again."""
        self._toolsets = self._built(self._session.tools(quick=quick))

    def _listed(self, *, quick: bool = False) -> dict[str, Toolset]:
        if self._toolsets is None:
            self.refresh(quick=quick)
        return self._toolsets or {}

    def _built(self, listed: list[dict[str, Any]]) -> dict[str, Toolset]:
        found: dict[str, dict[str, Tool]] = {}
        for one in listed:
            # MC-06: a tool whose header annotations are invalid is dropped.
            if isinstance(one.get("name"), str) and (
                param_headers.declared(one.get("inputSchema")) is not None
            ):
                tool = Tool(one, self._session)
                found.setdefault(identifier(tool._toolset), {})[tool.__name__] = tool
        return {name: Toolset(name, tools, self._again(name)) for name, tools in found.items()}

    def _again(self, name: str) -> Callable[[], Toolset]:
        def again() -> Toolset:
            self.refresh()
            return self._listed().get(name) or Toolset(name, {}, again)

        return again


_catalogues: dict[Session, Catalogue] = {}


def catalogue(session: Session | None = None) -> Catalogue:
    """Return the catalogue of a session, or this process's. Raises `ValetError("no_server")`."""
    session = session or current()
    known = _catalogues.get(session)
    return known or _catalogues.setdefault(session, Catalogue(session))


def _hint(name: str, known: Iterable[str]) -> str:
    names_ = sorted(known)
    if close := difflib.get_close_matches(name, names_, n=3, cutoff=0.5):
        return f"Did you mean {' or '.join(close)}?"
    if not names_:
        return "There are no tools here yet."
    return f"There are {', '.join(names_[:12])}{' and more' if len(names_) > 12 else ''}."


def _prefix(name: str) -> str:
    head, mark, _ = name.partition("_" if "." not in name else ".")
    return head if mark else "tools"


def _rest(name: str) -> str:
    return name.partition("_" if "." not in name else ".")[2] or name


def _shown(signature: inspect.Signature) -> str:
    return str(signature).replace("typing.", "")


def _table(rows: list[tuple[str, str]]) -> str:
    body = "".join(
        f"<tr><td style='text-align:left'><code>{escape(one_line(call, 400))}</code></td>"
        f"<td style='text-align:left'>{escape(words)}</td></tr>"
        for call, words in rows
    )
    return f"<table><tbody>{body}</tbody></table>"
