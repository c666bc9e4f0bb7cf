"""The tools of all sources, as one caller sees them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ..kernels import Caller
from .source import Source, UnknownTool
from .tool import Tool

Listener = Callable[[Caller | None], None]
"""Told that the list has changed: for one caller, or for all (None)."""

Prepare = Callable[[Caller], Awaitable[None]]
"""Brings what is known of a caller's tools up to date, as far as that is quick."""


class Catalogue:
    """Asks its sources in order; of two tools of one name the earlier source's is the tool."""

    def __init__(self, *sources: Source) -> None:
        self._sources = list(sources)
        self._listeners: list[Listener] = []
        self._preparing: list[Prepare] = []
        self._joined: dict[tuple[int, ...], tuple[Sequence[Sequence[Tool]], Sequence[Tool]]] = {}

    def add(self, source: Source) -> None:
        """Ask `source`, too, after those there are."""
        self._sources.append(source)
        self.changed()

    def find(self, caller: Caller, name: str) -> tuple[Source, Tool]:
        """Return the tool of that name and where it comes from; raises `UnknownTool`."""
        for source in self._sources:
            tool = source.find(caller, name)
            if tool is not None:
                return source, tool
        raise UnknownTool(name)

    def listed(self, caller: Caller) -> Sequence[Tool]:
        """Return what `tools/list` shows; the same object until something changes."""
        return self._join([source.listed(caller) for source in self._sources])

    def everything(self, caller: Caller) -> Sequence[Tool]:
        """Return every tool the caller may find; the same object until something changes."""
        return self._join(self.parts(caller))

    def before_listing(self, prepare: Prepare) -> None:
        """Await `prepare` before a client is shown its list; it takes its time into account."""
        self._preparing.append(prepare)

    async def prepare(self, caller: Caller) -> None:
        """Let sources that learn of their tools from elsewhere do so."""
        for prepare in self._preparing:
            await prepare(caller)

    def whole(self, caller: Caller) -> Sequence[Tool]:
        """Return what is listed and all that is not; the same object until something changes."""
        return self._join([self.listed(caller), *self.parts(caller)])

    def parts(self, caller: Caller) -> list[Sequence[Tool]]:
        """Return what `everything` has, source by source; each the same object until it changes."""
        return [source.everything(caller) for source in self._sources]

    def hides(self, caller: Caller) -> bool:
        """Tell whether there are tools that `tools/list` does not show."""
        return any(
            len(source.everything(caller)) > len(source.listed(caller))
            for source in self._sources
            if source.everything(caller)
        )

    def on_change(self, listener: Listener) -> None:
        """Call `listener` whenever tools come or go."""
        self._listeners.append(listener)

    def changed(self, caller: Caller | None = None) -> None:
        """Say that tools came or went, for one caller or for all."""
        for listener in self._listeners:
            listener(caller)

    def _join(self, parts: list[Sequence[Tool]]) -> Sequence[Tool]:
        """Join the parts, and remember by their identity what came of it."""
        parts = [part for part in parts if part]
        if len(parts) == 1:
            return parts[0]
        key = tuple(map(id, parts))
        held = self._joined.get(key)
        if held is None:
            if len(self._joined) >= _REMEMBERED:
                self._joined.clear()
            # The parts are kept, too: an id is good only as long as its object lives.
            held = self._joined[key] = (parts, _first_of_each_name(parts))
        return held[1]


_REMEMBERED = 64


def _first_of_each_name(parts: Sequence[Sequence[Tool]]) -> tuple[Tool, ...]:
    named: dict[str, Tool] = {}
    for part in parts:
        for tool in part:
            named.setdefault(tool.name, tool)
    return tuple(named.values())
