"""`token`, `register` and `revoke` below the issuer: the body goes to the broker as it came."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web

from ...wire import authorization
from ...wire.authorization import MAX_BODY
from ...wire.clients import PAGE_ISSUER
from ...wire.errors import ValetError
from ..mcp.arriving import announced, forget_cookies, origin_allowed
from .metadata import NAMES, IssuerMetadata

if TYPE_CHECKING:
    from ..services import Services

BODY_SECONDS = 10.0
"""How long a program may take to send its body."""

_READ = 2 * MAX_BODY
"""Bytes that are read of a body before its connection is cut: room to say that it is too large."""


@web.stream_request_body
class _Endpoint(ExtensionHandlerMixin, JupyterHandler):
    """What a request carries is its whole authority: no cookie counts, so neither does XSRF."""

    SUPPORTED_METHODS = ("POST", "OPTIONS")
    method = ""
    """The broker's name for it."""

    @property
    def valet(self) -> Services:
        """The extension's parts."""
        return cast("Services", self.extensionapp.services)  # type: ignore[attr-defined]

    def set_default_headers(self) -> None:
        """Keep answers, which hold tokens, out of every cache (RFC 6749 §5.1)."""
        self.set_header("Content-Type", "application/json")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Pragma", "no-cache")
        if self._allowed & {self.request.headers.get("Origin", "")}:
            self.set_header("Access-Control-Allow-Origin", self.allow_origin)
            self.set_header("Vary", "Origin")

    @property
    def _allowed(self) -> set[str]:
        """The origins of pages that the administrator lets call this server; never all of them."""
        return {self.allow_origin} - {"", "*"}

    def check_xsrf_cookie(self) -> None:
        """Do nothing: XSRF is about what cookies authenticate, and none does here."""

    async def prepare(self) -> None:  # type: ignore[override]
        """Look at the head of the request, before its body is there."""
        self._body = bytearray()
        connection = cast("Any", self.request.connection)
        connection.set_max_body_size(_READ)
        connection.set_body_timeout(BODY_SECONDS)
        forget_cookies(self.request)
        if announced(self.request.headers) > MAX_BODY:
            self.set_header("Connection", "close")
            self._refuse(413, "invalid_request")
        if not self.check_host():
            self._refuse(421, "invalid_request")
        if not origin_allowed(self.request.headers, self._allowed):
            self._refuse(403, "invalid_request")
        if self.request.query:
            # RFC 6749 §2.3.1 and §3.2: what is in a URL ends up in logs.
            self._refuse(400, "invalid_request")

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the body; what is too long is refused later, and not kept."""
        if len(self._body) <= MAX_BODY:
            self._body += chunk

    @allow_unauthenticated
    async def options(self) -> None:
        """Let a program that runs in a page of an allowed origin ask (Fetch, CORS preflight)."""
        self.set_header("Access-Control-Allow-Methods", "POST")
        self.set_header("Access-Control-Allow-Headers", "content-type, mcp-protocol-version")
        self.set_status(204)
        self.clear_header("Content-Type")

    @allow_unauthenticated
    async def post(self) -> None:
        """Answer with what the broker says."""
        if len(self._body) > MAX_BODY:
            self._refuse(413, "invalid_request")
        origin = self.valet.origins.for_page(self.request.protocol, self.request.host)
        kind = self.request.headers.get("Content-Type", "")
        try:
            body = self._body.decode("utf-8")
            reply = await self.valet.supervisor.call(
                self.method, {"origin": origin, "type": kind, "body": body}
            )
        except UnicodeDecodeError:
            self._refuse(400, "invalid_request")
        except ValetError as error:
            # RFC 6749 §4.1.2.1 has the name; the token endpoint has none for this.
            code = "temporarily_unavailable" if error.kind.status != 400 else "invalid_request"
            self._refuse(429 if error.kind.status == 429 else 503, code, error)
        self.set_status(int(reply["status"]))
        await self.finish(str(reply["body"]))

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer as to a program, and with nothing of what went wrong."""
        self.finish(json.dumps({"error": "server_error"}))

    def _refuse(self, status: int, code: str, error: ValetError | None = None) -> None:
        answer = {"error": code}
        if error is not None:
            answer["error_description"] = f"{error.message} {error.next}".replace('"', "'")
        self.set_status(status)
        self.finish(json.dumps(answer))
        raise web.Finish

    def _request_summary(self) -> str:
        return f"{self.request.method} {self.request.path} ({self.request.remote_ip})"


class Token(_Endpoint):
    """RFC 6749 §3.2."""

    method = authorization.TOKEN


class Register(_Endpoint):
    """RFC 7591 §3."""

    method = authorization.REGISTER


class Revoke(_Endpoint):
    """RFC 7009 §2."""

    method = authorization.REVOKE


HANDLERS: list[tuple[str, type[JupyterHandler]]] = [
    (f"{PAGE_ISSUER}/token", Token),
    (f"{PAGE_ISSUER}/register", Register),
    (f"{PAGE_ISSUER}/revoke", Revoke),
    *((rf"{PAGE_ISSUER}/\.well-known/{name}", IssuerMetadata) for name in NAMES),
]
