"""Who may use which connection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_valet.broker.connections import Connection
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.oauth import Account
from jupyter_valet.broker.policy import Allow, NeedsConnection, NeedsScopes, decide

API = "https://api.example"
JANE = Caller("jane", "k1", "a.ipynb", "http://127.0.0.1:8888/")
GOOD = Connection(
    id="c1",
    principal="jane",
    provider="x",
    issuer="https://id.example",
    account=Account("1", "jane"),
    scopes=frozenset({"read"}),
    origins=(Origin.parse(API),),
    created_at=1.0,
    last_used_at=0.0,
    status="active",
    reason="",
    revision=1,
)
READ = frozenset({"read"})


def test_a_good_connection_is_used() -> None:
    """The plain case."""
    assert decide(JANE, [GOOD], READ, API) == Allow(GOOD)


def test_without_a_connection_one_is_needed() -> None:
    """Deny by default."""
    assert decide(JANE, [], frozenset(), API) == NeedsConnection("")


def test_somebody_elses_connection_does_not_exist() -> None:
    """L12, L26: never another person's account."""
    assert decide(JANE, [replace(GOOD, principal="joe")], READ, API) == NeedsConnection("")


@pytest.mark.parametrize(
    "origin", ["https://api.example:8443", "http://127.0.0.1", "https://evil.example", ""]
)
def test_the_origin_must_be_one_of_the_connection(origin: str) -> None:
    """L4, L5: the credential goes to the origins it was made for."""
    assert decide(JANE, [GOOD], READ, origin) == NeedsConnection("")


def test_missing_scopes_are_named() -> None:
    """What a step-up asks for."""
    assert decide(JANE, [GOOD], frozenset({"read", "write"}), API) == NeedsScopes(
        GOOD, frozenset({"write"})
    )


def test_a_refused_connection_says_why() -> None:
    """The reason reaches the card."""
    dead = replace(GOOD, status="needs_login", reason="it was revoked")
    assert decide(JANE, [dead], READ, API) == NeedsConnection("it was revoked")


def test_of_two_accounts_the_one_that_covers_is_used() -> None:
    """And among those the one used last."""
    wide = replace(GOOD, id="c2", scopes=frozenset({"read", "write"}), created_at=0.5)
    used = replace(GOOD, id="c3", last_used_at=9.0)
    assert decide(JANE, [GOOD, wide], frozenset({"write"}), API) == Allow(wide)
    assert decide(JANE, [GOOD, used], READ, API) == Allow(used)
