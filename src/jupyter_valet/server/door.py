"""The way to the pages, which are loaded when somebody first comes for one."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import PathMatches, Router, Rule
from tornado.web import Application

from ..wire.clients import PAGE_MCP

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler

    from .mcp.endpoint import Endpoint

_WELL_KNOWN = r"/\.well-known"


class Door(Router):
    """Everything below `valet`; the pages and the wire cost half of the extension's start.

    Besides, the documents at the origin's root (RFC 8615) about what is below `valet`: a server
    behind a JupyterHub is never asked for them, because the root is the Hub's.

    `extension` is the name under which Jupyter keeps the extension in its settings.
    """

    SUPPORTED_METHODS: tuple[str, ...] = ()
    """Jupyter looks here for methods that forgot to authenticate; the pages' do it themselves."""

    def __init__(self, application: Application, base_url: str, extension: str) -> None:
        self._application = application
        self._base_url = base_url
        self._extension = extension
        self._pages: list[tuple[re.Pattern[str], type[JupyterHandler]]] = []

    def rules(self) -> list[Rule]:
        """Return the rules that lead here."""
        base = re.escape(self._base_url)
        paths = (rf"{base}valet(?:/.*)?$", rf"{_WELL_KNOWN}/[a-z-]+{base}valet/.*$")
        return [Rule(PathMatches(path), self) for path in paths]

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> HTTPMessageDelegate | None:
        """Return what answers a request; the last of the pages takes what no other does."""
        path, endpoint = self._endpoint
        if request.path == path:
            return endpoint.passage(request)
        for pattern, page in self._loaded():
            if match := pattern.fullmatch(request.path):
                arguments = [None if group is None else group.encode() for group in match.groups()]
                return self._application.get_handler_delegate(
                    request,
                    page,
                    {"name": self._extension},
                    arguments,  # type: ignore[arg-type]  # a group may be absent, Tornado's own are
                )
        return None

    @cached_property
    def _endpoint(self) -> tuple[str, Endpoint]:
        """The MCP endpoint, which is no page, and its path."""
        from .mcp.endpoint import Endpoint

        services = self._application.settings[self._extension].services
        return self._base_url + PAGE_MCP, Endpoint(self._application, services)

    def _loaded(self) -> list[tuple[re.Pattern[str], type[JupyterHandler]]]:
        if not self._pages:
            from .pages.routing import HANDLERS, WELL_KNOWN

            base = re.escape(self._base_url)
            self._pages = [
                *((re.compile(base + path), page) for path, page in HANDLERS),
                *(
                    (re.compile(f"{_WELL_KNOWN}/{name}{base}{path}"), page)
                    for name, path, page in WELL_KNOWN
                ),
            ]
        return self._pages
