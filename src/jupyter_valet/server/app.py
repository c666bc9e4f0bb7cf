"""The extension application: configuration, and the way to everything else.

It is imported while the server starts, so it imports next to nothing and starts nothing before a
kernel starts or a page is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_core.paths import jupyter_data_dir
from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Dict, Enum, Int, List, TraitError, Unicode, default, validate
from traitlets.utils.bunch import Bunch

from .door import Door
from .environment import WITHHELD

if TYPE_CHECKING:
    from ..sandbox.wall import Wall
    from .services import Services

PROVISIONER = "jupyter-valet-provisioner"
"""The entry point of `provisioner.py` in the group `jupyter_client.kernel_provisioners`."""

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
    apis = Dict(
        help="APIs whose operations are tools, by name, such as `{'survey': {'file': "
        "'~/survey/openapi.json'}}`; see docs/tools.md."
    ).tag(config=True)
    mcp_servers = Dict(
        help="MCP servers whose tools stand beside the others, by name, such as "
        "`{'linear': {'url': 'https://mcp.linear.app/mcp'}}`; see docs/upstream.md."
    ).tag(config=True)
    mcp_issuers = Dict(
        help="Authorization servers whose access tokens open the MCP endpoint to programs outside "
        "of the notebooks, by issuer; see docs/mcp-authorization.md."
    ).tag(config=True)
    client_documents = Bool(
        True,
        help="Whether programs that sign in with Jupyter may be known by a document of theirs, "
        "which the server fetches over the internet. Without it they register themselves. See "
        "docs/sign-in-with-jupyter.md.",
    ).tag(config=True)
    egress_limits = Dict(
        help="What requests that a notebook writes itself may take: bytes, seconds, and how many "
        "at a time; see docs/clients.md."
    ).tag(config=True)
    demo = Bool(False, help="Start the embedded demo provider.").tag(config=True)
    withheld_variables = List(
        Unicode(),
        default_value=list(WITHHELD),
        help="Environment variables that kernels do not inherit from the server.",
    ).tag(config=True)
    broker_command = List(
        Unicode(),
        help="Command that runs the broker, to run it as another user for example (level L3). It "
        "must speak the control channel on its standard streams; a command other than the default "
        "binds its own port.",
    ).tag(config=True)

    sandbox = Enum(
        ("auto", "landlock", "bubblewrap", "off"),
        default_value="auto",
        help="How kernels are walled in: `auto` (Landlock, and no wall where that cannot hold), "
        "`landlock`, `bubblewrap` (no network), or `off`. See docs/sandbox.md.",
    ).tag(config=True)
    sandbox_open = List(
        Unicode(),
        help="What sandboxed kernels may reach beyond the rest: `read:PATH`, `write:PATH`, "
        "`listen:PORT`, `connect:PORT`, `env:NAME`.",
    ).tag(config=True)

    sandbox_closed_ports = List(
        Int(min=1, max=65535),
        help="TCP ports that sandboxed kernels connect to on no machine, besides those of Jupyter "
        "servers and of the JupyterHub that this one belongs to.",
    ).tag(config=True)

    wanted_level = Enum(
        ("L0", "L1", "L2", "L2+", "L3"),
        help="The isolation level that you count on: a grant to a kernel below it needs a ticked "
        "box besides. Default: L2, or L0 where `sandbox` is `off`. See docs/grants.md.",
    ).tag(config=True)

    hub_tokens_in_pages = Bool(
        False,
        help="Leave JupyterHub's tokens in the pages of this server, for a front end that does not "
        "work with the login cookie; scripts of notebooks read them. See docs/jupyterhub.md.",
    ).tag(config=True)

    locked_settings = List(
        Unicode(),
        help="Plugins of JupyterLab whose settings cannot be written over this server, such as "
        "`@jupyterlab/apputils-extension:sanitizer`; see docs/lockdown.md.",
    ).tag(config=True)

    active = False
    """Whether everything that is needed is installed."""
    wall: Wall | None = None
    """What every kernel of this server is behind; built with the first."""
    _open_gate: Callable[[], None] | None = None

    @default("state_dir")
    def _default_state_dir(self) -> str:
        return str(Path(jupyter_data_dir()) / "valet")

    @default("wanted_level")
    def _default_wanted_level(self) -> str:
        # Who turned the wall off has chosen; without a wall that was wanted, each grant is one.
        return "L0" if self.sandbox == "off" else "L2"

    @validate("public_origin")
    def _validate_public_origin(self, proposal: Bunch) -> str:
        from .origin import parse

        value = str(proposal["value"])
        if value and parse(value) is None:
            raise TraitError("public_origin must look like https://hub.example or http://host:8888")
        return value

    @cached_property
    def services(self) -> Services:
        """The parts, made when first asked for."""
        from .services import Services, Settings

        assert self.serverapp is not None
        settings = Settings(
            state_dir=Path(self.state_dir).expanduser().absolute(),
            key_source=self.key_source,
            public_origin=self.public_origin,
            providers=self.providers,
            apis=self.apis,
            mcp_servers=self.mcp_servers,
            mcp_issuers=self.mcp_issuers,
            client_documents=self.client_documents,
            demo=self.demo,
            broker_command=self.broker_command,
            withheld_variables=self.withheld_variables,
            wanted_level=self.wanted_level,
            egress_limits=self.egress_limits,
        )
        return Services(self.serverapp, settings, self.log)

    def initialize_settings(self) -> None:
        """Become active, if everything is there."""
        missing = [name for name in _NEEDED if find_spec(name) is None]
        if missing:
            self.log.warning(
                "jupyter-valet is inactive, %s is missing: pip install 'jupyter-valet[server]'",
                ", ".join(missing),
            )
            return
        self.active = True
        self._take_over_kernels()
        self._follow_notebooks()
        if not self.hub_tokens_in_pages:
            self._withhold_hub_tokens()
        if self.sandbox != "off":
            self._raise_wall()

    def initialize_handlers(self) -> None:
        """Open the door to the pages, if active."""
        server = self.serverapp
        assert server is not None
        if self.active:
            door = Door(server.web_app, server.base_url, self.name)
            server.web_app.add_handlers(".*$", door.rules())  # type: ignore[no-untyped-call]
        if self.locked_settings:
            from .locked_settings import LockedSettings

            locked = LockedSettings(server.web_app, self.locked_settings)
            server.web_app.add_handlers(".*$", [locked.rule()])  # type: ignore[no-untyped-call]

    async def stop_extension(self) -> None:
        """End the broker and the demo provider with the server."""
        if "services" in self.__dict__:
            await self.services.stop()
        if self._open_gate is not None:
            self._open_gate()
        if self.wall is not None:
            self.wall.close()

    def _withhold_hub_tokens(self) -> None:
        """Keep the tokens that the Hub gave this server out of its pages, if a Hub runs it."""
        from . import hub

        assert self.serverapp is not None
        if hub.runs(self.serverapp.base_url, os.environ):
            from .hub_tokens import keep_out_of_pages

            keep_out_of_pages(self.serverapp)

    def _follow_notebooks(self) -> None:
        """Let grants follow the notebooks that are renamed, and end with those deleted."""
        from .notebooks import Notebooks

        assert self.serverapp is not None
        vault = Path(self.state_dir).expanduser() / "vault.db"
        Notebooks(self.serverapp, lambda: self.services.supervisor, vault, self.log).follow()

    def _raise_wall(self) -> None:
        """Put every kernel of this server behind the wall that is configured (D4)."""
        from ..sandbox import gate

        self._open_gate = gate.enforce(self._build_wall)

    def _build_wall(self) -> Wall:
        from . import walls

        assert self.serverapp is not None
        self.wall = walls.build(
            self.serverapp,
            walls.Wanted(
                self.sandbox,
                Path(self.state_dir).expanduser(),
                self.sandbox_open,
                self.sandbox_closed_ports,
            ),
            broker=lambda: self.services.supervisor,
            log=self.log,
        )
        return self.wall

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
