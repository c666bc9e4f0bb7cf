"""Upstream servers as a source of tools, and what the rest of the broker asks about them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...wire.errors import ValetError
from ..catalogue import Call, Tool, ToolOutcome
from ..elicitation import Needs
from ..kernels import Caller
from ..policy.grant import Subject
from .calling import Visits
from .directory import Directory
from .listings import Listings
from .settings import Server
from .tools import UpstreamTool, offers

CONNECT = "connect"
"""The tool by which a server whose tools are not known yet is signed in to and read."""

FEW = 40
"""Tools of one server that `tools/list` shows; of a server with more, search finds them."""

READ_SECONDS = 3.0
"""How long somebody who asks for the list waits for servers of which nothing is known."""


_Part = tuple[Server, Sequence[UpstreamTool]]


@dataclass(frozen=True)
class ConnectTool:
    """Reads the list of a server, asking the person to sign in where that is needed."""

    server: Server

    @property
    def name(self) -> str:
        """The name in MCP."""
        return f"{self.server.name}_{CONNECT}"

    @property
    def toolset(self) -> str:
        """The name of its server."""
        return self.server.name

    @property
    def short_name(self) -> str:
        """Name inside the toolset."""
        return CONNECT

    @property
    def title(self) -> str:
        """What it does, for people."""
        return f"Connect to {self.server.title}"

    @property
    def description(self) -> str:
        """What it does, for a model."""
        return (
            f"Connects to {self.server.words} and returns the names of its tools. "
            "Call it once; the tools themselves are in the list afterwards."
        )

    @property
    def provider(self) -> str:
        """Name of the provider whose connection it needs."""
        return self.server.name

    @property
    def access(self) -> Literal["read"]:
        """It changes nothing at the server."""
        return "read"

    @property
    def destructive(self) -> bool:
        """It undoes nothing."""
        return False

    @property
    def idempotent(self) -> bool:
        """Calling it again reads again."""
        return True

    @property
    def input_schema(self) -> Mapping[str, Any]:
        """It takes nothing."""
        return {"type": "object", "properties": {}, "additionalProperties": False}

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise `ValetError` for any argument."""
        if arguments:
            raise ValetError("bad_arguments", tool=self.name, what="it takes no arguments")


class Upstreams:
    """The tools of all upstream servers. `on_change` is told for whom the list has changed."""

    def __init__(self, directory: Directory, listings: Listings, visits: Visits) -> None:
        self.directory = directory
        self._listings = listings
        self._visits = visits
        self.on_change: Callable[[Caller | None], None] = lambda caller: None
        self._reading: dict[tuple[Server, str], asyncio.Task[bool]] = {}
        self._joined: dict[tuple[Subject, bool], tuple[Sequence[_Part], Sequence[Tool]]] = {}

    # Look-ups --------------------------------------------------------------------------------

    def find(self, caller: Caller, name: str) -> Tool | None:
        """Return the tool of that name, if this caller may see it."""
        for server in self.directory.all(caller):
            if name.startswith(f"{server.name}_"):
                listing = self._listings.get(server, caller.principal)
                for tool in listing.tools:
                    if tool.name == name:
                        return tool
                if name == f"{server.name}_{CONNECT}":
                    return ConnectTool(server)
        return None

    def listed(self, caller: Caller) -> Sequence[Tool]:
        """Return the tools of small servers, and of others the one that connects."""
        return self._tools(caller, everything=False)

    def everything(self, caller: Caller) -> Sequence[Tool]:
        """Return every tool that is known."""
        return self._tools(caller, everything=True)

    def _tools(self, caller: Caller, *, everything: bool) -> Sequence[Tool]:
        subject = Subject.of(caller)
        parts = [
            (server, self._listings.get(server, caller.principal).tools)
            for server in self.directory.all(caller)
        ]
        held = self._joined.get((subject, everything))
        if held is None or held[0] != parts:
            tools: list[Tool] = []
            for server, known in parts:
                shown = known and (everything or len(known) <= FEW)
                tools += known if shown else [ConnectTool(server)]
            held = self._joined[subject, everything] = (parts, tuple(tools))
        return held[1]

    # Coming and going ------------------------------------------------------------------------

    def add(self, caller: Caller, name: str, url: str) -> None:
        """Add a server for the caller's notebook alone. Raises as `Directory.add` does."""
        self.directory.add(caller, name, url)
        self.on_change(caller)

    def remove(self, caller: Caller, name: str) -> bool:
        """Forget a server that the caller's notebook added; tell whether there was one."""
        removed = self.directory.remove(caller, name)
        self.on_change(caller)
        return removed

    # Running ---------------------------------------------------------------------------------

    async def run(self, call: Call) -> ToolOutcome:
        """Run a tool of a server; raises as `Visits.call` does."""
        if isinstance(call.tool, UpstreamTool):
            return await self._visits.call(call.tool.server, call.tool, call)
        assert isinstance(call.tool, ConnectTool)
        return await self._connect(call.caller, call.tool.server)

    async def _connect(self, caller: Caller, server: Server) -> ToolOutcome:
        await self.read(caller, server)
        listing = self._listings.get(server, caller.principal)
        tools = [{"name": tool.name, "title": tool.title} for tool in listing.tools]
        return ToolOutcome({"tools": tools, "left_out": dict(listing.left_out)})

    # Reading lists ---------------------------------------------------------------------------

    async def found(self, caller: Caller, name: str) -> None:
        """Find out about the server called `name`, if this caller may see one.

        Raises as `Directory.profile` does.
        """
        server = self.directory.get(caller, name)
        if server is not None:
            await self.directory.profile(server)

    async def read(self, caller: Caller, server: Server) -> None:
        """Read the list of `server` anew. Raises as `Visits.tools` does."""
        found, good_for = await self._visits.tools(caller, server)
        if self._listings.keep(server, caller.principal, offers(server.name, found), good_for):
            self.on_change(caller)

    async def refresh(self, caller: Caller) -> None:
        """Read the lists that are old, of servers that this caller is let in to; ask nobody.

        Who asks for a list waits for those alone of which nothing is known, and not for long; what
        comes later changes the list.
        """
        unknown = []
        for server in self.directory.all(caller):
            if self._listings.old(server, caller.principal):
                task = self._in_background(caller, server)
                if not self._listings.get(server, caller.principal).tools:
                    unknown.append(task)
        if unknown:
            await asyncio.wait(unknown, timeout=READ_SECONDS)

    def _in_background(self, caller: Caller, server: Server) -> asyncio.Task[bool]:
        key = (server, caller.principal)
        task = self._reading.get(key)
        if task is None:
            task = asyncio.create_task(self._read_quietly(caller, server))
            self._reading[key] = task
            task.add_done_callback(lambda _: self._reading.pop(key, None))
        return task

    async def _read_quietly(self, caller: Caller, server: Server) -> bool:
        try:
            await self.read(caller, server)
        except Needs:
            return False  # nobody asked for this server: it is read when somebody does
        except ValetError:
            self._listings.postpone(server, caller.principal)
            return False
        return True

    def outdated(self, server: Server, sharer: str) -> None:
        """Note that a server announced a change, in the session of `principal/kernel`."""
        principal, _, _ = sharer.rpartition("/")
        self._listings.outdated(server, principal)
        self.on_change(None)

    def ended(self, kernel_id: str, principal: str = "") -> None:
        """Let go of what is open for a kernel that stopped, or for a client of `principal`'s."""
        self._visits.ended(kernel_id, principal)

    async def close(self) -> None:
        """End what is under way."""
        for task in list(self._reading.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
