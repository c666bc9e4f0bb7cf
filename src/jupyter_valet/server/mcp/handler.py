"""`{base_url}valet/mcp`: lets in who Jupyter knows or the broker will know, and passes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from jupyter_server.utils import ensure_async
from tornado import web
from tornado.iostream import StreamClosedError

from ...wire.clients import MAX_BODY, PAGE_MCP, Arrival
from ...wire.errors import ValetError
from .. import identity
from . import addresses
from .arriving import Malformed, announced, forget_cookies, is_of_issuer, origin_allowed, shown

if TYPE_CHECKING:
    from ..services import Services
    from .forwarding import Answered

PIECE = 64 * 1024
"""Bytes of an answer that are kept before they are sent."""

BODY_SECONDS = 30.0
"""How long a client may take to send its body."""

_READ = 2 * MAX_BODY
"""Bytes that are read of a body whose length was not said: more of it ends the connection."""


@web.stream_request_body
class McpHandler(ExtensionHandlerMixin, JupyterHandler):
    """Every request proves itself by its own `Authorization` header (RS-11); no cookie counts."""

    SUPPORTED_METHODS = ("GET", "POST", "DELETE")
    auth_resource = "valet"

    @property
    def valet(self) -> Services:
        """The extension's parts."""
        return cast("Services", self.extensionapp.services)  # type: ignore[attr-defined]

    def set_default_headers(self) -> None:
        """Answer with the broker's headers, not with those of a page."""
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def check_xsrf_cookie(self) -> None:
        """Do nothing: XSRF is about what cookies authenticate, and none does here."""

    async def prepare(self) -> None:  # type: ignore[override]
        """Look at the head of the request, before its body is there."""
        self.current_user = self._jupyter_current_user = None
        self._body = bytearray()
        self._work: asyncio.Task[None] | None = None
        connection = cast("Any", self.request.connection)
        connection.set_max_body_size(_READ)
        connection.set_body_timeout(BODY_SECONDS)
        forget_cookies(self.request)
        if announced(self.request.headers) > MAX_BODY:
            self.set_header("Connection", "close")
            self._refuse(413, "bad_request", what="the body is too large")
        if not self.check_host():
            self._refuse(421, "bad_request", what="the Host header names another server")
        if not origin_allowed(self.request.headers, self._origins()):
            self._refuse(403, "bad_request", what="a page of another origin asks")
        try:
            self._shown = shown(self.request)
        except Malformed as error:
            self._refuse(400, "bad_request", what=str(error))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer as to a program, and with nothing of what went wrong."""
        self.set_header("Content-Type", "application/json")
        self.finish(ValetError("internal").to_json())

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the body; what is too long is refused later, and not kept."""
        if len(self._body) <= MAX_BODY:
            self._body += chunk

    @allow_unauthenticated
    async def get(self) -> None:
        """Open a stream (2025-11-25)."""
        await self._serve()

    @allow_unauthenticated
    async def post(self) -> None:
        """Send a message."""
        await self._serve()

    @allow_unauthenticated
    async def delete(self) -> None:
        """End a session (2025-11-25)."""
        await self._serve()

    def on_connection_close(self) -> None:
        """End the request at the broker, too: its client has gone (PS-06)."""
        super().on_connection_close()
        if self._work is not None:
            self._work.cancel()

    # What happens ----------------------------------------------------------------------------

    async def _serve(self) -> None:
        if len(self._body) > MAX_BODY:
            self._refuse(413, "bad_request", what="the body is too large")
        self._work = asyncio.ensure_future(self._pass_on())
        with contextlib.suppress(asyncio.CancelledError, StreamClosedError):
            await self._work

    async def _pass_on(self) -> None:
        try:
            arrival = await self._arrival()
            supervisor = self.valet.supervisor
            await supervisor.ensure()
            answering = self.valet.forwarding.request(
                supervisor.url,
                str(self.request.method),
                list(self.request.headers.get_all()),
                bytes(self._body) or None,
                arrival,
            )
            async with answering as answer:
                self.set_status(answer.status)
                for name, value in answer.headers:
                    self.set_header(name, value)
                await self._copy(answer)
        except ValetError as error:
            if self._headers_written:
                self.request.connection.stream.close()  # type: ignore[union-attr]  # cut, not ended
                return
            self.clear()  # what came of an answer that broke off, and the headers that fit it
            self._refuse(error.kind.status, error.code, finish=False, **error.fields)
        await self.finish()

    async def _copy(self, answer: Answered) -> None:
        """Send the body: a stream as it comes, all else in as few pieces as it takes."""
        if answer.streams:  # it may say nothing for long, and its client waits for the head
            await self.flush()
        unsent = 0
        async for chunk in answer.body:
            self.write(chunk)
            unsent += len(chunk)
            if answer.streams or unsent >= PIECE:
                await self.flush()
                unsent = 0

    async def _arrival(self) -> Arrival:
        """Return what the broker is told of this request."""
        origins, request = self.valet.origins, self.request
        here = origins.for_page(request.protocol, request.host)
        principal = await self._person() if self._may_be_jupyters() else ""
        token = "" if principal or not self._shown.is_bearer else self._shown.token
        return Arrival(
            origin=origins.guess(),
            resource=here + PAGE_MCP,
            metadata=addresses.metadata(here),
            audience=fixed + PAGE_MCP if (fixed := origins.fixed()) else "",
            principal=principal,
            token=token,
        )

    def _may_be_jupyters(self) -> bool:
        """Tell whether the identity provider is to be shown the token: not another issuer's."""
        issuers = self.valet.settings.mcp_issuers
        return self._shown.may_be_jupyters and not is_of_issuer(self._shown.token, issuers)

    async def _person(self) -> str:
        """Return whom the server's identity provider knows by the token alone; empty: nobody.

        Raises `ValetError` ("not_admitted") for somebody who may not use this server: a token that
        Jupyter knows is none of the broker's to judge.
        """
        if not self._shown.token:
            return ""
        user, by_token = await self._token_user()
        if not by_token:
            return ""
        if user is None:  # JupyterHub knows whose token it is, and lets them use other servers
            raise ValetError("not_admitted")
        self.current_user = self._jupyter_current_user = user
        allowed = await ensure_async(
            self.authorizer.is_authorized(self, user, "execute", self.auth_resource)
        )
        principal = identity.principal(self.identity_provider, user, os.environ)
        if not allowed or principal is None:
            raise ValetError("not_admitted")
        return principal

    async def _token_user(self) -> tuple[Any, bool]:
        """Return the user, and whether the token was what told it."""
        provider = self.identity_provider
        if type(provider) in (IdentityProvider, PasswordIdentityProvider):
            # `get_user` would look for a cookie besides, and sign a new one for each request.
            found = await provider.get_user_token(self)
            return found, found is not None
        user = await ensure_async(provider.get_user(self))
        self.__dict__.pop("_new_cookie", None)  # the provider would remember who showed a token
        return user, bool(getattr(self, "_token_authenticated", False))

    def _origins(self) -> set[str]:
        """Return the origins that the administrator lets call this server from a browser."""
        return {self.allow_origin} - {"", "*"}

    def _refuse(self, status: int, code: str, *, finish: bool = True, **fields: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.write(ValetError(code, **fields).to_json())
        if finish:
            self.finish()
            raise web.Finish
