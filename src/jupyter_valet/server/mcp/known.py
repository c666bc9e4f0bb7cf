"""The one token of a stock server, and whom its identity provider found by it.

Such a provider compares what is shown with its own `token`, and looks at nothing else (Jupyter
Server, `IdentityProvider.get_user_token`). So as long as both are the same strings as when it was
asked, it is not asked again: its answer costs a program more than the rest of the head, because it
makes up a name for somebody new each time.
"""

from __future__ import annotations

import hmac
from typing import Any

from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider

_STOCK = (IdentityProvider, PasswordIdentityProvider)


def is_stock(provider: IdentityProvider) -> bool:
    """Tell whether it is one of Jupyter's own; a subclass may look at anything."""
    return type(provider) in _STOCK


class Known:
    """Remembers one answer, until the server's token is another."""

    def __init__(self) -> None:
        self._token = ""
        self._user: Any = None

    def user(self, provider: IdentityProvider, shown: str) -> Any:
        """Return who shows this token; None when the provider must be asked."""
        mine = provider.token
        if not mine or mine != self._token:
            return None
        return self._user if _same(shown, mine) else None

    def learn(self, provider: IdentityProvider, shown: str, user: Any) -> None:
        """Remember whom the provider found, if it was by its token as it is."""
        if provider.token and _same(shown, provider.token):
            self._token, self._user = provider.token, user


def _same(shown: str, mine: str) -> bool:
    return hmac.compare_digest(shown.encode(), mine.encode())
