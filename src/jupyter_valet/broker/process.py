"""The broker process: control channel, listener, and services once the vault is open."""

from __future__ import annotations

import contextlib
import gc
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import anyio
import anyio.to_thread
import uvicorn

from .._version import __version__
from ..wire import authorization
from ..wire import control as wire
from ..wire.errors import ValetError
from ..wire.isolation import Isolation
from ..wire.processes import Peer
from ..wire.routes import PAGE_UNLOCK
from ..wire.views import StatusView
from .control import Control, describe
from .gate import Gate
from .hardening import Hardening
from .http import GuardedHttp
from .kernels import Caller, Kernels
from .level import level
from .listener import Listener
from .secret import Secret
from .vault import Vault, open_vault

if TYPE_CHECKING:
    from .services import Services

logger = logging.getLogger(__name__)

_GARBAGE = 20_000
"""New objects after which the collector looks for cycles; Python's own number is 700."""


Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
Pick = Callable[["Services"], Handler]


class Broker:
    """One broker process."""

    def __init__(self, control: Control, hardening: Hardening) -> None:
        self._control = control
        self._hardening = hardening
        self._kernels = Kernels(self._holds)
        self._start = wire.StartParams(state_dir="", origin="")
        self._vault: Vault | None = None
        self._trouble: ValetError | None = None
        self._services: Services | None = None
        self._opened = anyio.Event()
        self._built = anyio.Event()
        self._started = anyio.Event()
        self._unlocking = anyio.Lock()
        self._socket: socket.socket | None = None

    async def run(self) -> None:
        """Serve until the control channel ends."""
        self._register_handlers()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen)
            tasks.start_soon(self._serve_services)
            await self._control.serve()
            tasks.cancel_scope.cancel()

    # Control methods -------------------------------------------------------------------------

    def _register_handlers(self) -> None:
        on = self._control.handle
        on(wire.START, self._on_start)
        on(wire.STATUS, self._on_status)
        on(wire.VAULT_UNLOCK, self._on_unlock)
        on(wire.CAPABILITY_REGISTER, self._on_register)
        on(wire.CAPABILITY_BIND, self._on_bind)
        on(wire.CAPABILITY_REVOKE, self._on_revoke)
        on(wire.PAGE_OPEN, self._seeing(lambda s: s.consent.open))
        on(wire.PAGE_SAVE, self._with(lambda s: s.consent.save))
        on(wire.PAGE_APPROVE, self._with(lambda s: s.consent.approve))
        on(wire.PAGE_CODE, self._with(lambda s: s.consent.code))
        on(wire.PAGE_DECLINE, self._with(lambda s: s.consent.decline))
        on(wire.PAGE_ACCEPT, self._with(lambda s: s.consent.accept))
        on(wire.PAGE_GRANT, self._with(lambda s: s.consent.grant))
        on(wire.PAGE_ALLOW, self._with(lambda s: s.consent.allow))
        on(wire.PAGE_DONE, self._with(lambda s: s.consent.done))
        on(wire.OAUTH_CALLBACK, self._with(lambda s: s.consent.callback))
        on(wire.CONNECTIONS_PAGE, self._seeing(lambda s: s.consent.connections_page))
        on(wire.CONNECTIONS_END, self._with(lambda s: s.consent.connections_end))
        on(wire.GRANTS_CHANGE, self._with(lambda s: s.consent.grants_change))
        on(wire.GRANTS_END, self._with(lambda s: s.consent.grants_end))
        on(wire.CLIENT_KEYS_MAKE, self._with(lambda s: s.programs.make_key))
        on(wire.CLIENT_KEYS_END, self._with(lambda s: s.programs.end_key))
        on(authorization.OPEN, self._seeing(lambda s: s.authorization.open))
        on(authorization.APPROVE, self._with(lambda s: s.authorization.approve))
        on(authorization.DECLINE, self._with(lambda s: s.authorization.decline))
        on(authorization.TOKEN, self._with(lambda s: s.authorization.token))
        on(authorization.REGISTER, self._with(lambda s: s.authorization.register))
        on(authorization.REVOKE, self._with(lambda s: s.authorization.revoke))
        on(authorization.PROGRAMS_END, self._with(lambda s: s.signed_in.end))
        on(wire.NOTEBOOK_MOVED, self._with(lambda s: s.notebook_moved))

    def _seeing(self, pick: Pick) -> Handler:
        """Answer as `_with`, for a page that Jupyter lets a person load."""
        answer = self._with(pick)

        async def handler(params: dict[str, Any]) -> dict[str, Any]:
            (await self._ready()).admissions.seen(params["principal"])
            return await answer(params)

        return handler

    def _with(self, pick: Pick) -> Handler:
        async def handler(params: dict[str, Any]) -> dict[str, Any]:
            return await pick(await self._ready())(params)

        return handler

    async def _on_start(self, params: dict[str, Any]) -> dict[str, Any]:
        self._start = wire.StartParams.from_json(params)
        for facts in self._start.kernels:
            self._register(facts)
        self._socket = _listening_socket(self._start.listen_fd)
        try:
            self._vault = open_vault(Path(self._start.state_dir), self._start.key_source)
        except ValetError as error:
            # The broker goes on: the person must be told on a page, not in a log.
            self._trouble = error
            logger.error("%s", error)
        if self._vault is not None and not self._vault.locked:
            self._opened.set()
        self._started.set()
        return {
            "port": self._socket.getsockname()[1],
            "version": __version__,
            "level": self._level()[0],
        }

    async def _on_register(self, params: dict[str, Any]) -> dict[str, Any]:
        self._register(params)
        if self._services is not None:
            self._services.admissions.seen(params["principal"])
        return {}

    def _register(self, params: dict[str, Any]) -> None:
        caller = Caller(
            principal=params["principal"],
            kernel_id=params["kernel_id"],
            notebook=params["notebook"],
            origin=params["origin"],
            root=params.get("root") or "",
            isolation=Isolation.from_json(params.get("isolation") or {}),
        )
        peer = Peer.from_json(params.get("peer") or {})
        self._kernels.register(params["digest"], caller, peer)

    async def _on_bind(self, params: dict[str, Any]) -> dict[str, Any]:
        self._kernels.bind(params["kernel_id"], Peer.from_json(params["peer"]))
        return {}

    async def _holds(self, peer: Peer, inode: int) -> bool:
        """Ask the server whose a socket is, where this process may not look (R59)."""
        asked = {"peer": peer.to_json(), "inode": inode}
        try:
            return (await self._control.ask(wire.PEER_HOLDS, asked)).get("holds") is True
        except ValetError:
            logger.warning("the server does not say whose a connection is, so nobody is let in")
            raise

    async def _on_revoke(self, params: dict[str, Any]) -> dict[str, Any]:
        self._kernels.revoke(params["kernel_id"])
        if self._services is not None:
            self._services.transactions.cancel_kernel(params["kernel_id"])
        return {}

    async def _on_unlock(self, params: dict[str, Any]) -> dict[str, Any]:
        if self._vault is None:
            raise self._trouble or ValetError("vault_damaged", what="it is not open")
        async with self._unlocking:  # a guess costs 64 MiB: never two at a time
            return await self._unlock(self._vault, params["form"])

    async def _unlock(self, vault: Vault, form: str) -> dict[str, Any]:
        if vault.locked:
            passphrase = parse_qs(form, keep_blank_values=True).get("passphrase", [""])
            await anyio.to_thread.run_sync(vault.unlock, Secret(passphrase[0]))
            self._opened.set()
        return {"vault": "unlocked"}

    async def _on_status(self, params: dict[str, Any]) -> dict[str, Any]:
        if self._services is not None:
            return self._services.status(_nobody(self._start.origin)).to_json()
        locked = self._vault is not None and self._vault.locked
        name, words = self._level()
        return StatusView(
            version=__version__,
            level=name,
            level_words=words,
            vault="locked" if locked else str(self._trouble or "opening"),
            key_source=self._vault.key_source_words if self._vault else "",
        ).to_json()

    def _level(self) -> tuple[str, str]:
        return level(self._hardening, self._vault.key_source if self._vault else "")

    # Services --------------------------------------------------------------------------------

    async def _ready(self) -> Services:
        """Wait for the services; say why when they cannot come."""
        if self._services is not None:  # awaiting what has happened costs a turn of the loop, too
            return self._services
        await self._started.wait()
        if self._trouble is not None:
            raise self._trouble
        if not self._opened.is_set():
            raise ValetError("vault_locked", url=self._start.origin + PAGE_UNLOCK)
        await self._built.wait()
        return self._services_now()

    def _services_now(self) -> Services:
        if self._services is None:
            raise self._trouble or ValetError("internal")
        return self._services

    async def _serve_services(self) -> None:
        """Load the heavy parts once the vault is open, and keep them until the end."""
        await self._opened.wait()
        try:
            # A thread, so that the channel answers meanwhile: these imports take a second.
            build = await anyio.to_thread.run_sync(_import_build)
            assert self._vault is not None
            async with build(
                self._start, self._vault, self._kernels, self._hardening, self._control.event
            ) as self._services:
                self._built.set()
                # What is there now stays: no call shall pay for looking through it again.
                gc.collect()
                gc.freeze()
                gc.set_threshold(_GARBAGE)
                await anyio.sleep_forever()
        except ValetError as error:
            self._trouble = error
        except Exception as error:
            logger.error("the services did not start: %s", describe(error))
            raise
        finally:
            self._built.set()

    async def _on_elsewhere(self, caller: Caller) -> None:
        """Record that a capability was shown by a process that is not its kernel's (R59)."""
        logger.warning("kernel %s: its capability was shown by another process", caller.kernel_id)
        with contextlib.suppress(ValetError):  # a vault that is locked has no log: refused anyway
            (await self._ready()).audit.record(
                "capability.refused",
                principal=caller.principal,
                kernel=caller.kernel_id,
                notebook=caller.notebook,
                outcome="elsewhere",
                reason="shown by a process that is not of this kernel",
            )

    async def _listen(self) -> None:
        await self._started.wait()
        assert self._socket is not None
        config = uvicorn.Config(
            Gate(Listener(self._kernels, self._ready), self._kernels, self._on_elsewhere),
            http=GuardedHttp,
            ws="none",
            lifespan="off",
            loop="none",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        await _Server(config).serve(sockets=[self._socket])


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the control channel says when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _import_build() -> Any:
    from .services import build

    return build


def _listening_socket(listen_fd: int | None) -> socket.socket:
    """Take the socket that the server bound for us, or bind one where that is not possible."""
    if listen_fd is not None:
        return socket.socket(fileno=listen_fd)
    # asyncio sets TCP_NODELAY only where it sees the protocol: without it, 40 ms per answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


def _nobody(origin: str) -> Caller:
    """Who asks for the status over the control channel: the server, for no kernel."""
    return Caller(wire.OWNER, "", "", origin)
