"""The nonce of the connections page, which every press on it spends."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from ...wire.errors import ValetError
from .desk import same


class Nonces:
    """One for each person, kept in this process only; a press makes the page out of date."""

    def __init__(self) -> None:
        self._nonces: dict[str, str] = {}

    def of(self, principal: str) -> str:
        """Return the person's nonce; a page that is loaded again has the same."""
        return self._nonces.setdefault(principal, secrets.token_urlsafe(32))

    def spend(self, params: Mapping[str, Any]) -> str:
        """Return the person who pressed. Raises `ValetError` ("page_out_of_date")."""
        principal: str = params["principal"]
        if not same(self._nonces.get(principal, ""), params["nonce"] or " "):
            raise ValetError("page_out_of_date")
        del self._nonces[principal]
        return principal
