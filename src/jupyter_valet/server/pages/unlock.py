"""Where the vault's passphrase is typed, when that is the key source."""

from __future__ import annotations

import secrets

from ...wire import control
from ...wire.routes import PAGE_CONNECT, PAGE_CONNECTIONS, PAGE_UNLOCK
from . import navigation
from .base import NONCE, SIGN_IN, isolated
from .press import PostedForm


class Unlock(PostedForm):
    """Asks for the passphrase and hands it to the broker unread.

    The page's nonce is in the form's address, not in its body, because the broker keeps no nonce
    before the vault is open: this server made it when it showed the page to a logged-in person.
    """

    @isolated(navigation.shown)
    async def get(self, transaction: str | None) -> None:
        """Answer with the form, or say that there is nothing to unlock."""
        await self.person()
        vault = str((await self.ask(control.STATUS)).get("vault", ""))
        nonce = secrets.token_urlsafe(32)
        if vault == "locked":
            self.valet.unlocks.put(nonce, True)
        action = f"{self.request.path}?{NONCE}={nonce}"
        self.page("unlock.html", forms=True, vault=vault, action=action)

    @isolated(navigation.posted)
    async def post(self, transaction: str | None) -> None:
        """Unlock, and go where the person came from."""
        if not self.valet.unlocks.take(self.get_query_argument(NONCE, "")):
            return self.see_other(PAGE_UNLOCK, *filter(None, [transaction]))
        await self.ask(control.VAULT_UNLOCK, form=self.form())
        if transaction:
            return self.see_other(PAGE_CONNECT, transaction)
        return self.see_other(PAGE_CONNECTIONS)


HANDLERS = [(rf"{PAGE_UNLOCK}(?:/{SIGN_IN})?", Unlock)]
