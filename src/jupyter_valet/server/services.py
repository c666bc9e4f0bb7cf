"""The parts of the extension, made when the first of them is needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.serverapp import ServerApp

from ..wire import clients
from ..wire.control import StartParams
from ..wire.errors import ValetError
from . import hub, identity, process
from .demo_provider import DemoProvider
from .events import Events
from .kernels import Kernels
from .origin import Origins
from .pages.held import Held
from .pages.press import Press
from .supervisor import Plan, Supervisor

if TYPE_CHECKING:
    from .mcp.forwarding import Forwarding


@dataclass(frozen=True)
class Settings:
    """What the administrator configured; `app.py` says what each means."""

    state_dir: Path
    key_source: str
    public_origin: str
    providers: dict[str, Any]
    apis: dict[str, Any]
    mcp_servers: dict[str, Any]
    mcp_issuers: dict[str, Any]
    client_documents: bool
    demo: bool
    broker_command: Sequence[str]
    withheld_variables: Sequence[str]
    wanted_level: str
    egress_limits: dict[str, Any]


class Services:
    """What the provisioner and the pages work with."""

    def __init__(self, server: ServerApp, settings: Settings, log: process.Log) -> None:
        assert server.event_logger is not None
        self.settings = settings
        self._identity = server.identity_provider
        self._log = log
        self.origins = Origins(
            base_url=server.base_url,
            configured=settings.public_origin,
            fallback=lambda: server.connection_url,
            hub_url=hub.public_url(server.base_url, os.environ),
        )
        self._demo_provider = DemoProvider(settings.state_dir, log)
        plan = Plan(
            command=settings.broker_command or process.python_module("jupyter_valet.broker"),
            state_dir=settings.state_dir,
            params=self._start_params,
            inherits_socket=not settings.broker_command,
        )
        self.supervisor = Supervisor(plan, log, Events(server.event_logger, log).take)
        self._door = clients.mint(clients.DOOR_PREFIX)
        self.kernels = Kernels(server, self.supervisor, self.origins)
        self.presses: Held[Press] = Held(seconds=30)
        self.answers: Held[str] = Held(seconds=600)
        self.requests: Held[str] = Held(seconds=600)
        self.problems: Held[ValetError] = Held(seconds=600)
        self.unlocks: Held[bool] = Held(seconds=600)

    @cached_property
    def forwarding(self) -> Forwarding:
        """The way of outside clients to the broker; it is loaded with the first of them."""
        from .mcp.forwarding import Forwarding

        return Forwarding(self._door)

    async def stop(self) -> None:
        """End the broker and the demo provider."""
        if "forwarding" in self.__dict__:
            self.forwarding.close()
        await self.supervisor.stop()
        await self._demo_provider.stop()

    async def _start_params(self) -> StartParams:
        return StartParams(
            state_dir=str(self.settings.state_dir),
            origin=self.origins.guess(),
            key_source=self.settings.key_source,
            providers=dict(self.settings.providers),
            apis=dict(self.settings.apis),
            mcp_servers=dict(self.settings.mcp_servers),
            mcp_issuers=dict(self.settings.mcp_issuers),
            client_documents=self.settings.client_documents,
            person=identity.kernel_principal(self._identity, None, os.environ) or "",
            demo_issuer=await self._demo_issuer(),
            egress_limits=dict(self.settings.egress_limits),
            wanted_level=self.settings.wanted_level,
            door=clients.digest(self._door),
        )

    async def _demo_issuer(self) -> str:
        """Return the demo provider's issuer, or nothing: the broker does without."""
        if not self.settings.demo:
            return ""
        try:
            return await self._demo_provider.issuer()
        except (ValetError, OSError) as error:
            self._log.warning("%s", error)
            return ""
