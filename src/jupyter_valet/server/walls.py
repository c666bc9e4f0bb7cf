"""What the sandbox is told of this Jupyter server, and the kernels that it is told to wall in."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import site
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_core import paths
from jupyter_server.serverapp import ServerApp

from ..sandbox.backends import Backend, Bubblewrap, Channel, Landlock, Start, Unsuitable
from ..sandbox.backends.base import Session
from ..sandbox.policy import Mode, Opening, Policy, standard
from ..sandbox.wall import Wall
from ..sandbox.workspace import Workspace
from ..wire.errors import ValetError
from . import hub
from .process import Log
from .supervisor import Supervisor


@dataclass(frozen=True)
class Wanted:
    """What the person configured; `app.py` says what each means."""

    sandbox: str
    state_dir: Path
    openings: Sequence[str]
    closed_ports: Sequence[int] = ()


class Closed:
    """Stands for a wall that could not be planned: every kernel start says why, and fails."""

    name = "configured"
    shortcoming = ""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def check(self) -> None:
        """Raise `Unsuitable` with the reason."""
        raise Unsuitable(self._reason)

    def channel(self, workspace: Workspace) -> Channel:
        """Raise `Unsuitable` with the reason."""
        raise Unsuitable(self._reason)

    def start(
        self, command: Sequence[str], policy: Policy, workspace: Workspace, session: Session
    ) -> Start:
        """Raise `Unsuitable` with the reason."""
        raise Unsuitable(self._reason)

    def unwritable(self, policy: Policy) -> list[str]:
        """Return nothing: no kernel starts."""
        return []

    def close(self) -> None:
        """Nothing was opened."""


WITHOUT = (
    "Kernels run without a sandbox, as this server does: they can read its files and tokens. %s "
    "Start Jupyter on Linux 6.12 or newer, or see docs/sandbox.md; "
    "c.ValetExtension.sandbox = 'off' silences this."
)


def backend(choice: str) -> Backend:
    """Return the back end that `choice` means, also where it cannot work.

    `auto` means Landlock. A back end that was chosen by name is never replaced by another, nor by
    none: where it does not hold, kernels do not start, and say why.
    """
    return Bubblewrap() if choice == "bubblewrap" else Landlock()


def policy(server: ServerApp, state_dir: Path, openings: Sequence[str]) -> Policy:
    """Return what this server's kernels may reach. Raises `ValueError` for a bad opening."""
    data = Path(paths.jupyter_data_dir())
    project = Path(os.path.realpath(server.root_dir))
    planned = standard(
        home=Path.home(),
        project=project,
        hidden=[
            state_dir,
            data,
            paths.jupyter_config_dir(),
            paths.jupyter_runtime_dir(),
            *_from_environment("JUPYTER_CONFIG_PATH"),
            *hub.keys(os.environ),
        ],
        protected=[*_code_of_the_server(project), *_from_environment("JUPYTER_PATH")],
        openings=[Opening.parse(text) for text in openings],
    )
    kernelspecs = os.path.realpath(data / "kernels")
    return planned.with_modes({kernelspecs: Mode.READ, **_opened(planned)})


def session(
    server: ServerApp, closed: Iterable[int], broker_port: Callable[[], int]
) -> Callable[[], Session]:
    """Return what tells the wall, at each start of a kernel, which ports are whose.

    `closed` are those that the configuration names.
    """
    always = {server.port, *closed, *hub.ports(os.environ)}

    def now() -> Session:
        ports = always.union(_running_servers(Path(server.runtime_dir)))
        return Session(own_ports=frozenset(ports), broker_port=broker_port())

    return now


def build(server: ServerApp, wanted: Wanted, broker: Callable[[], Supervisor], log: Log) -> Wall:
    """Return the wall that is wanted around the kernels of `server`.

    Only `auto` may come to none, when the wall was seen not to hold before the first kernel; the
    log says so.
    """
    chosen = backend(wanted.sandbox)
    without = functools.partial(log.warning, WITHOUT) if wanted.sandbox == "auto" else None
    try:
        planned = policy(server, wanted.state_dir, wanted.openings)
    except ValueError as error:
        planned, chosen = Policy({}), Closed(f"c.ValetExtension.sandbox_open: {error}")
        without = None

    async def ready() -> None:
        if asyncio.get_running_loop() is not server.io_loop.asyncio_loop:  # type: ignore[attr-defined]
            return  # nbconvert's kernels have a loop of their own, and no capability
        with contextlib.suppress(ValetError, OSError):  # the kernel starts without a broker, too
            await broker().ensure()

    for folder in _forget_writable_imports(planned):
        log.warning("Modules are not imported from %s any more: kernels write there.", folder)
    ports = session(server, wanted.closed_ports, lambda: broker().port)
    return Wall(chosen, planned, ports, ready, without, functools.partial(log.warning, "%s"))


def _code_of_the_server(project: Path) -> Iterator[str]:
    """Yield the folders that this process imports from, or may; never the project itself."""
    yield from (sys.prefix, sys.base_prefix, site.getuserbase())
    yield str(Path(__file__).parents[2])
    for path in sys.path:
        if path and not project.is_relative_to(os.path.realpath(path)):
            yield path


def _forget_writable_imports(planned: Policy) -> list[str]:
    """Take folders in which kernels can put files off this process's path; return them.

    `python -m jupyter_server` puts the working directory there, which is mostly the project (R62).
    """
    forgotten = [path for path in sys.path if planned.mode(os.path.realpath(path)) is Mode.WRITE]
    sys.path[:] = [path for path in sys.path if path not in forgotten]
    return forgotten


def _from_environment(name: str) -> list[str]:
    return [path for path in os.environ.get(name, "").split(os.pathsep) if path]


def _opened(planned: Policy) -> dict[str, Mode]:
    """Return the person's openings once more: they win over everything."""
    return {
        os.path.realpath(opening.what): Mode(opening.kind)
        for opening in planned.openings
        if opening.kind in {"read", "write"}
    }


def _running_servers(runtime: Path) -> Iterator[int]:
    """Yield the ports of all Jupyter servers of this user: their tokens lie in files (R21)."""
    for file in runtime.glob("jpserver-*.json"):
        try:
            yield int(json.loads(file.read_text())["port"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
