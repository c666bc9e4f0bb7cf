"""All pages under the names that the control channel knows them by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..audit import Audit
from ..connections import Connections, Probes
from ..elicitation import Transaction, Transactions
from ..kernels import Kernels
from ..oauth import OAuthClient, Profile
from ..policy import Policy
from ..vault import Vault
from . import facts
from .by_code import ByCode
from .connections import ConnectionsPage
from .desk import Desk
from .forms import Forms
from .leave import Leave
from .nonces import Nonces
from .sign_in import SignIn


class Consent:
    """What a person is shown, and what becomes of what they press."""

    def __init__(
        self,
        vault: Vault,
        audit: Audit,
        profiles: Mapping[str, Profile],
        oauth: OAuthClient,
        connections: Connections,
        transactions: Transactions,
        probes: Probes,
        policy: Policy,
        kernels: Kernels,
    ) -> None:
        self.desk = Desk(audit, profiles, connections, transactions, policy, kernels)
        leave = Leave(self.desk)
        sign_in = SignIn(self.desk, leave, vault, oauth, probes)
        by_code = ByCode(self.desk, sign_in, sign_in.provider)
        self.nonces = Nonces()
        page = ConnectionsPage(self.desk, self.nonces)
        self.on_connections_page = page.parts.append
        self.save = Forms(self.desk, sign_in).save
        self.approve, self.callback = sign_in.approve, sign_in.callback
        self.code, self.resume, self.close = by_code.press, by_code.resume, by_code.close
        self.accept, self.grant, self.allow = leave.accept, leave.grant, leave.allow
        self.connections_page, self.connections_end = page.show, page.end
        self.grants_change, self.grants_end = page.change_grant, page.end_grant

    async def open(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say what the page of a transaction shows, and give the nonce that approves it.

        Opening a page again gives the same nonce (a browser may load twice), until it is used.
        """
        transaction = self.desk.mine(params)
        if not transaction.state.final:
            self.desk.check_server(transaction, params["origin"])
            transaction = self.desk.opened(transaction)
        return facts.page(self.desk, transaction, params["origin"]).to_json()

    async def decline(self, params: dict[str, Any]) -> dict[str, Any]:
        """End the transaction because the person said no on the page."""
        transaction = self.desk.mine(params)
        self.desk.check_nonce(transaction, params["nonce"])
        if not transaction.state.final:
            self.desk.change(transaction, Transaction.declined)
            self.desk.record(_DECLINED.get(transaction.kind, "transaction.declined"), transaction)
        return {}

    async def done(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say how it ended, for the last page."""
        return facts.done(self.desk, self.desk.mine(params)).to_json()


_DECLINED = {"approval": "approval.declined"}
