"""The authenticator: which issuer a token is of, and whether it is good."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx2

from ....wire.clients import OURS, Arrival
from ...egress.vetted import vetted_client
from ..authenticator import Proven, Refused
from .claims import proven
from .introspection import Introspecting
from .keys import IssuerDocuments
from .settings import Issuer
from .signed import LONGEST, Unsound, looks_signed, peek, verified

TIMEOUT = 10.0
LARGEST = 256 * 1024
"""Bytes of an issuer's answer."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 §2.1


@dataclass(frozen=True)
class _Known:
    issuer: Issuer
    documents: IssuerDocuments
    introspecting: Introspecting | None

    def takes_opaque(self, token: str) -> bool:
        return self.introspecting is not None and token.startswith(self.issuer.token_prefix)


class IssuerTokens:
    """An `Authenticator`. `person` is whom the server belongs to; empty: several people."""

    def __init__(
        self,
        issuers: Iterable[Issuer],
        person: str,
        *,
        clock: Callable[[], float] = time.time,
        http: Callable[..., httpx2.AsyncClient] = vetted_client,
    ) -> None:
        self._person = person
        self._clock = clock
        self._clients: dict[bool, httpx2.AsyncClient] = {}
        self._factory = http
        self._known = {issuer.url: self._of(issuer) for issuer in issuers}

    def knows(self, arrival: Arrival) -> bool:
        """Tell whether it may be of one of the issuers."""
        return self._issuer_of(arrival.token) is not None

    async def prove(self, arrival: Arrival) -> Proven:
        """Return who it is for. Raises `Refused`, and `Unreachable` when that cannot be told."""
        known = self._issuer_of(arrival.token)
        if known is None:
            raise Refused
        return proven(
            known.issuer,
            await self._claims(known, arrival.token),
            audience=arrival.audience,
            person=self._person,
            now=self._clock(),
        )

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()

    async def _claims(self, known: _Known, token: str) -> dict[str, Any]:
        if known.introspecting is not None:
            return await known.introspecting.claims(token)
        try:
            asked = peek(token)
            key = await known.documents.key(asked)
            if key is None:
                raise Refused
            return verified(token, key, asked.algorithm)
        except Unsound:
            raise Refused from None

    def _issuer_of(self, token: str) -> _Known | None:
        """Return whose a token seems to be: as it says, or by its prefix if it says nothing."""
        if not self._known or not token or token.startswith(OURS):
            return None
        if looks_signed(token):
            try:
                return self._known.get(peek(token).issuer)
            except Unsound:
                return None
        if len(token) > LONGEST or not _TOKEN.fullmatch(token):
            return None
        # The longest prefix first: one without any takes what the others leave.
        known = sorted(self._known.values(), key=lambda k: -len(k.issuer.token_prefix))
        return next((one for one in known if one.takes_opaque(token)), None)

    def _of(self, issuer: Issuer) -> _Known:
        http = self._http(loopback=issuer.loopback)
        documents = IssuerDocuments(issuer, http)
        settings = issuer.introspection
        asking = Introspecting(settings, documents, http) if settings is not None else None
        return _Known(issuer, documents, asking)

    def _http(self, *, loopback: bool) -> httpx2.AsyncClient:
        if loopback not in self._clients:
            client = self._factory(loopback=loopback, timeout=TIMEOUT, limit=LARGEST)
            self._clients[loopback] = client
        return self._clients[loopback]
