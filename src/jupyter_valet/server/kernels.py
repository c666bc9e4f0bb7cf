"""What the broker is told about each kernel, in the server's words, and what the kernel gets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_server.base.call_context import CallContext
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import ensure_async

from ..sandbox.kernel_manager import Walled
from ..wire import capability
from ..wire import env as valet_env
from ..wire.errors import ValetError
from ..wire.processes import Peer, peer
from . import identity, isolation, notebooks
from .origin import Origins
from .supervisor import Supervisor

_SESSION = "JPY_SESSION_NAME"


class Kernels:
    """Mints a capability for every start of a kernel, and takes it back when the kernel ends."""

    def __init__(self, serverapp: ServerApp, supervisor: Supervisor, origins: Origins) -> None:
        self._serverapp = serverapp
        self._supervisor = supervisor
        self._origins = origins
        self._principals: dict[str, str] = {}
        self._seen_at: dict[str, str] = {}

    async def introduce(
        self, kernel_id: str, environ: Mapping[str, str], manager: Any = None
    ) -> dict[str, str]:
        """Register a new capability; return the variables by which the kernel finds the broker.

        `manager` is the kernel's, about to start it: it knows the wall.
        A restarted kernel keeps its person, whoever pressed the button. Raises `ValetError`.
        """
        handler = CallContext.get(CallContext.JUPYTER_HANDLER)
        principal = self._principals.get(kernel_id) or self._principal(handler)
        if principal is None:
            raise ValetError("bad_request", what="nobody is known for whom this kernel runs")
        token = capability.mint()
        facts = {
            "digest": capability.digest(token),
            "kernel_id": kernel_id,
            "principal": principal,
            "notebook": await self._notebook(kernel_id, environ),
            "root": notebooks.root_of(self._serverapp),
            "origin": self._origin(kernel_id, handler),
            "isolation": isolation.around(self._serverapp, manager).to_json(),
            "peer": _who_will_ask(manager).to_json(),
        }
        await self._supervisor.register(kernel_id, facts)
        self._principals[kernel_id] = principal
        return {valet_env.URL: self._supervisor.url, valet_env.CAPABILITY: token}

    async def started(self, kernel_id: str, pid: int | None) -> None:
        """Tie the kernel's capability to the process that has just been started (R59)."""
        await self._supervisor.bind(kernel_id, peer(pid or 0).to_json())

    async def forget(self, kernel_id: str, *, restart: bool) -> None:
        """Take the capability back: the process that held it has ended."""
        await self._supervisor.revoke(kernel_id)
        if not restart:
            self._principals.pop(kernel_id, None)
            self._seen_at.pop(kernel_id, None)

    def _principal(self, handler: Any) -> str | None:
        user = getattr(handler, "current_user", None)
        provider = self._serverapp.identity_provider
        return identity.kernel_principal(provider, user, os.environ)

    def _origin(self, kernel_id: str, handler: Any) -> str:
        if handler is not None:
            request = handler.request
            self._seen_at[kernel_id] = self._origins.for_kernel(
                request.headers, request.protocol, request.host
            )
        return self._seen_at.get(kernel_id) or self._origins.guess()

    async def _notebook(self, kernel_id: str, environ: Mapping[str, str]) -> str:
        """Return the notebook's path as the session manager knows it, else as it was at the start.

        The session is stored after its kernel has started, so it is there for a restart only.
        """
        sessions = self._serverapp.session_manager
        try:
            session = await ensure_async(sessions.get_session(kernel_id=kernel_id))
            return str(session["path"]).strip("/")
        except Exception:  # any session manager's way of saying that there is none
            return self._from_environment(environ)

    def _from_environment(self, environ: Mapping[str, str]) -> str:
        told = environ.get(_SESSION, "")
        if not told or told == os.environ.get(_SESSION):
            return ""
        root, path = Path(self._serverapp.root_dir).absolute(), Path(told)
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
        # Whole, with its slash: by its name alone it would be taken for one in the folder.
        return path.as_posix()


def _who_will_ask(manager: Any) -> Peer:
    """Return who will show a kernel's capability: this server's door for it, or its own process.

    The process is told when it has been started.
    """
    door = manager.door if isinstance(manager, Walled) else ""
    return peer(os.getpid(), door) if door else Peer(awaited=True)
