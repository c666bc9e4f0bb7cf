"""The authorization endpoint over HTTP: check, ask who, ask what, send back."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from . import authorization, scopes
from .clients import CLIENTS
from .grants import AuthorizationRequest, Grants
from .pages import page
from .tracker import Person

COOKIE = "tidewater"
"""Holds a random browser id; which person it is stays here."""

_REQUEST_SECONDS = 600
_MANY = 1000


@dataclass
class _Asked:
    request: AuthorizationRequest
    browser: str
    expires_at: float


def _lists(values: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    return {name: values.getall(name) for name in values}  # type: ignore[attr-defined]


class AuthorizationEndpoint:
    """The requests that wait for a person, and the pages that ask."""

    def __init__(
        self, issuer: Callable[[], str], grants: Grants, people: Mapping[str, Person]
    ) -> None:
        self._issuer = issuer
        self._grants = grants
        self._people = people
        self._asked: dict[str, _Asked] = {}
        self._signed_in: dict[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoint's routes."""
        return [
            web.get("/authorize", self.begin),
            web.post("/authorize/person", self.choose_person),
            web.post("/authorize/consent", self.decide),
        ]

    async def begin(self, request: web.Request) -> web.Response:
        """GET /authorize (RFC 6749 §4.1.1)."""
        try:
            asked = authorization.check(_lists(request.query))
        except authorization.RefusedOnPage as refused:
            return page("problem", status=400, reason=str(refused))
        except authorization.RefusedByRedirect as refused:
            return _see_other(authorization.refusal(refused, self._issuer()))
        browser = request.cookies.get(COOKIE) or secrets.token_urlsafe(16)
        key = self._remember(asked, browser)
        person = self._signed_in.get(browser)
        if person is None or asked.prompt & {"login", "select_account"}:
            response = self._ask_who(key, asked)
        else:
            response = self._ask_what(key, asked, self._people[person])
        response.set_cookie(COOKIE, browser, path="/authorize", httponly=True, samesite="Lax")
        return response

    async def choose_person(self, request: web.Request) -> web.Response:
        """POST of the first page: who signs in. There is no password."""
        form = await request.post()
        found = self._find(str(form.get("request")), request)
        person = self._people.get(str(form.get("person")))
        if found is None or person is None:
            return _stale()
        self._signed_in[found.browser] = person.login
        return self._ask_what(str(form["request"]), found.request, person)

    async def decide(self, request: web.Request) -> web.Response:
        """POST of the second page: allow, with the boxes left ticked, or not."""
        form = await request.post()
        key, decision = str(form.get("request")), form.get("decision")
        found = self._find(key, request)
        person = self._signed_in.get(found.browser) if found else None
        if found is None or person is None:
            return _stale()
        if decision == "switch":
            return self._ask_who(key, found.request)
        del self._asked[key]
        if decision != "allow":
            return self._refuse(found.request)
        granted = frozenset(map(str, form.getall("scope", []))) | scopes.BASIC
        return self._allow(found.request, person, granted)

    def _allow(
        self, asked: AuthorizationRequest, person: str, granted: frozenset[str]
    ) -> web.Response:
        code = self._grants.issue_code(asked, person, granted)
        return _see_other(
            authorization.answer(asked.redirect_uri, self._issuer(), code=code, state=asked.state)
        )

    def _refuse(self, asked: AuthorizationRequest) -> web.Response:
        return _see_other(
            authorization.answer(
                asked.redirect_uri,
                self._issuer(),
                error="access_denied",
                error_description="The person did not agree.",
                state=asked.state,
            )
        )

    def _ask_who(self, key: str, asked: AuthorizationRequest) -> web.Response:
        return page(
            "people",
            request=key,
            client=CLIENTS[asked.client_id],
            people=list(self._people.values()),
            hint=asked.login_hint,
            redirect_uri=asked.redirect_uri,
        )

    def _ask_what(self, key: str, asked: AuthorizationRequest, person: Person) -> web.Response:
        rows = [
            {"name": name, "words": words, "basic": name in scopes.BASIC}
            for name, words in scopes.WORDS.items()
            if name in asked.scopes
        ]
        return page(
            "consent",
            request=key,
            client=CLIENTS[asked.client_id],
            person=person,
            scopes=rows,
            destination=urlsplit(asked.redirect_uri).netloc,
            redirect_uri=asked.redirect_uri,
        )

    def _remember(self, asked: AuthorizationRequest, browser: str) -> str:
        now = time.monotonic()
        live = {key: a for key, a in self._asked.items() if a.expires_at > now}
        self._asked = dict(list(live.items())[-_MANY:])
        key = secrets.token_urlsafe(16)
        self._asked[key] = _Asked(asked, browser, now + _REQUEST_SECONDS)
        return key

    def _find(self, key: str, request: web.Request) -> _Asked | None:
        found = self._asked.get(key)
        if found is None or found.expires_at <= time.monotonic():
            return None
        return found if request.cookies.get(COOKIE) == found.browser else None


def _see_other(location: str) -> web.Response:
    """Redirect with 303, so that a form is never posted on (RFC 9700 §4.12)."""
    return web.Response(
        status=303,
        headers={
            "Location": location,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
        },
    )


def _stale() -> web.Response:
    return page("problem", status=400, reason="This sign-in has ended or belongs to another tab.")
