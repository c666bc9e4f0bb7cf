"""Looking a token up at its issuer (RFC 7662), and believing the answer for a moment."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import anyio
import httpx2

from ....wire.errors import ValetError
from ...oauth.strict_json import loads_object
from ...reveal import reveal
from ...secret import Secret
from ..authenticator import Refused, Unreachable
from .keys import IssuerDocuments
from .settings import Introspection

GOOD_SECONDS = 30.0
"""How long an active token is believed: so long may a revoked one go on."""

BAD_SECONDS = 10.0
"""How long a token that is not active is refused without asking."""

_MOST = 1024
_AT_ONCE = 8
"""Questions under way: strangers must not have us flood the issuer."""

_LONGEST_SECRET = 4096

_ENDPOINT = "introspection_endpoint"

Answer = dict[str, Any]


class Introspecting:
    """Asks one issuer, as the client that the configuration names."""

    def __init__(
        self,
        settings: Introspection,
        documents: IssuerDocuments,
        http: httpx2.AsyncClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._documents = documents
        self._http = http
        self._clock = clock
        self._answers: OrderedDict[bytes, tuple[float, Answer | None]] = OrderedDict()
        self._room = anyio.CapacityLimiter(_AT_ONCE)

    async def claims(self, token: str) -> Answer:
        """Return what the issuer says of an active token.

        Raises `Refused` for one that is not active, `Unreachable`. It is remembered by its digest.
        """
        digest = hashlib.sha256(token.encode()).digest()
        until, answer = self._answers.get(digest, (0.0, None))
        if until <= self._clock():
            answer = await self._ask(token)
            self._remember(digest, answer)
        if answer is None:
            raise Refused
        return answer

    def _remember(self, digest: bytes, answer: Answer | None) -> None:
        seconds = BAD_SECONDS if answer is None else GOOD_SECONDS
        self._answers.pop(digest, None)
        self._answers[digest] = (self._clock() + seconds, answer)
        while len(self._answers) > _MOST:
            self._answers.popitem(last=False)

    async def _ask(self, token: str) -> Answer | None:
        form = {"token": token, "token_type_hint": "access_token"}
        try:
            async with self._room:  # also for the metadata, which nobody has while it is down
                url = self._settings.endpoint or await self._documents.endpoint(_ENDPOINT)
                headers = {"Accept": "application/json"}
                answer = await self._http.post(url, data=form, headers=headers, auth=self._us())
            found = loads_object(answer.content) if answer.status_code == 200 else None
        except (httpx2.HTTPError, ValetError, ValueError):
            raise Unreachable from None
        if found is None:
            raise Unreachable
        return found if found.get("active") is True else None

    def _us(self) -> httpx2.BasicAuth:
        """Return our client's credential, each part encoded by itself (RFC 6749 §2.3.1)."""
        secret = _secret(self._settings)
        return httpx2.BasicAuth(quote_plus(self._settings.client_id), quote_plus(reveal(secret)))


def _secret(settings: Introspection) -> Secret:
    """Read the secret each time: it is kept in one place, and may be changed there."""
    try:
        with settings.client_secret_file.open(encoding="utf-8") as file:
            return Secret(file.read(_LONGEST_SECRET).strip())
    except (OSError, UnicodeDecodeError):
        raise Unreachable from None
