"""What all isolated pages have in common: who, from where, with which headers, and no traces."""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import urlencode

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from jupyter_server.utils import ensure_async
from tornado import web

from ...wire.errors import ValetError
from ...wire.routes import PAGE_UNLOCK
from .. import identity
from .headers import security_headers
from .navigation import Refusal
from .render import render

if TYPE_CHECKING:
    from ..services import Services

Check = Callable[[Mapping[str, str], str], Refusal | None]
Method = Callable[..., Awaitable[None]]

NONCE = "auth"
"""Query parameter of a page's nonce. Jupyter's access log leaves out what has `auth` in its name
(`jupyter_server.log`); our pages leave out the whole query besides."""

AGAIN = "auth_again"
"""Query parameter of the second try of a page load whose first try came without a login."""

SIGN_IN = r"([A-Za-z0-9_-]{1,128})"
"""A transaction's id in a path."""

_NOT_A_BROWSER = Refusal(
    403,
    "A token opens no page",
    "Open it in a browser that is logged in at JupyterHub: who holds a token is not thereby the "
    "person.",
)


class IsolatedPage(ExtensionHandlerMixin, JupyterHandler):
    """A page that no script reads or presses.

    Its methods are open to unauthenticated requests for Jupyter, because they must look at the
    browser's headers before they answer anything, be it a redirect to the login page.
    """

    auth_resource = "valet"

    # Who and where ---------------------------------------------------------------------------

    @property
    def valet(self) -> Services:
        """The extension's parts."""
        return cast("Services", self.extensionapp.services)  # type: ignore[attr-defined]

    @property
    def public_origin(self) -> str:
        """The public origin with `base_url`, from this very navigation."""
        return self.valet.origins.for_page(self.request.protocol, self.request.host)

    @property
    def secure(self) -> bool:
        """Whether the browser came over https."""
        return self.public_origin.startswith("https:")

    def path_of(self, *parts: str) -> str:
        """Return the path of a page under this server's `base_url`."""
        return self.base_url + "/".join(parts)

    async def person(self, action: str = "read") -> str:
        """Return the principal of who is logged in; else send the browser to the login and back.

        The first try without a login is answered with a page that loads itself again: a browser
        that came from another site keeps `SameSite=Strict` cookies to itself (jupyter.md §3).
        """
        user = self.current_user
        if user is None:
            self._ask_to_log_in()
        if not identity.in_a_browser(user, by_token=self.token_authenticated):
            self.refuse(_NOT_A_BROWSER)
        allowed = await ensure_async(
            self.authorizer.is_authorized(self, user, action, self.auth_resource)
        )
        principal = identity.principal(self.identity_provider, user, os.environ)
        if not allowed or principal is None:
            self.refuse(Refusal(403, "Not allowed", "You may not use connections on this server."))
        self.valet.origins.learn(self.request.protocol, self.request.host)
        return principal

    def resume_path(self) -> str:
        """Return where the browser shall come back to after the login; never with a secret."""
        return self.request.path

    def second_try(self) -> str:
        """Return what marks, and brings back, this request on its second try."""
        return "1"

    def _ask_to_log_in(self) -> NoReturn:
        back = self.resume_path()
        if not self.get_query_argument(AGAIN, ""):
            self.bounce(f"{self.request.path}?{AGAIN}={self.second_try()}")
        # JupyterHub keeps the request's URI in its own state; it must be the harmless one.
        self.request.uri = back
        login = self.get_login_url()
        if "?" not in login:
            login += "?" + urlencode({"next": back})
        self.redirect(login)
        raise web.Finish

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the broker. Raises `ValetError`."""
        return await self.valet.supervisor.call(method, params)

    # What is answered ------------------------------------------------------------------------

    def page(
        self,
        template: str,
        *,
        status: int = 200,
        forms: bool = False,
        form_target: str = "",
        **facts: Any,
    ) -> None:
        """Answer with a page; a form on it may lead to `form_target`, a CSP source, besides."""
        self.set_status(status)
        self._set_headers(forms=forms or bool(form_target), form_target=form_target)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(render(template, base=self.base_url, **facts))

    def refuse(self, refusal: Refusal) -> NoReturn:
        """Answer with why not."""
        self.page("problem.html", status=refusal.status, title=refusal.title, words=refusal.words)
        raise web.Finish

    def bounce(self, target: str) -> NoReturn:
        """Answer with a page that goes to `target` by itself, as a load from this very site."""
        self._set_headers(sandboxed=False)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(render("bounce.html", target=target))
        raise web.Finish

    def see_other(self, *parts: str) -> None:
        """Answer with a redirect to another page of ours, so that a reload repeats nothing."""
        self.redirect(self.path_of(*parts), status=303)

    def problem(self, error: ValetError) -> None:
        """Answer with a fixed error text; a locked vault goes to its unlock page."""
        if error.code == "vault_locked":
            return self.see_other(PAGE_UNLOCK, *self.unlock_for())
        return self.page(
            "problem.html", status=error.kind.status, title=error.message, words=error.next
        )

    def unlock_for(self) -> tuple[str, ...]:
        """Return the id of the sign-in that needs the vault, if this page is about one."""
        return ()

    # No traces, no loopholes -----------------------------------------------------------------

    def set_default_headers(self) -> None:
        """Set our headers over Jupyter's, also for errors."""
        super().set_default_headers()
        self._set_headers()

    def _set_headers(
        self, *, forms: bool = False, form_target: str = "", sandboxed: bool = True
    ) -> None:
        headers = security_headers(forms=forms, form_target=form_target, sandboxed=sandboxed)
        for name, value in headers.items():
            self.set_header(name, value)

    def set_cors_headers(self) -> None:
        """Leave them out, whatever the server's configuration says: no other origin reads this."""

    def check_xsrf_cookie(self) -> None:
        """Do without: an isolated page has no cookies, its posts carry the page's nonce instead."""

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer with a fixed text; an exception's text could hold the URL."""
        self.page(
            "problem.html",
            status=status_code,
            title=self._reason,
            words="Go back to the notebook and open the link again.",
        )

    def _request_summary(self) -> str:
        """Return what Tornado logs about a failed request: no query, which may hold a code."""
        return f"{self.request.method} {self.request.path} ({self.request.remote_ip})"

    def log_exception(self, *error: Any) -> None:
        """Let Tornado log a fault of ours; it shows the whole request, so without its query."""
        self.request.uri = self.request.path
        super().log_exception(*error)

    def _log(self) -> None:
        """Let Jupyter log the request, without its query."""
        self.request.uri = self.request.path
        super()._log()


def isolated(check: Check) -> Callable[[Method], Method]:
    """Wrap a handler's method: `check` the browser's headers first, show errors as pages."""

    def wrap(method: Method) -> Method:
        @functools.wraps(method)
        async def answer(self: IsolatedPage, *args: str) -> None:
            if refusal := check(self.request.headers, self.request.host):
                self.refuse(refusal)
            try:
                await method(self, *args)
            except ValetError as error:
                self.problem(error)

        return cast("Method", allow_unauthenticated(answer))

    return wrap


class NoSuchPage(IsolatedPage):
    """Everything else below `valet/`: refused here, so that no default handler logs a query."""

    @allow_unauthenticated
    def get(self, *_: str) -> None:
        """Answer 404."""
        self.refuse(Refusal(404, "There is no such page", "Check the address."))
