"""What of the connections page is about programs outside of the notebooks: their API keys."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...wire.clients import KEY_DAYS
from ...wire.errors import ValetError
from ...wire.views import ClientKeyView, ScopeView
from ..clients import ClientKeys
from ..clients.key import ClientKey
from ..clients.scopes import READ, WRITE, words
from ..policy import Grant
from . import choices as chosen
from .desk import Desk
from .nonces import Nonces


@dataclass(frozen=True)
class Programs:
    """The person's keys. `toolsets` names those that there are for a person."""

    desk: Desk
    nonces: Nonces
    keys: ClientKeys
    toolsets: Callable[[str], list[str]]

    def facts(self, principal: str) -> dict[str, Any]:
        """Return what the page shows: the keys, and for what another may be made."""
        narrow = (f"{whole}:{one}" for one in self.toolsets(principal) for whole in _ALL)
        return {
            "keys": [self._view(key).to_json() for key in self.keys.of(principal)],
            "scopes": [ScopeView(scope, words(scope)).to_json() for scope in (*_ALL, *narrow)],
        }

    async def make_key(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make a key, and return it for the one page that shows it. Raises `ValetError`."""
        principal, form = self.nonces.spend(params), params["choices"]
        scopes = chosen.ticked(form, "scope")
        key, token = self.keys.make(principal, form.get("name", ""), scopes, _days(form))
        return {"token": token, "key": self._view(key).to_json()}

    async def end_key(self, params: dict[str, Any]) -> dict[str, Any]:
        """Revoke a key. Raises `ValetError`."""
        self.keys.revoke(self.nonces.spend(params), params["key"])
        return {}

    def _view(self, key: ClientKey) -> ClientKeyView:
        return ClientKeyView(
            id=key.id,
            name=key.name,
            scopes=[ScopeView(scope, words(scope)) for scope in sorted(key.scopes)],
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            expired=not key.lasts(time.time()),
            grants=granted(self.desk, key.principal, key.client.id),
        )


def granted(desk: Desk, principal: str, client: str) -> list[str]:
    """Return what a program was given, in words."""
    grants = desk.policy.grants.of_client(principal, client)
    return sorted(filter(None, (_words(desk, grant) for grant in grants)))


def _words(desk: Desk, grant: Grant) -> str:
    """Return what a grant is for; nothing of one whose connection has gone."""
    connection = desk.connections.get(grant.subject.principal, grant.connection)
    if connection is None:
        return ""
    profile = desk.profiles.get(connection.provider)
    title = profile.title if profile else connection.provider
    access = "read and write" if grant.access == "read_write" else "read"
    return f"{title}: {connection.account.label} ({access})"


_ALL = (READ, WRITE)


def _days(form: Mapping[str, str]) -> int:
    text = form.get("days", "")
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) not in KEY_DAYS:
        raise ValetError("bad_request", what="the form cannot be used (the time)")
    return int(text)
