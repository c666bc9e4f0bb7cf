"""The keys of an issuer: found, kept for a while, and asked for again when one is missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import anyio
import httpx2
from joserfc.jwk import Key

from ....wire.errors import ValetError
from ...egress.origin import split_url
from ...oauth import rfc8414
from ...oauth.strict_json import loads_object
from ..authenticator import Unreachable
from .settings import Issuer
from .signed import Unsound, Unverified, keys_of, pick

FRESH_SECONDS = 3600.0
"""After how long keys are asked for again although none is missing."""

STALE_SECONDS = 24 * 3600.0
"""How long keys are believed while their issuer does not answer: one that it withdrew meanwhile
would open the endpoint for as long."""

AGAIN_SECONDS = 60.0
"""Between two questions because of a key that is not there: strangers name keys as they like."""

RETRY_SECONDS = 5.0
"""Between two questions to an issuer that did not answer, and of which nothing is known."""


class IssuerDocuments:
    """Metadata and keys of one issuer, over `http`, which reaches vetted addresses only."""

    def __init__(
        self,
        issuer: Issuer,
        http: httpx2.AsyncClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._http = http
        self._clock = clock
        self._keys: list[Key] = []
        self._fetched_at = -STALE_SECONDS
        self._asked_at = -AGAIN_SECONDS
        self._metadata: tuple[float, dict[str, Any]] = (-FRESH_SECONDS, {})
        self._turn = anyio.Lock()

    async def key(self, wanted: Unverified) -> Key | None:
        """Return the key that signed a token, as far as the issuer has it.

        Raises `Unreachable` when the issuer does not answer and nothing recent is known.
        """
        found = pick(self._keys, wanted) if self._age() < STALE_SECONDS else None
        if found is not None and (self._turn.locked() or not self._may_ask(wanted)):
            return found  # nobody waits for an issuer that is slow to say that nothing has changed
        async with self._turn:  # the first of many asks, the others find its answer
            if self._may_ask(wanted):
                await self._ask()
        if self._age() >= STALE_SECONDS:
            raise Unreachable
        return pick(self._keys, wanted)

    async def endpoint(self, name: str) -> str:
        """Return an endpoint that the issuer's metadata name. Raises `Unreachable`."""
        until, document = self._metadata
        if self._clock() - until >= FRESH_SECONDS:
            document = await self._discover()
            self._metadata = (self._clock(), document)
        url = document.get(name)
        try:
            origin, _ = split_url(url)  # type: ignore[arg-type]
        except (ValueError, AttributeError, TypeError):
            raise Unreachable from None
        if origin.loopback != self._issuer.loopback:
            raise Unreachable
        return str(url)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _may_ask(self, wanted: Unverified) -> bool:
        since = self._clock() - self._asked_at
        if self._age() >= STALE_SECONDS:
            return since >= RETRY_SECONDS
        missing = pick(self._keys, wanted) is None
        return (missing or self._age() >= FRESH_SECONDS) and since >= AGAIN_SECONDS

    async def _ask(self) -> None:
        self._asked_at = self._clock()
        try:
            url = self._issuer.jwks_uri or await self.endpoint("jwks_uri")
            document = await self._document(url)
            self._keys = keys_of(document or {})
        except (Unreachable, Unsound):
            return  # what is known may be good for a while yet
        self._fetched_at = self._clock()

    async def _discover(self) -> dict[str, Any]:
        """Return the metadata, which must be of this very issuer (RFC 8414 §3.3)."""
        for url in rfc8414.candidates(self._issuer.url):
            document = await self._document(url)
            if document is not None:
                if document.get("issuer") != self._issuer.url:
                    break
                return document
        raise Unreachable

    async def _document(self, url: str) -> dict[str, Any] | None:
        """Return a JSON object; None where there is none. Raises `Unreachable`."""
        try:
            answer = await self._http.get(url, headers={"Accept": "application/json"})
        except (httpx2.HTTPError, ValetError):
            raise Unreachable from None
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unreachable
        if answer.status_code != 200:  # a redirect is not followed (BP-12)
            return None
        try:
            return loads_object(answer.content)
        except ValueError:
            return None
