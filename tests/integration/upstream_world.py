"""The upstream side around a real vault, with a person who signs in in a scripted browser."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from granting import policy_of, write_too
from oauth_harness import Browser, Clock

from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.catalogue import Call, ToolOutcome
from jupyter_valet.broker.connections import Connections, Probes
from jupyter_valet.broker.consent import Consent
from jupyter_valet.broker.egress import Egress
from jupyter_valet.broker.elicitation import NeedsAuthorization, Transaction, Transactions
from jupyter_valet.broker.kernels import Caller, Kernels
from jupyter_valet.broker.oauth import OAuthClient, Profile
from jupyter_valet.broker.policy.access import Access
from jupyter_valet.broker.upstream.assembly import upstreams
from jupyter_valet.broker.upstream.source import Upstreams
from jupyter_valet.broker.vault import Vault, open_vault

ORIGIN = "http://127.0.0.1:8888/user/jane/"
JANE = Caller("jane", "k1", "a.ipynb", ORIGIN)


class UpstreamWorld:
    """What a test holds."""

    oauth: OAuthClient

    def __init__(
        self,
        source: Upstreams,
        consent: Consent,
        vault: Vault,
        transactions: Transactions,
        browser: Browser,
    ) -> None:
        self.source = source
        self.consent = consent
        self.connections = consent.desk.connections
        self.profiles = consent.desk.profiles
        self.transactions = transactions
        self.browser = browser
        self.vault = vault
        self.events: list[dict[str, Any]] = []
        self.clock = Clock()

    async def call(
        self, name: str, arguments: Mapping[str, Any] | None = None, *, caller: Caller = JANE,
        **more: Any,
    ) -> ToolOutcome:  # fmt: skip
        """Run a tool as the catalogue does."""
        tool = self.source.find(caller, name)
        assert tool is not None, name
        tool.check(arguments or {})
        return await self.source.run(Call(caller, tool, arguments or {}, **more))

    async def signed_in_call(
        self, name: str, arguments: Mapping[str, Any] | None = None, **more: Any
    ) -> ToolOutcome:
        """Run a tool, and let the person sign in as often as that is asked for."""
        for _ in range(5):
            try:
                return await self.call(name, arguments, **more)
            except NeedsAuthorization as needs:
                await self.sign_in(needs, more.get("caller", JANE))
        raise AssertionError("it asks without end")

    async def connected(self, name: str = "up", caller: Caller = JANE) -> list[str]:
        """Connect to a server and return the names of its tools."""
        outcome = await self.signed_in_call(f"{name}_connect", caller=caller)
        return [tool["name"] for tool in outcome.data["tools"]]

    async def sign_in(self, needs: NeedsAuthorization, caller: Caller = JANE) -> Transaction:
        """Press the button, go through the provider's pages, come back."""
        transaction = self.transactions.create(
            caller, provider=needs.provider, scopes=needs.scopes, reason=needs.reason
        )
        where = {"transaction": transaction.id, "principal": caller.principal, "origin": ORIGIN}
        facts = await self.consent.open(where)
        assert facts["step"] in ("consent", "use"), facts
        sent = await self.consent.approve({**where, "nonce": facts["nonce"]})
        if not sent["location"]:
            return self._ended(transaction, caller)
        query = await self.browser.sign_in(sent["location"], facts["redirect_uri"])
        answer = {"provider": needs.provider, "query": query, "binding": sent["binding"]}
        await self.consent.callback({**where, **answer})
        return self._ended(transaction, caller)

    def _ended(self, transaction: Transaction, caller: Caller) -> Transaction:
        write_too(self.consent.desk.policy, caller)
        ended = self.transactions.get(transaction.id)
        assert ended is not None
        return ended

    async def type_key(self, provider: str, tool: str, key: str, caller: Caller = JANE) -> None:
        """Be asked for a key by `tool`, and type it."""
        try:
            await self.call(tool, caller=caller)
        except NeedsAuthorization as needs:
            transaction = self.transactions.create(
                caller, provider=provider, scopes=needs.scopes, reason=needs.reason
            )
        where = {"transaction": transaction.id, "principal": caller.principal, "origin": ORIGIN}
        facts = await self.consent.open(where)
        assert facts["step"] == "api_key"
        form = urlencode({"nonce": facts["nonce"], "api_key": key, "label": "mine"})
        await self.consent.save({**where, "form": form})
        write_too(self.consent.desk.policy, caller)

    def actions(self, name: str = "") -> list[dict[str, Any]]:
        return [event for event in self.events if event["action"].startswith(name)]


@contextlib.asynccontextmanager
async def upstream_world(
    folder: Path, servers: Mapping[str, Mapping[str, Any]]
) -> AsyncIterator[UpstreamWorld]:
    """Build it around a vault in `folder`."""
    vault = open_vault(folder / "state", "file")
    events: list[dict[str, Any]] = []
    audit = Audit(
        folder / "audit.jsonl", vault.key("audit"), lambda name, data: events.append(data)
    )
    profiles: dict[str, Profile] = {}
    oauth = OAuthClient(timeout=10)
    connections = Connections(vault, oauth, profiles, audit)
    transactions = Transactions(vault)
    egress = Egress()
    policy = policy_of(vault, audit)
    consent = Consent(
        vault,
        audit,
        profiles,
        oauth,
        connections,
        transactions,
        Probes(vault, egress),
        policy,
        Kernels(),
    )
    clock = Clock()
    browser = Browser({"login": "jane", "password": "pw"})
    try:
        async with upstreams(
            vault,
            audit,
            oauth,
            connections,
            transactions,
            Access(connections, policy),
            profiles,
            servers,
            taken=(),
            folder=folder / "programs",
            clock=clock,
        ) as source:
            world = UpstreamWorld(source, consent, vault, transactions, browser)
            world.oauth = oauth
            world.events = events
            world.clock = clock
            yield world
    finally:
        await browser.close()
        await egress.close()
        await connections.close()
        await oauth.close()
        audit.close()
        vault.close()
