"""The one token of a stock server, which proves its owner.

Such a provider compares what is shown with its own `token`, and looks at nothing else (Jupyter
Server, `IdentityProvider.get_user_token`); the authorizer that comes with it lets everybody in. So
as long as both are Jupyter's own and the token is the string for which they were asked, neither is
asked again: their answer costs a program more than the rest of the head.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from jupyter_server.auth.authorizer import AllowAllAuthorizer
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider, User

_STOCK = (IdentityProvider, PasswordIdentityProvider)


def is_stock(provider: Any) -> bool:
    """Tell whether it is one of Jupyter's own; a subclass may look at anything."""
    return type(provider) in _STOCK


class Known:
    """Remembers the token that proved the owner, until the server's token is another."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        """Tornado's, where Jupyter keeps its identity provider and its authorizer."""
        self._token = ""
        self.user: User | None = None
        """The owner, as Jupyter had them when it was asked."""

    def is_owners(self, shown: str) -> bool:
        """Tell whether Jupyter would say so if it were asked; False: it must be asked."""
        mine = self._servers()
        return bool(mine) and mine == self._token and _same(shown, mine)

    def learn(self, shown: str, user: User | None) -> None:
        """Remember that Jupyter took this token for the owner's, if it did because of the token."""
        mine = self._servers()
        if mine and _same(shown, mine):
            self._token, self.user = mine, user

    def _servers(self) -> str:
        """Return the server's token; empty when it alone does not decide."""
        provider: Any = self._settings.get("identity_provider")
        authorizer = self._settings.get("authorizer")
        decides = is_stock(provider) and type(authorizer) is AllowAllAuthorizer
        return str(provider.token) if decides else ""


def _same(shown: str, mine: str) -> bool:
    return hmac.compare_digest(shown.encode(), mine.encode())
