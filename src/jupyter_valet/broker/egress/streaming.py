"""An answer that is passed on while it arrives: its head at once, its body piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp

from ...wire.errors import ValetError
from .passing import Found, Passing
from .reflection import Reflection

_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
_PIECE = 64 * 1024
"""Bytes that are looked at at once, at most: looking takes a few copies of them."""


class Withheld(ValetError):
    """The answer contained the credential; nobody gets any of it (R93–R109, R142)."""


@dataclass(frozen=True)
class Limits:
    """What one streamed exchange may take: bytes each way, and seconds."""

    request_bytes: int = 1_000_000_000
    response_bytes: int = 10_000_000_000
    """After decompression."""
    idle_seconds: float = 60.0
    """For which nothing may come from upstream."""
    seconds: float = 3600.0
    """For all of it."""

    @property
    def timeout(self) -> aiohttp.ClientTimeout:
        """The same for the HTTP client."""
        return aiohttp.ClientTimeout(
            total=self.seconds, sock_connect=self.idle_seconds, sock_read=self.idle_seconds
        )


LIMITS = Limits()


class Streamed:
    """An answer whose head is without the credential, and whose body is looked at as it comes."""

    def __init__(
        self,
        answer: aiohttp.ClientResponse,
        reflection: Reflection,
        limits: Limits,
        failed: Callable[[Exception], ValetError],
        provider: str,
    ) -> None:
        """Raise `Withheld`, and `ValetError` for an encoding that could hide the credential."""
        self._answer = answer
        self._reflection = reflection
        self._limits = limits
        self._failed = failed
        self._provider = provider
        self.status = answer.status
        if reflection.found_in(head_of(answer)):
            raise self._withheld()
        check_encoding(answer.headers.get("Content-Encoding", ""), answer.status, provider)

    @property
    def headers(self) -> dict[str, str]:
        """Names are in lower case; what comes several times is one line (RFC 9110 §5.3)."""
        found: dict[str, str] = {}
        for name, value in self._answer.headers.items():
            known = found.get(name.lower())
            found[name.lower()] = value if known is None else f"{known}, {value}"
        return found

    @property
    def length(self) -> int | None:
        """Bytes that will come, if that is known: not when they are decompressed on the way."""
        encoded = self._answer.headers.get("Content-Encoding", "").strip().lower()
        return None if encoded not in ("", "identity") else self._answer.content_length

    async def whole(self) -> bytes:
        """Return the whole body, which is known to be small. Raises as `pieces` does."""
        try:
            body = await self._answer.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._failed(error) from None
        if self._reflection.found_in(body):
            raise self._withheld()
        return body

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what may leave, as soon as it may.

        Raises `Withheld` and `ValetError` (`response_too_large`, `provider_unreachable`); then the
        rest must not be made up for by anything: an answer that breaks off is no answer.
        """
        passing = Passing(self._reflection)
        left = self._limits.response_bytes
        try:
            async for piece in self._answer.content.iter_chunked(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise self._too_large()
                if clear := passing.feed(piece):
                    yield clear
            if clear := passing.end():
                yield clear
        except Found:
            raise self._withheld() from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._failed(error) from None

    def _withheld(self) -> Withheld:
        return Withheld("response_withheld", provider=self._provider)

    def _too_large(self) -> ValetError:
        limit = f"{self._limits.response_bytes:,} bytes"
        return ValetError("response_too_large", provider=self._provider, limit=limit)


def head_of(answer: aiohttp.ClientResponse) -> bytes:
    """Return everything an upstream could echo into besides the body."""
    lines = [name + b": " + value for name, value in answer.raw_headers]
    return b"\n".join([(answer.reason or "").encode("utf-8", "replace"), *lines])


def check_encoding(encoding: str, status: int, provider: str) -> None:
    """Refuse an encoding that could hide the credential from us (R105)."""
    if encoding.strip().lower() not in _ENCODINGS:
        raise ValetError("upstream_error", provider=provider, status=status)
