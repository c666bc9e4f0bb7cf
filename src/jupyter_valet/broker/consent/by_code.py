"""Signing in by a code (RFC 8628), for a browser that the provider cannot send back to this server.

The code is made after the person approved, shown on their isolated page and nowhere else, and asked
about until it was typed, whether the page is open or not. The task that asks ends with the
transaction, and begins again with the broker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import Any

from ...wire.errors import ValetError
from ...wire.views import Kind
from ..control import describe
from ..elicitation import Transaction
from ..oauth import DeviceCode, Profile, ProviderUnreachable, WithoutBrowser, rfc8628
from .desk import Desk, same
from .sign_in import SignIn

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ByCode:
    """From the press that asks for a code to the tokens."""

    desk: Desk
    sign_in: SignIn
    provider: WithoutBrowser
    _asking: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def press(self, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the provider for a code; the page shows it next.

        Where the provider wants an app of another kind for it, and none is on file, the page asks
        for that first. Raises `ValetError`, as `SignIn.approve` does.
        """
        transaction = self.desk.mine(params)
        if transaction.device is not None:  # the second half of a double click
            return {}
        transaction = self.desk.pressed(params)
        profile = self._checked(transaction)
        app = self.desk.connections.app(profile.name, for_codes=True)
        if app is None:
            self.desk.change(transaction, Transaction.choosing_code)
            return {}
        await self.sign_in.probe(transaction, profile)
        code = await self.provider.ask_code(profile, app, transaction.scopes)
        approved = self.desk.change(
            transaction, lambda now: _approved(now, transaction.nonce, code)
        )
        if approved.device is None:  # it ended while we asked the provider
            raise ValetError("page_out_of_date")
        self.desk.record("transaction.approved", transaction, reason="by a code")
        self._ask_about(transaction.id)
        return {}

    def resume(self) -> None:
        """Go on asking about the codes that were out when the broker ended."""
        for transaction in self.desk.transactions.with_codes():
            self._ask_about(transaction.id)

    async def close(self) -> None:
        """Stop asking; what is pending is in the vault."""
        asking = [*self._asking.values()]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    # Steps -------------------------------------------------------------------------------------

    def _checked(self, transaction: Transaction) -> Profile:
        profile = self.desk.profile(transaction)
        if transaction.kind is not Kind.SIGN_IN or not profile.gives_codes:
            raise ValetError("page_out_of_date")
        if self.desk.low(transaction):
            raise ValetError("level_not_accepted")
        if beyond := profile.beyond_codes(transaction.scopes):
            words = ", ".join(profile.words(scope) for scope in sorted(beyond))
            raise ValetError("not_by_code", provider=profile.title, scopes=words)
        return profile

    def _ask_about(self, id: str) -> None:
        task = asyncio.create_task(self._ask_until_it_ends(id))
        self._asking[id] = task
        task.add_done_callback(lambda _: self._asking.pop(id, None))

    async def _ask_until_it_ends(self, id: str) -> None:
        try:
            # Another process on this vault may be asking, too: the provider wants one to.
            async with self.sign_in.vault.lock(f"code-{id}"):
                await self._ask(id)
        except Exception as error:
            logger.error("asking about a code failed: %s", describe(error))
            with contextlib.suppress(ValetError):  # it may be gone altogether
                self.desk.fail_with(self.desk.get(id), ValetError("internal"))

    async def _ask(self, id: str) -> None:
        """Poll until the person has answered, the code has run out or the transaction ended."""
        pace = 0.0
        while (transaction := self.desk.get(id)).device is not None:
            code = transaction.device
            pace = max(pace, code.interval)
            seen = await self.desk.transactions.wait(id, after=transaction.revision, timeout=pace)
            if seen.device is None:
                return
            profile = self.desk.profile(seen)
            try:
                app = self.sign_in.app(seen, profile, code.client_id)
                tokens = await self.provider.redeem_code(profile, app, code)
            except rfc8628.NotYet as later:
                pace = later.pace(pace)
            except ProviderUnreachable:
                pace = rfc8628.back_off(pace)
            except ValetError as error:
                self.sign_in.ended(seen, profile, error)
            else:
                await self.sign_in.settle(seen, profile, tokens)


def _approved(now: Transaction, nonce: str, code: DeviceCode) -> Transaction:
    """Take the step of an approval, good for the page that was pressed and no later one."""
    if not same(now.nonce, nonce):
        raise ValueError("the page was opened anew")
    return now.waiting_for_code(code)
