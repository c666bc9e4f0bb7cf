"""Asking an upstream server how to be let in, over the vetted egress alone (BP-09, CL-01 … CL-04).

Nothing is guessed: where the SDK's client falls back to paths of the server itself when it finds no
metadata, and would send a refresh token there, this one says that it cannot sign in (CL-18).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2

from ..._version import __version__
from ...wire.mcp import (
    HEADER_METHOD,
    HEADER_VERSION,
    META_CAPABILITIES,
    META_CLIENT,
    META_VERSION,
    PROTOCOL_VERSION,
)
from ...wire.routes import CLIENT_NAME
from ..egress.vetted import vetted_client
from ..oauth import OAuthClient, OAuthRefused, ProviderUnreachable
from ..oauth.client import HttpFactory
from ..oauth.rfc9728 import BadResource, Challenge, Resource, candidates, challenge, resource
from ..oauth.strict_json import loads_object
from .facts import Facts, profile
from .settings import Server

TIMEOUT = 20.0
"""Seconds for each of the few requests of a discovery."""

_DISCOVER = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "server/discover",
    "params": {
        "_meta": {
            META_VERSION: PROTOCOL_VERSION,
            META_CAPABILITIES: {},
            META_CLIENT: {"name": CLIENT_NAME, "version": __version__},
        }
    },
}
_HEADERS = {
    "Accept": "application/json, text/event-stream",
    HEADER_VERSION: PROTOCOL_VERSION,
    HEADER_METHOD: "server/discover",
}


class Discovery:
    """Finds out about servers."""

    def __init__(
        self,
        oauth: OAuthClient,
        *,
        clock: Callable[[], float] = time.time,
        http: HttpFactory = vetted_client,
    ) -> None:
        self._oauth = oauth
        self._clock = clock
        self._http = http

    async def look(self, server: Server, refused: Challenge | None = None) -> Facts:
        """Return how to be let in to `server`; `refused` is what it said when it refused.

        Without `refused` it is asked, without any credential. Raises `OAuthRefused` for metadata
        that cannot be used, `ProviderUnreachable`, `AddressRefused`.
        """
        async with self._http(loopback=server.loopback, timeout=TIMEOUT) as http:
            challenged = refused if refused is not None else await self._knock(http, server)
            if challenged is None:
                return Facts(server.url, self._clock())
            found = await self._resource(http, server, challenged)
        return await self._facts(server, found, challenged)

    async def _facts(self, server: Server, found: Resource, challenged: Challenge) -> Facts:
        unfinished = Facts(server.url, self._clock(), found.issuer, found.resource)
        made = profile(replace(server, key=None, key_env=""), unfinished)
        endpoints = await self._oauth.endpoints(made)
        return Facts.of(server, found, endpoints, challenged.scopes, self._clock())

    async def _knock(self, http: httpx2.AsyncClient, server: Server) -> Challenge | None:
        """Ask without a credential; None when the server lets anybody in."""
        try:
            response = await http.post(server.url, json=_DISCOVER, headers=_HEADERS)
        except httpx2.HTTPError:
            raise ProviderUnreachable(server.words) from None
        if response.status_code == 401:
            return challenge(response.headers.get("www-authenticate", ""))
        if response.status_code >= 500 or response.status_code == 429:
            raise ProviderUnreachable(server.words)
        return None

    async def _resource(
        self, http: httpx2.AsyncClient, server: Server, challenged: Challenge
    ) -> Resource:
        """Ask the places of RFC 9728 in turn; the first document decides.

        A server without any may be its own authorization server, as before 2025-06-18: then its
        origin must have metadata of its own, as for every issuer.
        """
        for url in candidates(server.url, challenged):
            document = await self._document(http, server, url)
            if document is not None:
                try:
                    return resource(server.url, document)
                except BadResource:
                    raise OAuthRefused(server.words, "resource_mismatch") from None
        return Resource(server.url, str(server.origin))

    async def _document(
        self, http: httpx2.AsyncClient, server: Server, url: str
    ) -> dict[str, Any] | None:
        try:
            response = await http.get(url, headers={"Accept": "application/json"})
        except httpx2.HTTPError:
            raise ProviderUnreachable(server.words) from None
        if response.status_code != 200:  # a redirect is not followed (BP-12), so it is no document
            return None
        try:
            return loads_object(response.content)
        except ValueError:
            return None
