"""What a kernel can begin, and at whose word: rows R148 and R158 of the threat model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from granting import policy_of

from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.connections import Connections, Probes
from jupyter_valet.broker.consent import Consent
from jupyter_valet.broker.egress import Egress
from jupyter_valet.broker.elicitation import Transactions
from jupyter_valet.broker.kernels import Caller, Kernels
from jupyter_valet.broker.oauth import Account, OAuthApp, OAuthClient, TokenSet, profiles
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Vault, open_vault
from jupyter_valet.wire.errors import ValetError

ORIGIN = "http://127.0.0.1:8888/"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    vault = open_vault(tmp_path / "state", "file")
    yield vault
    vault.close()


@pytest.fixture
def audit(tmp_path: Path, vault: Vault) -> Iterator[Audit]:
    audit = Audit(tmp_path / "audit.jsonl", vault.key("audit"), lambda *_: None)
    yield audit
    audit.close()


class Unasked(OAuthClient):
    """Fails the test when an authorization is begun."""

    async def begin(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("an authorization was begun")


@pytest.mark.anyio
@pytest.mark.parametrize("opened", [False, True], ids=["nobody looked", "somebody looks"])
@pytest.mark.parametrize("nonce", ["", "guess"])
async def test_no_authorization_begins_without_a_press_on_the_page(
    vault: Vault, audit: Audit, opened: bool, nonce: str
) -> None:
    """R158: a kernel makes a question; `state` and PKCE exist once the page's nonce came back."""
    known = profiles({})
    oauth = Unasked()
    connections = Connections(vault, oauth, known, audit)
    connections.save_app(OAuthApp("github", known["github"].issuer, "app"))
    transactions = Transactions(vault)
    probes = Probes(vault, Egress())
    consent = Consent(
        vault,
        audit,
        known,
        oauth,
        connections,
        transactions,
        probes,
        policy_of(vault, audit),
        Kernels(),
    )
    caller = Caller("owner", "k1", "a.ipynb", ORIGIN)
    asked = transactions.create(caller, provider="github", scopes={"repo"}, reason="why")
    press = {"transaction": asked.id, "principal": "owner", "origin": ORIGIN}
    if opened:
        await consent.open(press)
    with pytest.raises(ValetError, match="out of date"):
        await consent.approve({**press, "nonce": nonce})
    now = transactions.get(asked.id)
    assert now is not None
    assert now.pending is None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"issuer": "https://evil.example"}, id="another issuer"),
        pytest.param({"origins": ["https://evil.example"]}, id="another API host"),
    ],
)
def test_a_credential_belongs_to_its_issuer_and_its_hosts(
    vault: Vault, audit: Audit, other: dict[str, Any]
) -> None:
    """R148, as far as there are no upstream MCP servers: a name is not enough to be sent it."""
    settings = {"issuer": "https://good.example", "origins": ["https://api.good.example"]}
    mine = profiles({"corp": settings})
    tokens = TokenSet(Secret("t" * 40), None, None, frozenset({"openid"}))
    before = Connections(vault, OAuthClient(), mine, audit)
    before.store("jane", mine["corp"], tokens, Account("1", "jane"))
    assert len(before.find("jane", "corp")) == 1
    after = Connections(vault, OAuthClient(), profiles({"corp": {**settings, **other}}), audit)
    assert after.find("jane", "corp") == []
    assert after.views("jane")[0].status == "needs_login"
