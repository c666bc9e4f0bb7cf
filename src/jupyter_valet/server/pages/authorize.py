"""The authorization endpoint: whether a program may come, for the person to say (BP-01, BP-03).

A program opens this page in the person's browser. Its request is in the URL, so while the person
logs in it is kept here, and neither the login page nor a log gets to see it.
"""

from __future__ import annotations

import secrets

from ...wire import authorization
from ...wire.authorization import AskedFacts
from ...wire.clients import PAGE_ISSUER
from ...wire.errors import ValetError
from . import navigation
from .base import AGAIN, IsolatedPage, isolated
from .press import PressedPage

AUTHORIZE = f"{PAGE_ISSUER}/authorize"

QUERY_LIMIT = 8192

RESUMED = rf"{AUTHORIZE}/([A-Za-z0-9_-]{{1,128}})"
"""A request that was kept while its person logged in."""


class Authorize(IsolatedPage):
    """Shows who asks for what, and where the answer goes. Only a press on it sends anything."""

    _query = ""
    _ticket = ""

    @isolated(navigation.shown)
    async def get(self, ticket: str = "") -> None:
        """Answer with the page."""
        self._read(ticket)
        origin = self.public_origin
        principal = await self.person()
        reply = await self.ask(
            authorization.OPEN, principal=principal, origin=origin, query=self._query
        )
        facts = AskedFacts.from_json(reply)
        here = self.path_of(AUTHORIZE)
        if facts.problem:
            return self.page("authorize_problem.html", facts=facts, status=400)
        return self.page(
            "authorize.html", form_target=facts.source, facts=facts, here=here, origin=origin
        )

    def _read(self, ticket: str) -> None:
        """Take the query from this request, or the one that was kept while the person logged in."""
        self._ticket = ticket or self.get_query_argument(AGAIN, "")
        if self._ticket:
            kept = self.valet.requests.take(self._ticket)
            if kept is None:
                raise ValetError("program_page_out_of_date")
            self._query = kept
        elif len(self.request.query) > QUERY_LIMIT:
            raise ValetError("bad_request", what="the program's request is too long")
        else:
            self._query = self.request.query

    def second_try(self) -> str:
        """Keep the request for the second try."""
        return self._keep()

    def resume_path(self) -> str:
        """Return where the kept request goes on after the login."""
        return self.path_of(AUTHORIZE, self._keep())

    def _keep(self) -> str:
        ticket = secrets.token_urlsafe(32)
        self.valet.requests.put(ticket, self._query)
        return ticket


class _Pressed(PressedPage):
    """A press on the page: the browser goes to the program with the answer."""

    @isolated(navigation.shown)
    async def get(self) -> None:
        """Answer with the redirect."""
        press, origin = self.press(), self.public_origin
        principal = await self.person("execute")
        reply = await self.ask(
            self.method,
            principal=principal,
            origin=origin,
            nonce=press.nonce,
            choices=press.choices,
        )
        self.redirect(str(reply["location"]), status=303)

    method = ""

    def resume_path(self) -> str:
        """After a login the program must ask again: the request is in its page, not here."""
        return self.path_of(AUTHORIZE)


class Approve(_Pressed):
    """Lets the program come, with what was ticked."""

    method = authorization.APPROVE


class Decline(_Pressed):
    """Tells the program that the person said no."""

    method = authorization.DECLINE


HANDLERS = [
    (AUTHORIZE, Authorize),
    (f"{AUTHORIZE}/approve", Approve),
    (f"{AUTHORIZE}/decline", Decline),
    (RESUMED, Authorize),
]
