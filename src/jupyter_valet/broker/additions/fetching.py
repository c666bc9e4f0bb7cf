"""Fetches the document of an API that the configuration names by its address.

Only the configuration's: what a notebook names, the notebook fetches, with its own network.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx2

from ...wire.errors import ValetError
from ...wire.toolsets import MAX_DOCUMENT
from ..egress.origin import Origin
from ..egress.vetted import vetted_client


async def fetched(url: str) -> bytes:
    """Return what is at `url`. Raises `ValetError` ("bad_document", "address_refused")."""
    parts = urlsplit(url)
    loopback = Origin.parse(f"{parts.scheme}://{parts.netloc}").loopback
    try:
        async with vetted_client(loopback=loopback, timeout=60, limit=MAX_DOCUMENT) as http:
            answer = await http.get(url)
    except httpx2.TransportError:
        raise ValetError("bad_document", what="its address does not answer") from None
    except httpx2.DecodingError:
        raise ValetError("bad_document", what="its address answers with it compressed") from None
    if answer.status_code != httpx2.codes.OK:
        what = f"its address answers with status {answer.status_code}"
        raise ValetError("bad_document", what=what)
    return answer.content
