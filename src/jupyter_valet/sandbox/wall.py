"""The front door: one wall per Jupyter server, behind which it starts all its kernels."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import command, environment, level
from .backends import Backend, Channel, Start, Unsuitable
from .backends.base import Session
from .backends.bubblewrap import RELAY_SOCKET
from .door import open_door
from .inside.ipython_shell import HINT  # and so it is compiled, if only this server may write it
from .policy import Policy
from .ports import free_address
from .probe import Report, probe
from .workspace import Workspace, Workspaces, merged

SETTING = "c.ValetExtension.sandbox_open"


class NoWall(Exception):
    """Why no kernel can be started behind this wall; the text is for the person."""


@dataclass
class Tenant:
    """A kernel's place behind the wall, from its first start to its end."""

    workspace: Workspace
    channel: Channel
    start: Start | None = None
    door: asyncio.Server | None = None
    address: str = ""
    """Where the door's connections to the broker come from."""


async def _nothing() -> None:
    return


def _nobody(warning: str) -> None:
    return


class Wall:
    """Starts kernels behind a back end's walls, by one policy, once it has seen that they hold."""

    def __init__(
        self,
        backend: Backend,
        policy: Policy,
        session: Callable[[], Session] = Session,
        ready: Callable[[], Awaitable[None]] = _nothing,
        without: Callable[[str], None] | None = None,
        warn: Callable[[str], None] = _nobody,
    ) -> None:
        """`ready` is awaited before `session` is asked for: the broker's port must be known.

        `without` is for a person who takes a wall where there is one: it is told once why there is
        none here, and kernels start without. Otherwise they do not start. `warn` is told once what
        a person should know about a wall that holds.
        """
        self.backend = backend
        self.given_up = ""
        """Why kernels start without a wall; empty while there is one, or must be."""
        self.policy = policy
        self.report: Report | None = None
        self._session = session
        self._ready = ready
        self._without = without
        self._warn = warn
        self._workspaces: Workspaces | None = None
        self._proving = threading.Lock()

    def prove(self) -> Report:
        """Attack the wall, once, and return what was seen; takes about a second the first time.

        Raises `NoWall` when it does not hold: there is no other to fall back to.
        """
        with self._proving:
            if self.report is None:
                try:
                    self.report = probe(self.backend, self.policy)
                except (Unsuitable, OSError) as error:
                    raise NoWall(
                        f"The {self.backend.name} sandbox cannot be used: {error}"
                    ) from None
        if not self.report.holds:
            raise NoWall(level.level(self.report)[1])
        return self.report

    def level(self) -> tuple[str, str]:
        """Return the level that the wall gives, as far as it has been seen, and what it means."""
        return level.level(self.report, ports=sorted(self.policy.listen))

    async def admit(self) -> Tenant | None:
        """Make room for a new kernel; None when kernels start without a wall. Raises `NoWall`.

        What is decided with the first kernel stays: a kernel must not be able to take the wall away
        from the next by filling a disk, so having no room is never a reason to give up.
        """
        try:
            if not self.given_up:
                await asyncio.to_thread(self.prove)
        except NoWall as error:
            if self._without is None:
                raise
            self.given_up = str(error)
            self._without(self.given_up)
        if self.given_up:
            return None
        if self._workspaces is None:
            self._workspaces = Workspaces()
            for warning in self.warnings():
                self._warn(warning)
        try:
            workspace = self._workspaces.make()
            return Tenant(workspace, self.backend.channel(workspace))
        except OSError as error:
            raise NoWall(f"There is no room for a sandboxed kernel: {error}") from None

    async def open(self, tenant: Tenant) -> None:
        """Make sure that a kernel without a network will find the broker."""
        await self._ready()
        if self.backend.name == "bubblewrap" and tenant.door is None:
            path = tenant.workspace.run / RELAY_SOCKET
            tenant.address = free_address()
            tenant.door = await open_door(path, lambda: self._session().broker_port, tenant.address)

    def start(
        self, tenant: Tenant, argv: Sequence[str], connection_file: str, working_directory: str
    ) -> list[str]:
        """Return the command that starts a kernel behind the wall.

        The connection file must have been written: the kernel gets a copy.
        """
        copy = tenant.workspace.connection_file(connection_file)
        words = [word.replace(connection_file, copy) for word in command.safe(argv)]
        session = replace(
            self._session(), working_directory=working_directory, channel=tenant.channel
        )
        if tenant.start is not None:
            tenant.start.close()
        tenant.start = self.backend.start(words, self.policy, tenant.workspace, session)
        return tenant.start.command

    def environment(
        self, tenant: Tenant, environ: Mapping[str, str], own: Sequence[str] = ()
    ) -> dict[str, str]:
        """Return what a kernel gets of `environ`; `own` are the names its kernelspec sets."""
        hint = {"words": self.words, "setting": SETTING, "sealed": self.sealed}
        return merged(
            environment.for_kernel(environ, own=own, opened=self.policy.variables),
            tenant.workspace.variables(),
            {HINT: json.dumps(hint)},
        )

    async def release(self, tenant: Tenant) -> None:
        """Remove what belonged to a kernel that will not start again."""
        if tenant.door is not None:
            tenant.door.close()
        if tenant.start is not None:
            tenant.start.close()
        await asyncio.to_thread(tenant.workspace.remove)

    def close(self) -> None:
        """Remove everything; the server ends."""
        if self._workspaces is not None:
            self._workspaces.close()
        self.backend.close()

    @property
    def words(self) -> str:
        """What a person reads at a refused access."""
        return f"This kernel runs behind jupyter-valet's wall ({self.backend.name})."

    @functools.cached_property
    def sealed(self) -> list[str]:
        """The writable folders in which kernels can make nothing new; known once it is proved."""
        return [path for path in self.backend.unwritable(self.policy) if Path(path).is_dir()]

    def warnings(self) -> list[str]:
        """Return what a person should know about this wall before using it."""
        sealed = [
            f"Kernels can change files below {path}, but make no new ones directly in it: it holds "
            "something that must stay closed. Start Jupyter in a folder of its own, or see "
            "docs/sandbox.md."
            for path in self.sealed
        ]
        return [*filter(None, [self.backend.shortcoming]), *sealed]
