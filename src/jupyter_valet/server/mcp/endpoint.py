"""`{base_url}valet/mcp`: lets in who Jupyter knows or the broker will know, and passes on."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from tornado.httputil import HTTPServerRequest
from tornado.web import Application

from ...wire.clients import PAGE_MCP, Arrival
from ...wire.control import OWNER
from ...wire.errors import ValetError
from . import addresses
from .answer import Answer
from .arriving import METHODS, Refused, Shown, forget_cookies, is_of_issuer, origin_allowed, shown
from .known import Known
from .line import Lost
from .passage import Passage

if TYPE_CHECKING:
    from ..services import Services


ACTIVITY = "jupyter_valet"
"""Under which name Jupyter is told that the server is in use."""

_HOSTS = 64
"""How many names of this server are remembered: a client may make up any loopback address."""


class Endpoint:
    """Every request proves itself by its own `Authorization` header (RS-11); no cookie counts."""

    def __init__(self, application: Application, services: Services) -> None:
        self._application = application
        self._services = services
        self._known = Known(application.settings)
        self._own_hosts: set[str] = set()
        """What `Host` has said that is this server's own, in Jupyter's judgement."""
        # The server listens by now, so its own idea of its URL is not going to change.
        self._own_origin = services.origins.guess()

    def passage(self, request: HTTPServerRequest) -> Passage:
        """Return what Tornado hands the request to."""
        forget_cookies(request)
        return Passage(self._application, request, self.pass_on)

    async def pass_on(self, request: HTTPServerRequest, body: bytes, answer: Answer) -> None:
        """Let the broker answer a request that is whole.

        Raises `Refused` for one that is none, `ValetError` when there is no answer.
        """
        arrival = await self._arrival(request, answer)
        supervisor, forwarding = self._services.supervisor, self._services.forwarding
        await supervisor.ensure()
        line = await forwarding.line(supervisor.port)
        try:
            headers = request.headers.get_all()
            await line.ask(forwarding.request(str(request.method), headers, body, arrival))
            self._active(request, line.status)
            await answer.copy(line)
            self._active(request, line.status)
        except Lost:
            raise ValetError("broker_unreachable") from None
        finally:
            forwarding.give(line)

    def _active(self, request: HTTPServerRequest, status: int) -> None:
        """Keep a server from ending for want of use that nobody but a program outside uses.

        At the beginning and the end of what somebody says: an open stream is no use by itself, and
        a program that has been left open comes back for one.
        """
        if request.method == "POST" and status < HTTPStatus.BAD_REQUEST:
            self._application.settings["last_activity_times"][ACTIVITY] = datetime.now(UTC)

    async def _arrival(self, request: HTTPServerRequest, answer: Answer) -> Arrival:
        """Return what the broker is told of this request."""
        told = self._shown(request, answer)
        origins = self._services.origins
        here = origins.for_page(request.protocol, request.host)
        principal = await self._principal(told, answer) if self._may_be_jupyters(told) else ""
        return Arrival(
            origin=origins.told() or self._own_origin,
            resource=here + PAGE_MCP,
            metadata=addresses.metadata(here),
            audience=fixed + PAGE_MCP if (fixed := origins.fixed()) else "",
            principal=principal,
            token="" if principal or not told.is_bearer else told.token,
        )

    async def _principal(self, told: Shown, answer: Answer) -> str:
        """Return whom Jupyter knows by the token; empty: nobody. Raises `ValetError`."""
        if self._known.is_owners(told.token):
            answer.user = self._known.user
            return OWNER
        principal = await answer.handler.principal()
        if principal == OWNER:
            self._known.learn(told.token, answer.handler.current_user)
        return principal

    def _shown(self, request: HTTPServerRequest, answer: Answer) -> Shown:
        """Return what the client shows, if the head is in order. Raises `Refused`."""
        if request.method not in METHODS:
            raise Refused(405, f"the method is none of {', '.join(METHODS)}")
        if request.host not in self._own_hosts:
            if not answer.handler.check_host():
                raise Refused(421, "the Host header names another server")
            if len(self._own_hosts) < _HOSTS:
                self._own_hosts.add(request.host)
        # The origins that the administrator lets call this server from a browser.
        allowed = {self._application.settings.get("allow_origin", "")} - {"", "*"}
        if not origin_allowed(request.headers, allowed):
            raise Refused(403, "a page of another origin asks")
        return shown(request)

    def _may_be_jupyters(self, told: Shown) -> bool:
        """Tell whether the identity provider is to be shown the token: not another issuer's."""
        issuers = self._services.settings.mcp_issuers
        return (
            told.may_be_jupyters
            and bool(told.token)
            and not (issuers and is_of_issuer(told.token, issuers))
        )
