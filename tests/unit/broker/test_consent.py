"""Presses that meet something else on their way: the kernel, another page, another press."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from granting import policy_of

from jupyter_valet.broker.audit import Audit, read_audit
from jupyter_valet.broker.connections import Connections, Probes
from jupyter_valet.broker.consent import Consent
from jupyter_valet.broker.egress import Egress
from jupyter_valet.broker.elicitation import Transaction, Transactions
from jupyter_valet.broker.kernels import Caller, Kernels
from jupyter_valet.broker.oauth import Account, OAuthClient, TokenSet, profiles
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import open_vault
from jupyter_valet.wire.errors import ValetError

ORIGIN = "http://127.0.0.1:8888/"
JANE = Caller("owner", "k1", "a.ipynb", ORIGIN)


class Provider(OAuthClient):
    """A provider that lets something happen while it is being asked."""

    meanwhile: Callable[[], object] | None = None
    states: list[str]
    revoked = 0

    def __init__(self) -> None:
        super().__init__()
        self.states = []

    async def begin(self, profile: Any, app: Any, **options: Any) -> Any:
        url, pending = await super().begin(profile, app, **options)
        self._let()
        return url, pending

    async def exchange(self, profile: Any, app: Any, pending: Any, code: Secret) -> TokenSet:
        self._let()
        return TokenSet(Secret("a" * 40), None, None, pending.scopes)

    async def account(self, profile: Any, tokens: TokenSet) -> Account:
        return Account("1", "jane")

    async def revoke(self, profile: Any, app: Any, tokens: TokenSet) -> bool:
        self.revoked += 1
        return True

    def _let(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()


class World:
    """A consent over a real vault, and one sign-in at GitHub."""

    def __init__(self, state: Path) -> None:
        self.vault = open_vault(state, "file")
        self.log = state / "audit.jsonl"
        self.audit = Audit(self.log, self.vault.key("audit"), lambda *_: None)
        self.provider = Provider()
        self.known = known = profiles({})
        self.connections = Connections(self.vault, self.provider, known, self.audit)
        self.transactions = Transactions(self.vault)
        self.consent = Consent(
            self.vault,
            self.audit,
            known,
            self.provider,
            self.connections,
            self.transactions,
            Probes(self.vault, Egress()),
            policy_of(self.vault, self.audit),
            Kernels(),
        )
        self.transaction = self.transactions.create(
            JANE, provider="github", scopes={"read:user"}, reason="why"
        )

    def close(self) -> None:
        self.audit.close()
        self.vault.close()

    @property
    def now(self) -> Transaction:
        return cast("Transaction", self.transactions.get(self.transaction.id))

    async def nonce(self) -> str:
        facts = await self.consent.open(self._asks())
        return str(facts["nonce"])

    async def save(self, nonce: str, client_id: str, secret: str = "s") -> dict[str, Any]:
        form = urlencode({"nonce": nonce, "client_id": client_id, "client_secret": secret})
        return await self.consent.save(self._asks(form=form))

    async def approve(self, nonce: str) -> tuple[str, str]:
        """Return the callback's query, and the binding."""
        answer = await self.consent.approve(self._asks(nonce=nonce))
        state = answer["location"].partition("state=")[2].partition("&")[0]
        return f"state={state}&code=c", answer["binding"]

    async def come_back(self, query: str, binding: str) -> None:
        await self.consent.callback(
            {"provider": "github", "query": query, "binding": binding, "principal": "owner"}
        )

    def recorded(self) -> list[tuple[str, str]]:
        return [(e["action"], e.get("outcome", "")) for e in read_audit(self.log)]

    def _asks(self, **more: str) -> dict[str, Any]:
        return {
            "transaction": self.transaction.id,
            "principal": "owner",
            "origin": ORIGIN,
            **more,
        }


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "state")
    yield world
    world.close()


@pytest.mark.anyio
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_sign_in_that_ended_while_it_was_approved_sends_nobody_away(
    world: World, action: str
) -> None:
    """ES-14: the person would grant at the provider what nobody waits for, and see an error."""
    nonce = await world.nonce()
    await world.save(nonce, "app")
    world.provider.meanwhile = lambda: world.transactions.end(world.transaction.id, action)
    with pytest.raises(ValetError, match="out of date"):
        await world.approve(nonce)
    assert ("transaction.approved", "ok") not in world.recorded()


@pytest.mark.anyio
async def test_a_nonce_approves_once_even_when_the_page_is_opened_anew_meanwhile(
    world: World,
) -> None:
    """R144: two presses of one page, with another look at it in between, are one approval."""
    nonce = await world.nonce()
    await world.save(nonce, "app")

    def meanwhile() -> None:
        looked = world.now
        world.transactions.update(looked.opened(nonce="a later page"))

    world.provider.meanwhile = meanwhile
    with pytest.raises(ValetError, match="out of date"):
        await world.approve(nonce)
    assert world.now.pending is None


@pytest.mark.anyio
async def test_a_page_is_good_for_the_provider_that_it_shows(world: World) -> None:
    """X13: a notebook may put another server in the place of the one that it added, and an MCP
    server may name another issuer, while the person reads: then the press is for nobody."""
    nonce = await world.nonce()
    shown = world.known["github"]
    there = {"issuer": "https://evil.example", "token_endpoint": "https://evil.example/token"}
    world.known["github"] = replace(shown, configured=True, **there)
    with pytest.raises(ValetError, match="out of date"):
        await world.save(nonce, "app", "the secret of an app of Jane's")
    with pytest.raises(ValetError, match="out of date"):
        await world.approve(nonce)
    assert world.connections.app("github") is None
    assert world.now.pending is None
    # The page that is opened next shows what there is now; the first one is good for the first.
    assert await world.nonce() != nonce
    world.known["github"] = shown
    await world.save(nonce, "app")
    await world.approve(nonce)


@pytest.mark.anyio
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_what_comes_after_a_no_makes_no_connection(world: World, action: str) -> None:
    """A no between the callback and the provider's answer is a no; the grant ends there too."""
    nonce = await world.nonce()
    await world.save(nonce, "app")
    query, binding = await world.approve(nonce)
    world.provider.meanwhile = lambda: world.transactions.end(world.transaction.id, action)
    await world.come_back(query, binding)
    assert world.connections.find("owner", "github") == []
    assert world.provider.revoked == 1
    assert ("connection.made", "ok") not in world.recorded()
    assert ("connection.refused", str(world.now.state)) in world.recorded()


@pytest.mark.anyio
async def test_a_no_to_more_leaves_the_connection_that_there_was(world: World) -> None:
    """GitHub ends all of an app's grants at once: the one in use must not go with the new one."""
    await world.save(nonce := await world.nonce(), "app")
    await world.come_back(*await world.approve(nonce))
    assert len(world.connections.find("owner", "github")) == 1
    world.transaction = world.transactions.create(
        JANE, provider="github", scopes={"repo"}, reason="why"
    )
    query, binding = await world.approve(await world.nonce())
    world.provider.meanwhile = lambda: world.transactions.end(world.transaction.id, "decline")
    await world.come_back(query, binding)
    assert world.provider.revoked == 0
    [connection] = world.connections.find("owner", "github")
    assert "repo" not in connection.scopes


@pytest.mark.anyio
async def test_a_sign_in_does_not_replace_the_oauth_app_in_use(world: World) -> None:
    """L10: the form is shown only while there is none, and taken only then."""
    nonce = await world.nonce()
    await world.save(nonce, "app")
    assert (await world.save(nonce, "app"))["step"] == "consent"  # pressed twice
    for other in (("mallory", "s"), ("app", "another")):
        with pytest.raises(ValetError, match="out of date"):
            await world.save(nonce, *other)
    app = world.connections.app("github")
    assert app is not None
    assert app.client_id == "app"


@pytest.mark.anyio
async def test_a_wrong_nonce_does_not_spend_the_right_one(world: World) -> None:
    """Else anybody who can load a page makes the person's own buttons useless."""
    asks = {"principal": "owner", "origin": ORIGIN}
    nonce = (await world.consent.connections_page(asks))["nonce"]
    press = {"principal": "owner", "connection": "none", "revoke": False}
    with pytest.raises(ValetError, match="out of date"):
        await world.consent.connections_end({**press, "nonce": "guess"})
    with pytest.raises(ValetError, match="no such connection"):
        await world.consent.connections_end({**press, "nonce": nonce})


@pytest.mark.anyio
async def test_another_server_of_the_same_person_sends_them_to_the_one_that_asks(
    world: World,
) -> None:
    """They share a vault; but only one knows the kernel, and could say at which level it is."""
    asked = {"transaction": world.transaction.id, "principal": "owner"}
    for elsewhere in ("http://127.0.0.1:8888/user/jane/lab2/", "http://127.0.0.1:8888/user/jane"):
        with pytest.raises(ValetError) as refused:
            await world.consent.open({**asked, "origin": elsewhere})
        assert refused.value.code == "other_server"
        assert refused.value.next == f"Open {ORIGIN}valet/connect/{world.transaction.id}."
    assert world.now.state == "waiting"
    another_name = await world.consent.open({**asked, "origin": "https://lab.example/"})
    assert another_name["nonce"]
