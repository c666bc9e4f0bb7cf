"""One request to the broker and its answer back, both as they come: nothing is read here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from ...wire.clients import HEADER, ROUTE, Arrival
from ...wire.errors import ValetError

_REQUEST = frozenset({"accept", "content-type", "last-event-id"})
_RESPONSE = frozenset(
    {
        "content-type",
        "content-length",
        "cache-control",
        "retry-after",
        "www-authenticate",
        "x-accel-buffering",
    }
)
_MCP = "mcp-"

CONNECT_SECONDS = 10.0

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Answered:
    """The head of the broker's answer, and its body as it comes."""

    status: int
    headers: list[tuple[str, str]]
    body: AsyncIterator[bytes]

    @property
    def streams(self) -> bool:
        """Whether its body comes bit by bit."""
        return any(
            name.lower() == "content-type" and value.startswith("text/event-stream")
            for name, value in self.headers
        )


class Forwarding:
    """Keeps connections to the broker's listener. `secret` opens its door."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def request(
        self, broker: str, method: str, headers: Headers, body: bytes | None, arrival: Arrival
    ) -> AsyncIterator[Answered]:
        """Send a request to the broker at URL `broker`; leaving the block ends it there, too.

        Raises `ValetError` ("broker_unreachable").
        """
        sent = [*passed(headers, _REQUEST)]
        sent += [("Authorization", f"Bearer {self._secret}"), (HEADER, arrival.encode())]
        try:
            answer = await self._open().request(method, broker + ROUTE, headers=sent, data=body)
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise ValetError("broker_unreachable") from None
        try:
            answered = [*passed(answer.headers.items(), _RESPONSE)]
            yield Answered(answer.status, answered, _chunks(answer))
        finally:
            answer.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # A stream of notifications lasts as long as its client wants it to.
            patience = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=5.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=patience,
                auto_decompress=False,
                skip_auto_headers=("Accept", "User-Agent", "Content-Type", "Accept-Encoding"),
                trust_env=False,
            )
        return self._session


def passed(headers: Headers, names: frozenset[str]) -> Iterable[tuple[str, str]]:
    """Return the headers that go through, each as often as it was there."""
    for name, value in headers:
        if name.lower() in names or name.lower().startswith(_MCP):
            yield name, value


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError):
        raise ValetError("broker_unreachable") from None
