"""What goes back to the client: upstream's answer while it comes, or an answer of our own."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urljoin

from ...wire import egress as wire
from ...wire.errors import ValetError
from ..egress import Request, Streamed
from ..egress.origin import split_url
from ..oauth import Profile
from .headers import incoming

logger = logging.getLogger(__name__)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_SMALL = 64 * 1024
"""An answer of so many bytes is looked at whole, so that one that is withheld has a fixed text."""


class Answering:
    """The one answer to a request with these `asked` headers."""

    def __init__(self, asked: Headers, send: Send) -> None:
        self._asked = asked
        self._send = send
        self._begun = False

    async def pass_on(self, profile: Profile, request: Request, answer: Streamed) -> None:
        """Send upstream's answer as it comes. Raises as reading it does."""
        headers = incoming(answer.headers, lambda url: self._rewritten(profile, request, url))
        if (length := answer.length) is not None:
            headers.append((b"content-length", b"%d" % length))
        if request.method == "HEAD" or answer.status in (204, 304):
            await self._whole(answer.status, headers, b"")
        elif length is not None and length <= _SMALL:
            await self._whole(answer.status, headers, await answer.whole())
        else:
            async for piece in answer.pieces():
                await self._begin(answer.status, headers)
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            await self._whole(answer.status, headers, b"")

    async def tell(self, profile: Profile) -> None:
        """Say where the credential of `profile` may go."""
        view = wire.EgressView(profile.name, profile.title, [str(o) for o in profile.origins])
        await self._json(200, view.to_json())

    async def refuse(self, error: ValetError, body: Mapping[str, Any]) -> None:
        """Answer with an error of ours; an answer that has begun breaks off instead."""
        if self._begun:
            logger.warning("an answer was broken off: %s", error.code)
            return
        await self._json(error.kind.status, body)

    def _rewritten(self, profile: Profile, request: Request, url: str) -> str:
        """Return `url` as one of ours when the credential goes there, too; else as it is.

        A library that followed it as it is would send its capability there.
        """
        try:
            origin, target = split_url(urljoin(request.url, url).partition("#")[0])
        except ValueError:
            return url
        if origin not in profile.origins:
            return url
        host = next(v.decode("latin-1") for n, v in self._asked if n.lower() == b"host")
        return f"http://{host}{wire.base(profile.name, str(origin))}{target}"

    async def _json(self, status: int, data: Mapping[str, Any]) -> None:
        body = json.dumps(data, separators=(",", ":")).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        await self._whole(status, headers, body)

    async def _begin(self, status: int, headers: Headers) -> None:
        if not self._begun:
            self._begun = True
            start = {"type": "http.response.start", "status": status, "headers": headers}
            await self._send(start)

    async def _whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send what there is (left) to send."""
        await self._begin(status, headers)
        await self._send({"type": "http.response.body", "body": body})
