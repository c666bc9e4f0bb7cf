"""The extension application: configuration, and the wiring of the parts.

Nothing heavy happens before a kernel starts or a page is opened.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_core.paths import jupyter_data_dir
from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Dict, Enum, List, TraitError, Unicode, default, validate
from traitlets.utils.bunch import Bunch

from ..wire.control import StartParams
from ..wire.errors import ValetError
from . import environment, process
from .demo_provider import DemoProvider
from .events import Events
from .kernels import Kernels
from .origin import Origins, parse
from .pages.held import Held
from .pages.press import Press
from .pages.routing import HANDLERS, REST
from .provisioner import NAME as PROVISIONER
from .supervisor import Plan, Supervisor

_NEEDED = ("aiohttp", "authlib", "cryptography", "filelock", "httpx2", "keyring", "mcp", "uvicorn")
"""One sign each of the `server` extra; found without being imported."""


class ValetExtension(ExtensionApp):
    """jupyter-valet: tools with sign-in for notebooks and agents."""

    name = "valet"
    load_other_extensions = True

    state_dir = Unicode(
        help="Folder of the vault and the audit log. Default: `valet` in Jupyter's data folder."
    ).tag(config=True)
    key_source = Enum(
        ("auto", "keyring", "passphrase", "file"),
        default_value="auto",
        help="Where the vault's key comes from; see docs/vault.md.",
    ).tag(config=True)
    public_origin = Unicode(
        help="Scheme, host and port at which browsers reach this server, such as "
        "`https://hub.example`, when it cannot be learned from the browser."
    ).tag(config=True)
    providers = Dict(help="Provider profiles of your own, by name; see docs/providers.md.").tag(
        config=True
    )
    demo = Bool(False, help="Start the embedded demo provider.").tag(config=True)
    withheld_variables = List(
        Unicode(),
        default_value=list(environment.WITHHELD),
        help="Environment variables that kernels do not inherit from the server.",
    ).tag(config=True)
    broker_command = List(
        Unicode(),
        help="Command that runs the broker, to run it as another user for example (level L3). It "
        "must speak the control channel on its standard streams; a command other than the default "
        "binds its own port.",
    ).tag(config=True)

    active = False
    """Whether everything that is needed is installed."""

    @default("state_dir")
    def _default_state_dir(self) -> str:
        return str(Path(jupyter_data_dir()) / "valet")

    @validate("public_origin")
    def _validate_public_origin(self, proposal: Bunch) -> str:
        value = str(proposal["value"])
        if value and parse(value) is None:
            raise TraitError("public_origin must look like https://hub.example or http://host:8888")
        return value

    def initialize_settings(self) -> None:
        """Build the parts; start nothing."""
        missing = [name for name in _NEEDED if find_spec(name) is None]
        if missing:
            self.log.warning(
                "jupyter-valet is inactive, %s is missing: pip install 'jupyter-valet[server]'",
                ", ".join(missing),
            )
            return
        self._build()
        self._take_over_kernels()
        self.active = True

    def initialize_handlers(self) -> None:
        """Register the pages, if active."""
        if self.active:
            self.handlers.extend([*HANDLERS, REST])

    async def stop_extension(self) -> None:
        """End the broker and the demo provider with the server."""
        if self.active:
            await self.supervisor.stop()
            await self.demo_provider.stop()

    def _build(self) -> None:
        server = self.serverapp
        assert server is not None
        state_dir = Path(self.state_dir).expanduser().absolute()
        self.origins = Origins(
            base_url=server.base_url,
            configured=self.public_origin,
            fallback=lambda: server.connection_url,
            environ=os.environ,
        )
        self.demo_provider = DemoProvider(state_dir, self.log)
        self.plan = Plan(
            command=self.broker_command or process.python_module("jupyter_valet.broker"),
            state_dir=state_dir,
            params=self._start_params,
            inherits_socket=not self.broker_command,
        )
        assert server.event_logger is not None
        events = Events(server.event_logger, self.log)
        self.supervisor = Supervisor(self.plan, self.log, events.take)
        self.kernels = Kernels(server, self.supervisor, self.origins)
        self.presses: Held[Press] = Held(seconds=30)
        self.answers: Held[str] = Held(seconds=600)
        self.problems: Held[ValetError] = Held(seconds=600)
        self.unlocks: Held[bool] = Held(seconds=600)

    async def _start_params(self) -> StartParams:
        demo_issuer = ""
        if self.demo:
            try:
                demo_issuer = await self.demo_provider.issuer()
            except ValetError as error:
                self.log.warning("%s", error)
        return StartParams(
            state_dir=str(self.plan.state_dir),
            origin=self.origins.guess(),
            key_source=self.key_source,
            providers=dict(self.providers),
            demo_issuer=demo_issuer,
        )

    def _take_over_kernels(self) -> None:
        """Become the default provisioner, unless somebody chose another (jupyter.md §5).

        Through the configuration that the factory reads when it is made: to make it now would read
        every installed package's entry points while the server starts.
        """
        server = self.serverapp
        assert server is not None
        if KernelProvisionerFactory.initialized():
            factory = KernelProvisionerFactory.instance()
            if factory.default_provisioner_name == "local-provisioner":
                factory.default_provisioner_name = PROVISIONER
            return
        if os.environ.get(KernelProvisionerFactory.default_provisioner_name_env):
            return
        config = server.config.KernelProvisionerFactory
        if "default_provisioner_name" not in config:
            config.default_provisioner_name = PROVISIONER
