"""Client id metadata documents (CIMD): a client id that is the URL of what it means (AS-04, BP-14).

draft-ietf-oauth-client-id-metadata-document. The address is a stranger's, so it is dialled as any
provider's: public addresses, https, no redirects, one deadline, one size.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import httpx2

from ...wire.errors import ValetError
from ..egress.origin import split_url
from ..egress.vetted import vetted_client
from ..oauth.strict_json import loads_object
from .registration import Registration, checked_name, checked_redirects
from .registry import Registry

LARGEST = 10_000
"""Bytes of a document; the draft (§6.6) suggests 5 KB."""

SECONDS = 5.0
SHORTEST_LIFE, USUAL_LIFE, LONGEST_LIFE = 300, 3600, 86_400
"""Seconds for which a document is believed, whatever its server says (draft, §4.2)."""

_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=([0-9]{1,9})(?:$|[,\s])")
_SECRETS = ("client_secret", "client_secret_expires_at")

Open = Callable[[], httpx2.AsyncClient]


def _open() -> httpx2.AsyncClient:
    return vetted_client(loopback=False, timeout=SECONDS, limit=LARGEST)


class Documents:
    """Programs by the URLs of their documents, fetched when they are not fresh any more."""

    def __init__(
        self,
        registry: Registry,
        *,
        fetches: bool = True,
        http: Open = _open,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._fetches = fetches
        """Whether the metadata say that such client ids are understood."""
        self._http = http
        self._clock = clock

    async def program(self, client_id: str) -> Registration:
        """Return what the document says now.

        Raises `ValetError`: "client_document_refused" or "client_document_unreachable", and
        "unknown_program" where none is fetched.
        """
        if not self._fetches:
            raise ValetError("unknown_program")
        found = self._registry.get(client_id)
        if found is not None and self._clock() < found.fresh_until:
            return found
        registration = await self._fetched(client_id)
        self._registry.see(registration)
        return registration

    async def _fetched(self, client_id: str) -> Registration:
        try:
            async with self._http() as http:
                answer = await http.get(client_id, headers={"Accept": "application/json"})
        except httpx2.TransportError:
            raise _unreachable(client_id) from None
        except httpx2.DecodingError:
            raise _refused("its address answers with it compressed") from None
        except ValetError as error:
            if error.code == "provider_unreachable":  # its host has no address here
                raise _unreachable(client_id) from None
            raise _refused(error.message) from None
        if answer.status_code != httpx2.codes.OK:
            raise _refused(f"its address answers with status {answer.status_code}")
        now = self._clock()
        life = lifetime(answer.headers.get("cache-control", ""))
        try:
            return read(client_id, answer.content, made_at=now, fresh_until=now + life)
        except ValueError as error:
            raise _refused(str(error)) from None


def is_url(client_id: str) -> bool:
    """Tell whether a client id is the URL of a document (draft, §3): https, with a path."""
    try:
        origin, target = split_url(client_id)
    except ValueError:
        return False
    return origin.scheme == "https" and len(target) > 1 and target.startswith("/")


def read(client_id: str, body: bytes, *, made_at: float, fresh_until: float) -> Registration:
    """Return the program that a document describes. Raises `ValueError` with why not."""
    document = loads_object(body)
    if document.get("client_id") != client_id:
        raise ValueError("it names another client id")
    if any(name in document for name in _SECRETS) or not _is_public(document):
        raise ValueError("only clients without a secret are taken here")
    try:
        uris = checked_redirects(document.get("redirect_uris"), _application_type(document))
    except ValueError:
        raise ValueError("its redirect URIs are unfit") from None
    return Registration(
        client_id=client_id,
        name=checked_name(document.get("client_name"), "A program without a name"),
        redirect_uris=uris,
        application_type=_application_type(document),
        document=True,
        made_at=made_at,
        fresh_until=fresh_until,
    )


def lifetime(cache_control: str) -> float:
    """Return for how many seconds a document is believed, within our bounds."""
    text = cache_control.lower()
    if "no-store" in text or "no-cache" in text:
        return SHORTEST_LIFE
    found = _MAX_AGE.search(text)
    return min(max(int(found[1]), SHORTEST_LIFE), LONGEST_LIFE) if found else USUAL_LIFE


def _is_public(document: dict[str, Any]) -> bool:
    return bool(document.get("token_endpoint_auth_method", "none") == "none")


def _application_type(document: dict[str, Any]) -> str:
    kind = document.get("application_type")
    return kind if kind in ("native", "web") else ""


def _unreachable(client_id: str) -> ValetError:
    return ValetError("client_document_unreachable", host=split_url(client_id)[0].host)


def _refused(what: str) -> ValetError:
    return ValetError("client_document_refused", what=what.rstrip("."))
