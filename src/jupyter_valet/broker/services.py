"""Everything the broker offers once its vault is open, built in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .._version import __version__
from ..wire.control import EVENT_AUDIT, StartParams
from ..wire.routes import PAGE_CONNECTIONS
from ..wire.views import StatusView, TransactionView
from .additions import Additions
from .apis import Apis
from .audit import Audit
from .authorization import AccessTokens, Authorization, Families
from .authorization.documents import Documents
from .authorization.registry import Registry
from .authorized import Authorized, ScopeHeaders
from .calls import Calls
from .catalogue import FINDING, Catalogue
from .client import PREFIX, Client
from .clients import Admissions, ClientKeys, Clients, Door, Ending, JupyterTokens, UnderWay
from .clients.issuers import IssuerTokens, read
from .clients.reception import Reception
from .connections import Connections, Probes
from .consent import Consent
from .consent.programs import Programs, granted
from .consent.signed_in import SignedIn
from .egress import Egress
from .elicitation import Transaction, Transactions
from .forward import Forward, ForwardLimits, Questions
from .functions import Functions
from .hardening import Hardening
from .holdings import Holdings
from .kernels import Caller, Kernels
from .level import level
from .mcp import Endpoint
from .oauth import OAuthClient, Profile, profiles
from .policy import Digests, Grants, Policy
from .policy.access import Access
from .search import Finding, Indexes
from .toolsets import toolsets
from .upstream import Upstreams, upstreams
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
    policy: Policy
    calls: Calls
    functions: Functions
    upstreams: Upstreams
    additions: Additions
    consent: Consent
    programs: Programs
    signed_in: SignedIn
    authorization: Authorization
    endpoint: Endpoint
    reception: Reception
    admissions: Admissions
    forward: Forward

    def view(self, transaction: Transaction) -> TransactionView:
        """Return what the card of `transaction` shows, by bare names where its API was removed."""
        profile = self.profiles.get(transaction.provider)
        host = urlsplit(transaction.origin).netloc
        view = transaction.view(
            f"{SERVER_NAME} at {host}",
            profile.title if profile else transaction.provider,
            profile.words if profile else str,
        )
        name, words = self.policy.levels(self.kernels.isolation_of(transaction.kernel_id))
        return replace(view, level=name, level_words=words)

    @cached_property
    def holdings(self) -> Holdings:
        """What notebooks hold of their person's connections."""
        return Holdings(self.profiles, self.connections, self.transactions, self.policy, self.view)

    def _providers(self, caller: Caller) -> set[str]:
        """Return the names that `%connect` knows for this caller."""
        known = {p.name for p in self.profiles.values() if p.visible_to(caller.principal)}
        return known | {s.name for s in self.upstreams.directory.all(caller)}

    def status(self, caller: Caller) -> StatusView:
        """Return what `%valet` prints, with the level that holds for the kernel that asks."""
        name, words = self.policy.levels(caller.isolation)
        return StatusView(
            version=__version__,
            level=name,
            level_words=words,
            vault="unlocked",
            key_source=self.vault.key_source_words,
            providers=sorted(self._providers(caller)),
            toolsets=sorted({tool.toolset for tool in self.calls.catalogue.everything(caller)}),
            connections_url=caller.origin + PAGE_CONNECTIONS,
        )

    async def notebook_moved(self, params: dict[str, Any]) -> dict[str, Any]:
        """Follow a notebook, or a folder of them, that the server renamed or deleted."""
        root, old, new = params["root"], params["old"], params["new"]
        self.policy.grants.moved(root, old, new)
        self.transactions.moved(root, old, new)
        self.additions.moved(root, old, new)
        self.upstreams.directory.moved(root, old, new)
        if new:
            self.kernels.moved(root, old, new)
        return {}


def _toolset_names(catalogue: Catalogue, principal: str) -> list[str]:
    """Return the toolsets that a program of this person may be let use."""
    somebody = Caller(principal, PREFIX, "", "", client=Client(PREFIX, "", frozenset()))
    return sorted({tool.toolset for tool in catalogue.everything(somebody)} - {FINDING})


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
    policy = Policy(
        audit,
        Grants(vault, audit),
        Digests(vault),
        partial(level, hardening, vault.key_source),
        start.wanted_level,
    )
    policy.follow(kernels)
    access = Access(connections, policy)
    authorized = Authorized(access, connections, egress, audit)
    functions = Functions(kernels, access, known, audit)
    sets = toolsets(known)
    catalogue = Catalogue(Apis(sets, authorized, known))
    catalogue.add(Finding(catalogue, Indexes(Path(start.state_dir) / "search")))
    functions.on_change = catalogue.changed
    connections.on_change = catalogue.changed
    calls = Calls(catalogue)
    endpoint = Endpoint(calls, transactions, kernels, vault, known)
    ending = Ending(policy.grants, transactions)
    keys = ClientKeys(vault, audit, ending)
    issuers = IssuerTokens(read(start.mcp_issuers), start.person)
    families = Families(vault)
    admissions = Admissions(vault, start.person)
    by_jupyter = JupyterTokens(admissions.seen)
    clients = Clients([by_jupyter, keys, AccessTokens(families), issuers], admissions.lasts)
    under_way = UnderWay(clients.caller, vault.data_version)
    ending.on_change(under_way.again)
    ending.on_end(under_way.end)
    ending.on_end(lambda who, client: policy.approvals.end_kernel(client, who))
    ending.on_end(lambda who, client: policy.grants.end_kernel(client, who))
    reception = Reception(Door(start.door), clients, under_way, calls, endpoint)
    registry = Registry(vault, families)
    names = partial(_toolset_names, catalogue)
    probes = Probes(vault, egress)
    consent = Consent(
        vault,
        audit,
        known,
        oauth,
        connections,
        transactions,
        probes,
        policy,
        kernels,
    )
    authorization = Authorization(
        registry,
        families,
        Documents(registry, fetches=start.client_documents),
        audit,
        names,
        partial(granted, consent.desk),
        ending,
    )
    programs = Programs(consent.desk, consent.nonces, keys, names)
    signed_in = SignedIn(consent.desk, consent.nonces, families, ending)
    consent.on_connections_page(programs)
    consent.on_connections_page(signed_in)
    forward = Forward(
        authorized,
        known,
        Questions(transactions, known, lambda transaction: services.view(transaction)),
        ForwardLimits.read(start.egress_limits),
        {t.provider: ScopeHeaders(t.granted_header, t.accepted_header) for t in sets},
    )
    try:
        async with (
            endpoint,
            under_way.watching(),
            upstreams(
                vault,
                audit,
                oauth,
                connections,
                transactions,
                access,
                known,
                start.mcp_servers,
                taken={*(t.name for t in sets), FINDING},
                folder=Path(start.state_dir) / "programs",
            ) as upstream,
        ):
            upstream.on_change = catalogue.changed
            catalogue.add(upstream)
            catalogue.before_listing(upstream.refresh)
            additions = Additions(
                vault,
                audit,
                known,
                Path(start.state_dir) / "toolsets",
                lambda toolset, mark: Apis([toolset], authorized, known, mark=mark),
                sets,
                (*start.mcp_servers, FINDING),
            )
            additions.on_change = catalogue.changed
            kernels.on_end(transactions.held.ended)
            kernels.on_end(additions.ended)
            kernels.on_end(upstream.directory.ended)
            kernels.on_end(upstream.ended)
            # Sessions at other servers, and programs that were started for it.
            ending.on_end(lambda who, client: upstream.ended(client, who))
            catalogue.add(additions)
            additions.start(start.apis)
            catalogue.before_listing(additions.ready)
            # Last, so that no function of a notebook takes the name of another source's tool.
            catalogue.add(functions)
            services = Services(
                vault,
                audit,
                hardening,
                kernels,
                known,
                connections,
                transactions,
                policy,
                calls,
                functions,
                upstream,
                additions,
                consent,
                programs,
                signed_in,
                authorization,
                endpoint,
                reception,
                admissions,
                forward,
            )
            consent.resume()
            try:
                yield services
            finally:
                await additions.close()
    finally:
        await consent.close()
        await issuers.close()
        await egress.close()
        await connections.close()
        await oauth.close()
