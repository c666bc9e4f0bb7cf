"""The default kernel provisioner: a local kernel that knows where the broker is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from ..wire.errors import ValetError
from . import environment

if TYPE_CHECKING:
    from .services import Services


class ValetProvisioner(LocalProvisioner):
    """Starts the broker before the kernel (D2), and gives every start its own capability.

    A kernel starts also when the broker cannot; it then says what to do when a tool is called.
    """

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Add the capability to the environment and withhold the server's own tokens (R53)."""
        kwargs = await super().pre_launch(**kwargs)
        valet = services_of(self.parent)
        withheld = environment.WITHHELD if valet is None else valet.settings.withheld_variables
        env = environment.for_kernel(kwargs["env"], withheld)
        if valet is not None:
            try:
                env.update(await valet.kernels.introduce(self.kernel_id, env, self.parent))
            except (ValetError, OSError) as error:
                self.log.warning(
                    "Kernel %s starts without jupyter-valet: %s", self.kernel_id, error
                )
        kwargs["env"] = env
        return kwargs

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the process, and tell the broker which it is: the capability is for it alone."""
        connection = await super().launch_kernel(cmd, **kwargs)
        if (valet := services_of(self.parent)) is not None:
            try:
                await valet.kernels.started(self.kernel_id, self.pid)
            except (ValetError, OSError) as error:
                self.log.warning("Kernel %s cannot use jupyter-valet: %s", self.kernel_id, error)
        return connection

    async def cleanup(self, restart: bool = False) -> None:
        """Take the capability back: at a restart, too, since the process that held it is gone."""
        await super().cleanup(restart)
        if (valet := services_of(self.parent)) is not None:
            await valet.kernels.forget(self.kernel_id, restart=restart)


def services_of(node: Any) -> Services | None:
    """Return the active extension's services of the server that a kernel manager belongs to.

    A kernel manager's parent is the multi-kernel manager, whose parent is the server; outside a
    Jupyter server (nbclient, a console) there is none.
    """
    while node is not None:
        web_app = getattr(node, "web_app", None)
        if web_app is not None:
            valet = web_app.settings.get("valet")
            return cast("Services", valet.services) if getattr(valet, "active", False) else None
        node = getattr(node, "parent", None)
    return None
