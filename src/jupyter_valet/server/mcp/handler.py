"""A request as Jupyter knows requests, for what only Jupyter can tell: whose token this is.

Tornado does not run it: most of what a page's handler does is for browsers, and costs a program
more than its call.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from jupyter_server.auth.identity import User
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import ensure_async
from tornado.httputil import HTTPHeaders
from tornado.util import ObjectDict

from ...wire.errors import ValetError
from .. import identity
from .known import is_stock

RESOURCE = "valet"
"""What the server's authorizer is asked for."""


class McpHandler(JupyterHandler):
    """What the identity provider, the authorizer and the access log are shown of a request."""

    SUPPORTED_METHODS = ()

    def clear(self) -> None:
        """Begin with no headers: nothing is answered with these, and Tornado's cost a date."""
        self._headers = HTTPHeaders()
        self._write_buffer: list[bytes] = []
        self._status_code, self._reason = 200, "OK"

    def initialize(self, gone: Callable[[], None]) -> None:
        """Take nobody for anybody, whatever a cookie says; `gone` is told that the client went."""
        self._gone = gone
        self.ui = ObjectDict()  # nothing is rendered here, and what is in it keeps this in memory
        self.take(None)

    def take(self, user: User | None) -> None:
        """Know whose request this is."""
        self.current_user = self._jupyter_current_user = user

    def on_connection_close(self) -> None:
        """Pass on what Tornado tells this, instead of who answers."""
        self._gone()

    async def principal(self) -> str:
        """Return whom the server's identity provider knows by the token alone; empty: nobody.

        Raises `ValetError` ("not_admitted") for somebody who may not use this server: a token that
        Jupyter knows is none of the broker's to judge.
        """
        user, by_token = await self._token_user()
        if not by_token:
            return ""
        if user is None:  # JupyterHub knows whose token it is, and lets them use other servers
            raise ValetError("not_admitted")
        self.take(user)
        allowed = self.authorizer.is_authorized(self, user, "execute", RESOURCE)
        principal = identity.principal(self.identity_provider, user, os.environ)
        if not await ensure_async(allowed) or principal is None:
            raise ValetError("not_admitted")
        return principal

    async def _token_user(self) -> tuple[Any, bool]:
        """Return the user, and whether the token was what told it."""
        provider = self.identity_provider
        if is_stock(provider):
            # `get_user` would look for a cookie besides, and sign a new one for each request.
            user = await provider.get_user_token(self)
            return user, user is not None
        user = await ensure_async(provider.get_user(self))
        self.__dict__.pop("_new_cookie", None)  # the provider would remember who showed a token
        return user, bool(getattr(self, "_token_authenticated", False))
