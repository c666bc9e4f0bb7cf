"""What the server forwards: the authorization endpoint's page, and the three endpoints of programs.

Nothing redirects a browser but a person's press on a page of ours, be it to say yes or no: neither
is this server an open redirector (AS-02, RFC 9700 §4.11), nor does a program of the person's
machine get a code while nobody looks, however often it was approved before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    InvalidRequestError,
    OAuth2Error,
)

from ...wire.authorization import AskedFacts
from ...wire.errors import ValetError
from ..audit import Audit
from ..clients import Ending
from . import boxes, redirects
from .asked import SECONDS, Asked, Questions
from .documents import Documents, is_url
from .families import Families
from .family import Family
from .registration import Registration, subject
from .registry import Registry
from .request import Form, Reply, fields, members
from .server import Books, Server

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"

_PROBLEMS = {
    "unsupported_response_type": "it asks for something else than a code",
    "invalid_request": "it does not protect its request as this server demands (PKCE, S256)",
    "invalid_scope": "none of what it asks for is there",
    "invalid_target": "it does not ask for the tools of this server at this address",
}

Toolsets = Callable[[str], list[str]]
Granted = Callable[[str, str], list[str]]


class Authorization:
    """One for all issuers: the origin comes with each request.

    `granted` says in words what a person has granted a program, by its id for grants.
    """

    def __init__(
        self,
        registry: Registry,
        families: Families,
        documents: Documents,
        audit: Audit,
        toolsets: Toolsets,
        granted: Granted,
        ending: Ending,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._books = Books(registry, families, self._ended, clock)
        self._documents = documents
        self._audit = audit
        self._toolsets = toolsets
        self._granted = granted
        self._ending = ending
        self._questions = Questions(clock=clock)
        self._clock = clock

    # The page --------------------------------------------------------------------------------

    async def open(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return what the page shows for a request.

        Who asks and where the answer would go is known first; until it is, nothing is ever sent
        anywhere (RFC 6749 §4.1.2.1). Raises `ValetError`.
        """
        asked = _query(params["query"])
        program = await self._program(asked.get("client_id", ""))
        redirect = _redirect(program, asked.get("redirect_uri", ""), params["origin"])
        facts = _facts(program, redirect)
        principal, origin = params["principal"], params["origin"]
        server, request = self._server(origin), _request(origin, asked)
        try:
            server.get_consent_grant(request, end_user=principal)
        except OAuth2Error as error:
            problem = _PROBLEMS.get(error.error, _PROBLEMS["invalid_request"])
            location = server.error(request, error, redirect.uri)
            return replace(facts, problem=problem, location=location).to_json()
        wanted = boxes.asked(asked.get("scope"))
        had = self._books.families.approved(
            principal, program.client_id, redirect.uri, server.resource
        )
        choices = boxes.boxes(wanted, had, self._toolsets(principal))
        until = self._clock() + SECONDS
        nonce = self._questions.put(Asked(principal, origin, asked, program, wanted, until))
        known = all(box.had for box in choices if not box.narrower)
        grants = self._granted(principal, program.subject)
        return replace(facts, nonce=nonce, scopes=choices, known=known, grants=grants).to_json()

    async def approve(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return where to redirect to, with a code for what the person ticked."""
        asked = self._asked(params)
        scopes = boxes.ticked(params["choices"], asked.scopes)
        until = boxes.until(params["choices"], self._clock())
        self._questions.take(params["nonce"])
        self._books.registry.put(asked.program)  # from now on it is kept
        self._record("client_app.allowed", asked, scopes=" ".join(scopes))
        return {"location": self._answer(asked, asked.principal, scopes, until)}

    async def decline(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return where to redirect to, with the person's no."""
        asked = self._asked(params)
        self._questions.take(params["nonce"])
        self._record("client_app.declined", asked)
        return {"location": self._answer(asked, None, (), 0.0)}

    def _asked(self, params: dict[str, Any]) -> Asked:
        return self._questions.get(params["principal"], params["origin"], params["nonce"])

    def _answer(
        self, asked: Asked, person: str | None, scopes: tuple[str, ...], until: float
    ) -> str:
        server, request = self._server(asked.origin), _request(asked.origin, asked.fields)
        request.scopes, request.until = scopes, until
        try:
            grant = server.get_consent_grant(request, end_user=asked.principal)
        except OAuth2Error:  # the program was forgotten meanwhile
            raise ValetError("unknown_program") from None
        reply: Reply = server.create_authorization_response(request, person, grant)
        return reply.location

    # The endpoints ---------------------------------------------------------------------------

    async def token(self, params: dict[str, Any]) -> dict[str, Any]:
        """Answer the token endpoint."""
        return self._endpoint(params, _FORM, lambda s, r: s.create_token_response(r))

    async def register(self, params: dict[str, Any]) -> dict[str, Any]:
        """Answer the registration endpoint."""
        name = "client_registration"
        return self._endpoint(params, _JSON, lambda s, r: s.create_endpoint_response(name, r))

    async def revoke(self, params: dict[str, Any]) -> dict[str, Any]:
        """Answer the revocation endpoint."""
        return self._endpoint(
            params, _FORM, lambda s, r: s.create_endpoint_response("revocation", r)
        )

    def _endpoint(
        self, params: dict[str, Any], kind: str, answer: Callable[[Server, Form], Reply]
    ) -> dict[str, Any]:
        server = self._server(params["origin"])
        try:
            if params["type"].partition(";")[0].strip().lower() != kind:
                raise InvalidRequestError(f"The body must be {kind}.")
            read = fields if kind == _FORM else members
            request = Form("POST", server.issuer, read(params["body"]))
        except OAuth2Error as error:
            return server.handle_response(*error()).to_json()
        return answer(server, request).to_json()

    # Parts -----------------------------------------------------------------------------------

    def _server(self, origin: str) -> Server:
        return Server(self._books, origin)

    async def _program(self, client_id: str) -> Registration:
        if is_url(client_id):
            return await self._documents.program(client_id)
        found = self._books.registry.get(client_id) if client_id else None
        if found is None or found.document:
            raise ValetError("unknown_program")
        return found

    def _record(self, action: str, asked: Asked, **facts: str) -> None:
        self._audit.record(
            action,
            principal=asked.principal,
            kernel=asked.program.subject,
            account=asked.program.title(asked.fields["redirect_uri"]),
            **facts,
        )

    def _ended(self, action: str, family: Family) -> None:
        """Write down why a sign-in is over, and end what the program did with it (RS-11).

        Its grants end with its last sign-in: the next one begins where the person begins it.
        """
        left = self._books.families.of(family.principal)
        if any(other.client_id == family.client_id for other in left):
            self._ending.changed()
        else:
            self._ending.ended(family.principal, subject(family.client_id))
        self._audit.record(
            action,
            principal=family.principal,
            kernel=subject(family.client_id),
            account=family.title,
            outcome="ok" if action == "client_app.ended" else "refused",
        )


def _facts(program: Registration, redirect: redirects.Redirect) -> AskedFacts:
    """Return what is known of who asks, and of where the answer goes."""
    return AskedFacts(
        program=program.name,
        client_id=program.client_id,
        host=program.host,
        redirect_uri=redirect.uri,
        redirect_host=redirect.host,
        kind=redirect.kind,
        claimable=redirect.claimable,
        source=redirect.source,
    )


def _query(text: str) -> dict[str, str]:
    try:
        return fields(text)
    except OAuth2Error:
        raise ValetError("bad_request", what="the program's request cannot be read") from None


def _redirect(program: Registration, uri: str, origin: str) -> redirects.Redirect:
    """Return where the answer goes: AS-02, BP-05.

    Raises `ValetError` ("redirect_refused", "redirect_comes_back").
    """
    if not program.check_redirect_uri(uri):
        raise ValetError("redirect_refused")
    redirect = redirects.parse(uri)
    if redirects.comes_back(redirect, origin):
        raise ValetError("redirect_comes_back")
    return redirect


def _request(origin: str, asked: Mapping[str, str]) -> Form:
    try:
        return Form("GET", origin, dict(asked))
    except OAuth2Error:
        raise ValetError("bad_request", what="this server is not reached over https") from None
