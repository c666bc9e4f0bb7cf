"""How a server is reached: over HTTP by the vetted egress, or as a program that the broker runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal

from ...wire.errors import ValetError
from ..catalogue import Call
from ..egress import Request
from ..egress.dial import Destination, Pools
from ..egress.inject import Watches, as_variable
from ..policy.access import Use
from ..secret import Secret
from .facts import NOWHERE
from .program import Programs
from .session import Entered, Session, over_http
from .settings import Server
from .tools import UpstreamTool
from .transport import UpstreamTransport, Way
from .troubles import Troubles

OnChange = Callable[[Server, str], None]
"""Told that a server says that its list has changed, and for whom (`principal/kernel`)."""


class Reach:
    """Opens sessions, and says in the egress's terms what a call would send."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._pools = Pools(None)
        self._watches = Watches()
        self.on_change: OnChange = lambda server, sharer: None

    async def session(self, way: Way) -> Session:
        """Begin a session for one caller at one server.

        Raises what the way's credential raises, and `ValetError` for a program that keeps ending.
        """
        troubles = Troubles()
        entered = await self._entered(way, troubles)
        return Session(
            way.server.words,
            entered,
            troubles,
            on_tools_changed=lambda: self.on_change(way.server, way.principal),
            gone=lambda: self._gone(way.server),
        )

    def _gone(self, server: Server) -> ValetError:
        if server.command:
            return self._programs.failed(server)
        return ValetError("provider_unreachable", provider=server.words)

    async def _entered(self, way: Way, troubles: Troubles) -> Entered:
        server = way.server
        if server.url:
            transport = UpstreamTransport(way, self._pools, self._watches, troubles)
            return over_http(server.url, transport)
        if way.credential is None:
            return self._programs.entered(server, {}, None, troubles)
        key: Secret = await way.credential(None)
        reflection = self._watches.of(Destination(way.principal, NOWHERE, loopback=False), key)
        return self._programs.entered(
            server, as_variable(server.key_env, key), reflection, troubles
        )

    def use(self, server: Server, tool: UpstreamTool, call: Call) -> Use:
        """Return what a call does with the connection, for policy and its preview."""
        body = json.dumps({"name": tool.offer.upstream, "arguments": dict(call.arguments)})
        asker = f"The tool {tool.toolset}.{tool.short_name}"
        # Nothing that was approved of the first goes for what it became.
        name = f"{tool.name}@{tool.offer.digest}" if tool.changed else tool.name
        return Use(name, asker, _request(server, body), tool.access)

    def listing(self, server: Server) -> Use:
        """Return what reading the list of tools does with the connection."""
        name = f"{server.name}_connect"
        return Use(name, f"The list of tools of {server.words}", _request(server), _READ)

    async def close(self) -> None:
        """Close the connections."""
        await self._pools.close()


_READ: Literal["read"] = "read"


def _request(server: Server, body: str = "") -> Request:
    origin, target = (server.origin, server.target) if server.url else (NOWHERE, "/")
    headers = {"Content-Type": "application/json"}
    return Request("POST", origin, target, headers, body.encode())
