"""Everything the broker offers once its vault is open, built in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .._version import __version__
from ..wire.control import EVENT_AUDIT, StartParams
from ..wire.isolation import Isolation
from ..wire.routes import PAGE_CONNECTIONS
from ..wire.views import StatusView, TransactionView
from .apis import Apis
from .audit import Audit
from .authorized import Authorized
from .calls import Calls
from .catalogue import Catalogue
from .connections import Connections, Probes
from .consent import Consent
from .egress import Egress
from .elicitation import Transaction, Transactions
from .functions import Functions
from .hardening import Hardening
from .kernels import Caller, Kernels
from .level import level
from .mcp import Endpoint
from .oauth import OAuthClient, Profile, profiles
from .policy.access import Access
from .toolsets import toolsets
from .vault import Vault

SERVER_NAME = "jupyter-valet"


@dataclass(frozen=True)
class Services:
    """The parts that need the vault, wired together."""

    vault: Vault
    audit: Audit
    hardening: Hardening
    kernels: Kernels
    profiles: dict[str, Profile]
    connections: Connections
    transactions: Transactions
    calls: Calls
    functions: Functions
    consent: Consent
    endpoint: Endpoint

    def view(self, transaction: Transaction) -> TransactionView:
        """Return what the card of `transaction` shows."""
        profile = self.profiles[transaction.provider]
        host = urlsplit(transaction.origin).netloc
        view = transaction.view(f"{SERVER_NAME} at {host}", profile.title, profile.words)
        name, words = self._level(self.kernels.isolation_of(transaction.kernel_id))
        return replace(view, level=name, level_words=words)

    def status(self, caller: Caller) -> StatusView:
        """Return what `%valet` prints, with the level that holds for the kernel that asks."""
        name, words = self._level(caller.isolation)
        return StatusView(
            version=__version__,
            level=name,
            level_words=words,
            vault="unlocked",
            key_source=self.vault.key_source_words,
            providers=sorted(self.profiles),
            toolsets=sorted({tool.toolset for tool in self.calls.catalogue.everything(caller)}),
            connections_url=caller.origin + PAGE_CONNECTIONS,
        )

    def _level(self, isolation: Isolation) -> tuple[str, str]:
        return level(self.hardening, self.vault.key_source, isolation)


@asynccontextmanager
async def build(
    start: StartParams,
    vault: Vault,
    kernels: Kernels,
    hardening: Hardening,
    on_event: Callable[[str, dict[str, Any]], None],
) -> AsyncIterator[Services]:
    """Wire the services around an open vault, and close what they opened at the end."""
    known = profiles(start.providers, start.demo_issuer)
    audit = Audit(
        Path(start.state_dir) / "audit.jsonl",
        vault.key("audit"),
        lambda schema_id, data: on_event(EVENT_AUDIT, {"schema_id": schema_id, "data": data}),
    )
    oauth = OAuthClient()
    connections = Connections(vault, oauth, known, audit)
    transactions = Transactions(vault)
    egress = Egress()
    access = Access(connections)
    authorized = Authorized(access, connections, egress, audit)
    functions = Functions(kernels, access, known, audit)
    catalogue = Catalogue(Apis(toolsets(known), authorized, known), functions)
    functions.on_change = catalogue.changed
    calls = Calls(catalogue)
    endpoint = Endpoint(calls, transactions, kernels, vault, known)
    probes = Probes(vault, egress)
    consent = Consent(vault, audit, known, oauth, connections, transactions, probes)
    try:
        async with endpoint:
            yield Services(
                vault,
                audit,
                hardening,
                kernels,
                known,
                connections,
                transactions,
                calls,
                functions,
                consent,
                endpoint,
            )
    finally:
        await egress.close()
        await connections.close()
        await oauth.close()
