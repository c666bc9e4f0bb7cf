"""The way to the pages, which are loaded when somebody first comes for one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import PathMatches, Router, Rule
from tornado.web import Application

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler


class Door(Router):
    """Everything below `valet`; the pages and the wire cost half of the extension's start.

    `extension` is the name under which Jupyter keeps the extension in its settings.
    """

    SUPPORTED_METHODS: tuple[str, ...] = ()
    """Jupyter looks here for methods that forgot to authenticate; the pages' do it themselves."""

    def __init__(self, application: Application, base_url: str, extension: str) -> None:
        self._application = application
        self._base_url = base_url
        self._extension = extension
        self._pages: list[tuple[re.Pattern[str], type[JupyterHandler]]] = []

    def rule(self) -> Rule:
        """Return the rule that leads here."""
        return Rule(PathMatches(re.escape(self._base_url) + r"valet(?:/.*)?$"), self)

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> HTTPMessageDelegate | None:
        """Return the page for a request; the last of them takes what no other does."""
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

    def _loaded(self) -> list[tuple[re.Pattern[str], type[JupyterHandler]]]:
        if not self._pages:
            from .pages.routing import HANDLERS

            base = re.escape(self._base_url)
            self._pages = [(re.compile(base + path), page) for path, page in HANDLERS]
        return self._pages
