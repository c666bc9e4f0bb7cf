"""Settings of JupyterLab that a notebook's output must not change (R92).

JupyterLab's handler writes whatever the person's login asks for, and asks no authorizer. This
stands before it, wherever an application has it, and lets all through but writes to what is locked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from jupyter_server.base.handlers import APIHandler
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import AnyMatches, Router, Rule
from tornado.web import Application, HTTPError, authenticated

_READING = ("GET", "HEAD", "OPTIONS")
_SETTING = re.compile(r".*/api/settings/(.+)", re.DOTALL)
_PLAIN = re.compile(r"(?:@[\w.~-]+/)?[\w.~-]+:[\w.~-]+", re.ASCII)
"""A plugin's name. JupyterLab makes a path of it, so others may mean the same file."""


class LockedSettings(Router):
    """The way to the refusal, for requests that would write to one of `names`."""

    SUPPORTED_METHODS: tuple[str, ...] = ()
    """Jupyter looks here for methods that forgot to authenticate; the refusal's do not."""

    def __init__(self, application: Application, names: Iterable[str]) -> None:
        self._application = application
        self._names = frozenset(name.casefold() for name in names)

    def rule(self) -> Rule:
        """Return the rule that leads here."""
        return Rule(AnyMatches(), self)

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> HTTPMessageDelegate | None:
        """Return the refusal, or None: then the request goes where it would have gone."""
        if request.method in _READING or not self.locks(request.path):
            return None
        return self._application.get_handler_delegate(request, Refusal)

    def locks(self, path: str) -> bool:
        """Tell whether a path names a setting that is locked, or one in a way that nobody needs."""
        found = _SETTING.fullmatch(unquote(path))
        if found is None:
            return False
        name = found[1]
        return not _PLAIN.fullmatch(name) or ".." in name or name.casefold() in self._names


class Refusal(APIHandler):
    """Says that a setting is locked."""

    @authenticated
    def put(self) -> None:
        """Refuse. Raises `HTTPError`."""
        raise HTTPError(
            403, "This setting is locked (ValetExtension.locked_settings); see docs/lockdown.md."
        )

    post = patch = delete = put
