"""An authorization server over a real vault, with a clock of ours and a person called Jane."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.authorization import AccessTokens, Authorization, Families
from jupyter_valet.broker.authorization.documents import Documents
from jupyter_valet.broker.authorization.registry import Registry
from jupyter_valet.broker.clients import Ending, Proven
from jupyter_valet.broker.elicitation import Transactions
from jupyter_valet.broker.policy import Grants
from jupyter_valet.broker.vault import Vault
from jupyter_valet.wire.authorization import AskedFacts
from jupyter_valet.wire.clients import Arrival

ORIGIN = "https://hub.example/user/jane/"
RESOURCE = f"{ORIGIN}valet/mcp"
ISSUER = f"{ORIGIN}valet/oauth"
REDIRECT = "http://127.0.0.1:33418/callback"
VERIFIER = "the-verifier-of-the-tests-which-is-long-enough"
JANE = "user:jane"
FORM = "application/x-www-form-urlencoded"


def challenge(verifier: str = VERIFIER) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def answered(location: str) -> dict[str, str]:
    """Return the parameters of a redirect."""
    return {name: value for name, [value] in parse_qs(urlsplit(location).query).items()}


@dataclass
class Time:
    """Seconds since the epoch; it moves when told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """One vault, as one process sees it."""

    vault: Vault
    audit: Audit
    log: Path
    time: Time = field(default_factory=Time)

    def __post_init__(self) -> None:
        self.families = Families(self.vault, clock=self.time)
        self.registry = Registry(self.vault, self.families, clock=self.time)
        self.grants = Grants(self.vault, self.audit)
        self.ending = Ending(self.grants, Transactions(self.vault))
        self.use(Documents(self.registry, clock=self.time))
        self.tokens = AccessTokens(self.families, clock=self.time)

    def use(self, documents: Documents) -> None:
        """Fetch documents in another way."""
        self.server = Authorization(
            self.registry,
            self.families,
            documents,
            self.audit,
            lambda _: ["demo", "github"],
            lambda who, what: [g.connection for g in self.grants.of_client(who, what)],
            self.ending,
            clock=self.time,
        )

    @property
    def actions(self) -> list[str]:
        """What the audit has of programs."""
        events = map(json.loads, self.log.read_text().splitlines())
        return [e["action"] for e in events if str(e["action"]).startswith("client_app")]

    # The program -----------------------------------------------------------------------------

    async def post(
        self, endpoint: str, body: str, kind: str = FORM, origin: str = ORIGIN
    ) -> tuple[int, dict[str, Any]]:
        method = getattr(self.server, endpoint)
        reply = await method({"origin": origin, "type": kind, "body": body})
        told = json.loads(reply["body"])
        told.pop("error_description", None)  # for people who write programs
        return reply["status"], told

    async def register(self, **metadata: Any) -> tuple[int, dict[str, Any]]:
        said = {"client_name": "Editor", "redirect_uris": [REDIRECT], **metadata}
        return await self.post("register", json.dumps(said), "application/json")

    async def registered(self, **metadata: Any) -> str:
        status, told = await self.register(**metadata)
        assert status == 201, told
        return str(told["client_id"])

    async def redeem(self, client_id: str, code: str, **changes: str) -> tuple[int, dict[str, Any]]:
        fields = {
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            "resource": RESOURCE,
            **changes,
        }
        return await self.post("token", urlencode({k: v for k, v in fields.items() if v}))

    async def refresh(self, client_id: str, token: str, **more: str) -> tuple[int, dict[str, Any]]:
        fields = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token}
        return await self.post("token", urlencode({**fields, **more}))

    async def prove(self, token: str, resource: str = RESOURCE) -> Proven:
        """Judge an access token as the endpoint does. Raises `Refused`."""
        return await self.tokens.prove(Arrival(ORIGIN, resource, ISSUER, token=token))

    # The person ------------------------------------------------------------------------------

    async def open(
        self, client_id: str, *, principal: str = JANE, origin: str = ORIGIN, **changes: str | None
    ) -> AskedFacts:
        """Open the page of a request; a change to None leaves a parameter out."""
        usual: dict[str, str | None] = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": REDIRECT,
            "code_challenge": challenge(),
            "code_challenge_method": "S256",
            "state": "the-state",
            "scope": "tools:read",
            "resource": RESOURCE,
            **changes,
        }
        query = urlencode({name: value for name, value in usual.items() if value is not None})
        told = {"principal": principal, "origin": origin, "query": query}
        return AskedFacts.from_json(json.loads(json.dumps(await self.server.open(told))))

    async def press(
        self,
        facts: AskedFacts,
        *scopes: str,
        method: str = "approve",
        principal: str = JANE,
        origin: str = ORIGIN,
        **more: str,
    ) -> str:
        """Press a button of the page; return where the browser is sent."""
        ticked = scopes or [box.name for box in facts.scopes if box.ticked]
        choices = {**{f"scope{i}": scope for i, scope in enumerate(ticked)}, **more}
        told = {"principal": principal, "origin": origin, "nonce": facts.nonce, "choices": choices}
        return str((await getattr(self.server, method)(told))["location"])

    async def code(self, client_id: str, *scopes: str, **more: str) -> str:
        facts = await self.open(client_id, scope=" ".join(scopes) or "tools:read")
        return answered(await self.press(facts, **more))["code"]

    async def signed_in(self, client_id: str, *scopes: str, **more: str) -> dict[str, Any]:
        status, told = await self.redeem(client_id, await self.code(client_id, *scopes, **more))
        assert status == 200, told
        return told
