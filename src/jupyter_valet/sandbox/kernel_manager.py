"""A kernel manager whose kernel goes behind the wall, whatever its kernelspec says.

Three hooks of `jupyter_client.KernelManager`: before the start (how server and kernel talk), the
command (`format_kernel_cmd`, which holds for every kernelspec and provisioner that starts a
process here; `allowed_kernelspecs` does not, R57), and the launch, which refuses a command that did
not come through the second, however that happened.
"""

from __future__ import annotations

import os
from typing import Any

from jupyter_client import localinterfaces
from jupyter_client.manager import KernelManager
from tornado.web import HTTPError

from .wall import NoWall, Tenant, Wall


class Refused(HTTPError):
    """A kernel that would not be behind the wall; it was not started. Jupyter shows the text."""

    def __init__(self, text: str) -> None:
        super().__init__(503, text.replace("%", "%%"))


class Walled(KernelManager):
    """Mixed in before the server's own class of kernel manager; see `walled`."""

    wall: Wall
    _tenant: Tenant | None = None

    @property
    def behind(self) -> bool:
        """Whether the command that starts this kernel is the wall's."""
        return self._tenant is not None and self._tenant.start is not None

    @property
    def door(self) -> str:
        """Where this kernel's connections to the broker come from, if it has no network."""
        return "" if self._tenant is None else self._tenant.address

    async def enter(self) -> None:
        """Take a place behind the wall, before anything of the start is decided.

        There is none where the person accepts that (`Wall.given_up`). Raises `Refused`.
        """
        try:
            if self._tenant is None:
                self._tenant = await self.wall.admit()
        except NoWall as error:
            raise Refused(f"The kernel was not started. {error}") from None
        if self._tenant is None:
            return
        await self.wall.open(self._tenant)
        self._use_channel(self._tenant)

    async def _async_pre_start_kernel(self, **kw: Any) -> Any:
        await self.enter()
        return await super()._async_pre_start_kernel(**kw)

    def _use_channel(self, tenant: Tenant) -> None:
        channel = tenant.channel
        self.transport, self.ip = channel.transport, channel.address
        if not channel.ports:
            return
        self.cache_ports = False
        names = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
        for name, port in zip(names, channel.ports, strict=True):
            setattr(self, name, port)
        known = localinterfaces.local_ips()
        if channel.address not in known:  # LocalProvisioner starts kernels on local addresses only
            known.append(channel.address)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """Return the kernelspec's command, inside the launcher's."""
        command = super().format_kernel_cmd(extra_arguments)
        if self.wall.given_up:
            return command
        if self._tenant is None:
            raise Refused("a kernel's command was asked for before its start")
        launch = self._launch_args or {}
        where = str(launch.get("cwd") or os.getcwd())  # noqa: PTH109
        file = os.path.realpath(self.connection_file)
        return self.wall.start(self._tenant, command, file, where)

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        tenant = self._tenant
        if self.wall.given_up:
            await super()._async_launch_kernel(kernel_cmd, **kw)
            return
        if tenant is None or tenant.start is None or list(kernel_cmd) != tenant.start.command:
            raise Refused(
                f"The kernel {self.kernel_name!r} was not started: its provisioner does not start "
                "it through KernelManager.format_kernel_cmd, so it would be outside the sandbox. "
                "Use another kernel, or see docs/sandbox.md."
            )
        own = list(self.kernel_spec.env) if self.kernel_spec is not None else []
        kw["env"] = self.wall.environment(tenant, kw.get("env") or os.environ, own)
        kw["pass_fds"] = (*kw.get("pass_fds", ()), *tenant.start.descriptors)
        try:
            await super()._async_launch_kernel(kernel_cmd, **kw)
        finally:
            tenant.start.close()

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        await super()._async_cleanup_resources(restart=restart)
        if not restart and self._tenant is not None:
            tenant, self._tenant = self._tenant, None
            await self.wall.release(tenant)


def walled(base: type[KernelManager], wall: Wall) -> type[KernelManager]:
    """Return `base` with all its kernels behind `wall`."""
    if issubclass(base, Walled):
        return base
    return type(f"Walled{base.__name__}", (Walled, base), {"wall": wall})
