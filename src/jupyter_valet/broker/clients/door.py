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
    """Knows its server's secret by its digest, until it is shown; an empty digest is nobody's."""

    def __init__(self, digest: str) -> None:
        self._digest = digest
        self._opened = b""
        """The header that has opened it."""

    def open(self, scope: Mapping[str, Any]) -> tuple[Arrival, dict[str, Any]]:
        """Return what the server says of the request that it forwards, and the request's scope.

        In it is neither the secret nor what came with it: nothing behind the door needs them.
        Raises `ValetError` ("capability_refused") for anybody else's request.
        """
        shown, told, headers = [], [], []
        for header in scope["headers"]:
            name = header[0].lower()
            if name == _AUTHORIZATION:
                shown.append(header[1])
            elif name == _ARRIVAL:
                told.append(header[1])
            else:
                headers.append(header)
        if len(shown) != 1 or len(told) != 1 or not self._opens(shown[0]):
            raise ValetError("capability_refused")
        try:
            return Arrival.decode(told[0].decode("latin-1")), {**scope, "headers": headers}
        except ValueError:
            raise ValetError("capability_refused") from None

    def _opens(self, authorization: bytes) -> bool:
        if self._opened and hmac.compare_digest(authorization, self._opened):
            return True
        secret = authorization.decode("latin-1").removeprefix("Bearer ")
        if not (self._digest and secret.startswith(DOOR_PREFIX)):
            return False
        if not hmac.compare_digest(digest(secret), self._digest):
            return False
        self._opened = authorization
        return True
