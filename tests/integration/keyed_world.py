"""An API that wants a key, the broker's inside around it, and a person who types."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from aiohttp import web
from api_calls import calls_of
from granting import policy_of
from local_server import LocalServer

from jupyter_valet.broker.audit import Audit, read_audit
from jupyter_valet.broker.calls import Calls
from jupyter_valet.broker.catalogue import ToolOutcome
from jupyter_valet.broker.connections import Connection, Connections, Probes
from jupyter_valet.broker.consent import Consent
from jupyter_valet.broker.egress import Egress
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.elicitation import NeedsAuthorization, Transaction, Transactions
from jupyter_valet.broker.kernels import Caller, Kernels
from jupyter_valet.broker.oauth import OAuthClient, Profile, profiles
from jupyter_valet.broker.toolsets import Operation, Toolset
from jupyter_valet.broker.vault import Vault, open_vault

KEY = "wk-9fK2Zq7Lw_8Xv3Tn5Rb1Yc6Md0Hp4Gs"
ORIGIN = "http://127.0.0.1:8888/"
JANE = Caller("jane", "k1", "a.ipynb", ORIGIN)


class KeyedApi(LocalServer):
    """Takes a key in any of the usual places; echoes at `echoes_at`."""

    def __init__(self) -> None:
        self.good = {KEY}
        self.seen: list[tuple[str, str]] = []
        self.echoes_at: set[str] = set()
        self.meanwhile: Any = None

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/{path:.*}", self._serve)

    async def _serve(self, request: web.Request) -> web.Response:
        key = _key(request)
        self.seen.append((request.path, key))
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        if request.path in self.echoes_at:
            return web.json_response({"headers": dict(request.headers), "url": request.path_qs})
        if request.path != "/v1/report":
            return web.json_response({}, status=404)
        return web.json_response({"rain": 3}, status=200 if key in self.good else 401)

    def sent_keys(self) -> set[str]:
        return {key for _, key in self.seen}


def _key(request: web.Request) -> str:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind == "Basic":
        value = base64.b64decode(value).decode()
    return value or request.headers.get("X-Api-Key", "") or request.query.get("appid", "")


@dataclass
class KeyedWorld:
    """What is real, and what the person does."""

    state: Path
    api: KeyedApi
    vault: Vault
    egress: Egress
    profile: Profile
    audit: Audit
    connections: Connections
    transactions: Transactions
    consent: Consent
    calls: Calls
    now: list[float]

    def ask(self, **more: Any) -> Transaction:
        """`%connect weather`."""
        return self.transactions.create(JANE, provider="weather", scopes=(), reason="why", **more)

    def get(self, transaction: Transaction) -> Transaction:
        return cast("Transaction", self.transactions.get(transaction.id))

    async def open(self, transaction: Transaction) -> dict[str, Any]:
        return await self.consent.open(
            {"transaction": transaction.id, "principal": "jane", "origin": ORIGIN}
        )

    async def type_key(
        self, transaction: Transaction, key: str = KEY, *, nonce: str | None = None, **more: str
    ) -> dict[str, Any]:
        """Fill in the page and press *Save*."""
        facts = await self.open(transaction)
        fields = {"nonce": facts["nonce"] if nonce is None else nonce, "api_key": key, **more}
        return await self.consent.save(
            {"transaction": transaction.id, "origin": ORIGIN, "form": urlencode(fields)}
        )

    async def connect(self, key: str = KEY, **more: str) -> Connection:
        """Do all of it."""
        facts = await self.type_key(self.ask(), key, **more)
        assert facts["state"] == "done", facts
        return self.connections.find("jane", "weather")[0]

    async def call(self, tool: str = "weather_report") -> ToolOutcome:
        return await self.calls.call(JANE, tool, {})

    async def needs(self) -> str:
        """Call, and return why a sign-in is asked for."""
        try:
            await self.call()
        except NeedsAuthorization as needs:
            return needs.reason
        raise AssertionError("nothing was asked for")

    def recorded(self, *actions: str) -> list[tuple[str, str]]:
        events = read_audit(self.state / "audit.jsonl")
        return [(e["action"], e["outcome"]) for e in events if e["action"] in actions]

    def again(self) -> Connections:
        """Another process's view of the same vault."""
        return Connections(self.vault, OAuthClient(), {"weather": self.profile}, self.audit)


@contextlib.asynccontextmanager
async def keyed_world(folder: Path, api: KeyedApi, **settings: Any) -> AsyncIterator[KeyedWorld]:
    """Build it around a running `api`, with `settings` over those of its provider."""
    entry = {
        "kind": "api_key",
        "title": "Weather",
        "origins": [api.url],
        "loopback": True,
        "register_url": "https://weather.example/keys",
        **settings,
    }
    known = profiles({"weather": entry})
    report = Operation("report", "", "GET", "/v1/report", scopes=frozenset({"unheard:of"}))
    mint = Operation("mint", "", "POST", "/v1/api_keys")
    toolset = Toolset("weather", "Weather", "weather", Origin.parse(api.url), (report, mint))
    state, now = folder / "state", [1_000_000.0]
    vault, egress, oauth = open_vault(state, "file"), Egress(timeout=15), OAuthClient()
    audit = Audit(state / "audit.jsonl", vault.key("audit"), lambda *_: None)
    connections = Connections(vault, oauth, known, audit)
    transactions = Transactions(vault)
    probes = Probes(vault, egress, clock=lambda: now[0])
    policy, kernels = policy_of(vault, audit), Kernels()
    consent = Consent(
        vault, audit, known, oauth, connections, transactions, probes, policy, kernels
    )
    calls = calls_of([toolset], connections, egress, known, policy)
    try:
        yield KeyedWorld(
            state, api, vault, egress, known["weather"], audit, connections, transactions, consent,
            calls, now,
        )  # fmt: skip
    finally:
        await egress.close()
        await oauth.close()
        audit.close()
        vault.close()
