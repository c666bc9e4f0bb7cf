"""Where a provider sends the browser back to, and the page that follows.

The callback hands the query to the broker unread: only the name of a cookie is made from it.
Nothing here may raise `HTTPError`, whose log line holds the URL, code and all (jupyter.md §3).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import NoReturn

from ...wire import control
from ...wire.control import DoneFacts
from ...wire.errors import ValetError
from ...wire.routes import PAGE_CALLBACK, PAGE_DONE
from . import binding, navigation
from .base import AGAIN, SIGN_IN, IsolatedPage, isolated
from .words import ending

PROBLEM = "auth_problem"
"""Query parameter of a held error, on its way from the callback to the last page."""

QUERY_LIMIT = 8192


class Callback(IsolatedPage):
    """Takes the provider's answer from the browser that started the sign-in, of the same person."""

    _binding = ""
    _query = ""

    @isolated(navigation.shown)
    async def get(self, provider: str) -> None:
        """Hand the answer over, and leave no code in the address bar."""
        target: tuple[str, ...]
        try:
            target = (PAGE_DONE, await self._hand_over(provider))
        except ValetError as error:
            ticket = secrets.token_urlsafe(16)
            self.valet.problems.put(ticket, error)
            target = (f"{PAGE_DONE}?{PROBLEM}={ticket}",)
        self._unbind()
        self.see_other(*target)

    async def _hand_over(self, provider: str) -> str:
        """Return the transaction that the answer was for. Raises `ValetError`."""
        self._read()
        reply = await self.ask(
            control.OAUTH_CALLBACK,
            provider=provider,
            query=self._query,
            binding=self._binding,
            principal=await self.person("execute"),
            origin=self.public_origin,
        )
        return str(reply["transaction"])

    def _read(self) -> None:
        """Take the query from this request, or the one that was kept while the person logged in."""
        if self.get_query_argument(AGAIN, "") or not self.request.query:
            self._take_kept()
        elif len(self.request.query) > QUERY_LIMIT:
            raise ValetError("bad_request", what="the provider's answer is too long")
        else:
            self._query = self.request.query
            self._binding = self._cookies().get(binding.name(self._query, secure=self.secure), "")

    def _take_kept(self) -> None:
        for value in binding.all_values(self._cookies()):
            query = self.valet.answers.take(value)
            if query is not None:
                self._query, self._binding = query, value
                return
        raise ValetError("page_out_of_date")

    def _ask_to_log_in(self) -> NoReturn:
        # Kept under the binding, so that neither a URL nor a page nor a log holds the answer; and
        # only for a browser that started a sign-in.
        if not self._binding:
            raise ValetError("other_browser")
        self.valet.answers.put(self._binding, self._query)
        super()._ask_to_log_in()

    def _unbind(self) -> None:
        name = binding.name(self._query, secure=self.secure)
        self.clear_cookie(name, path=self.request.path, secure=self.secure)

    def _cookies(self) -> Mapping[str, str]:
        return {name: morsel.value for name, morsel in self.request.cookies.items()}


class Done(IsolatedPage):
    """How the sign-in ended; nothing on it can be pressed."""

    @isolated(navigation.shown)
    async def get(self, transaction: str) -> None:
        """Answer with the result."""
        principal = await self.person()
        reply = await self.ask(control.PAGE_DONE, transaction=transaction, principal=principal)
        facts = DoneFacts.from_json(reply)
        title, words = ending(facts.state, facts.kind, facts.client)
        self.page(
            "done.html",
            title=title,
            words=words,
            facts=facts,
            account=facts.account,
            missing=facts.scopes_missing,
        )


class Problem(IsolatedPage):
    """The last page of a callback that belongs to no sign-in that the person may see."""

    @isolated(navigation.shown)
    async def get(self) -> None:
        """Answer with the held error; it is gone after a reload."""
        error = self.valet.problems.take(self.get_query_argument(PROBLEM, ""))
        self.problem(error or ValetError("page_out_of_date"))


HANDLERS = [
    (rf"{PAGE_CALLBACK}/([A-Za-z0-9._-]{{1,64}})", Callback),
    (rf"{PAGE_DONE}/{SIGN_IN}", Done),
    (PAGE_DONE, Problem),
]
