"""The front door: one wall per Jupyter server, behind which it starts all its kernels."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from . import carve, command, environment
from .backends import Backend, Channel, Start
from .backends.base import Session
from .policy import Policy
from .workspace import Workspace, Workspaces, merged

SETTING = "c.ValetExtension.sandbox_open"
_HINT = "JUPYTER_VALET_SANDBOX"


@dataclass
class Tenant:
    """A kernel's place behind the wall, from its first start to its end."""

    workspace: Workspace
    channel: Channel
    start: Start | None = None


class Wall:
    """Starts kernels behind a back end's walls, by one policy."""

    def __init__(
        self, backend: Backend, policy: Policy, session: Callable[[], Session] = Session
    ) -> None:
        """Raises `Unsuitable` when the back end cannot do it: there is no other to fall back to."""
        backend.check()
        self.backend = backend
        self.policy = policy
        self._session = session
        self._workspaces = Workspaces()

    def admit(self) -> Tenant:
        """Make room for a new kernel. Raises `OSError`."""
        workspace = self._workspaces.make()
        return Tenant(workspace, self.backend.channel(workspace))

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
        policy = self.policy.with_modes({})
        tenant.start = self.backend.start(words, policy, tenant.workspace, session)
        return tenant.start.command

    def environment(
        self, tenant: Tenant, environ: Mapping[str, str], own: Sequence[str] = ()
    ) -> dict[str, str]:
        """Return what a kernel gets of `environ`; `own` are the names its kernelspec sets."""
        hint = {"words": self.words, "setting": SETTING}
        return merged(
            environment.for_kernel(environ, own=own, opened=self.policy.variables),
            tenant.workspace.variables(),
            {_HINT: json.dumps(hint)},
        )

    def release(self, tenant: Tenant) -> None:
        """Remove what belonged to a kernel that will not start again."""
        tenant.workspace.remove()

    def close(self) -> None:
        """Remove everything; the server ends."""
        self._workspaces.close()
        self.backend.close()

    @property
    def words(self) -> str:
        """What a person reads at a refused access."""
        return f"This kernel runs behind jupyter-valet's wall ({self.backend.name})."

    def warnings(self) -> list[str]:
        """Return what a person should know about this wall before using it."""
        if self.backend.name != "landlock":
            return []
        return [
            f"Kernels can change files below {path}, but make no new ones directly in it: it holds "
            "something that must stay closed. Start Jupyter in a folder of its own, or see "
            "docs/sandbox.md."
            for path in carve.ancestors_of_exceptions(self.policy)
            if os.path.isdir(path)  # noqa: PTH112
        ]
