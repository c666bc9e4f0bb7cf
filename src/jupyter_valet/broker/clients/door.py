"""The door that only the Jupyter server opens: what comes through it, the server forwarded."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from ...wire.clients import DOOR_PREFIX, HEADER, Arrival, digest
from ...wire.errors import ValetError

_AUTHORIZATION = b"authorization"
_ARRIVAL = HEADER.encode()


class Door:
    """Knows the secret of its server by its digest; an empty digest opens for nobody."""

    def __init__(self, digest: str) -> None:
        self._digest = digest

    def arrival(self, scope: Mapping[str, Any]) -> Arrival:
        """Return what the server says of the request that it forwards.

        Raises `ValetError` ("capability_refused") for anybody else's request.
        """
        shown = [v for n, v in scope["headers"] if n.lower() == _AUTHORIZATION]
        told = [v for n, v in scope["headers"] if n.lower() == _ARRIVAL]
        if len(shown) != 1 or len(told) != 1 or not self._opens(shown[0].decode("latin-1")):
            raise ValetError("capability_refused")
        try:
            return Arrival.decode(told[0].decode("latin-1"))
        except ValueError:
            raise ValetError("capability_refused") from None

    def _opens(self, authorization: str) -> bool:
        secret = authorization.removeprefix("Bearer ")
        return bool(self._digest) and (
            secret.startswith(DOOR_PREFIX) and hmac.compare_digest(digest(secret), self._digest)
        )


def without_door(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scope without the secret and what came with it: nothing behind needs them."""
    headers = [h for h in scope["headers"] if h[0].lower() not in (_AUTHORIZATION, _ARRIVAL)]
    return {**scope, "headers": headers}
