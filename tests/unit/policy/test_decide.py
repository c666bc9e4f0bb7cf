"""Who may use which connection."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from jupyter_valet.broker.connections import Connection
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.oauth import Account
from jupyter_valet.broker.policy import Grant, Subject
from jupyter_valet.broker.policy.decide import (
    Allow,
    Decision,
    NeedsApproval,
    NeedsConnection,
    NeedsGrant,
    NeedsScopes,
    Wanted,
    decide,
)

API = "https://api.example"
JANE = Caller("jane", "k1", "a.ipynb", "http://127.0.0.1:8888/", root="/home/jane")
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
NOW = 1000.0
READ = Wanted(Origin.parse(API), frozenset({"read"}), tool="x_list")
WRITE = replace(READ, write=True, tool="x_make")


def grant(connection: Connection = GOOD, **facts: Any) -> Grant:
    return Grant(Subject.of(JANE), connection.id, **{"created_at": 2.0, **facts})


def decided(
    connections: Sequence[Connection],
    grants: Sequence[Grant] | None = None,
    wanted: Wanted = READ,
) -> Decision:
    given = [grant(c) for c in connections] if grants is None else grants
    return decide(JANE, connections, given, wanted, NOW)


def test_a_good_connection_is_used() -> None:
    """The plain case."""
    assert decided([GOOD]) == Allow(GOOD, grant())


def test_without_a_connection_one_is_needed() -> None:
    """Deny by default."""
    assert decided([], []) == NeedsConnection("")


def test_without_a_grant_a_connection_is_an_offer_only() -> None:
    """Deny by default: no notebook has what another one was given."""
    assert decided([GOOD], []) == NeedsGrant((GOOD,))


def test_a_grant_for_another_connection_grants_nothing() -> None:
    assert decided([GOOD], [grant(replace(GOOD, id="c2"))]) == NeedsGrant((GOOD,))


def test_a_grant_is_for_a_connection_of_its_own_person() -> None:
    """L12: whatever the vault holds, a grant by Joe opens nothing of Jane's."""
    joes = grant(created_at=2.0)
    joes = dataclasses.replace(joes, subject=replace(joes.subject, principal="joe"))
    assert decided([GOOD], [joes]) == NeedsGrant((GOOD,))


def test_a_grant_does_not_come_back_with_a_new_sign_in() -> None:
    """An account that was disconnected and signed in again has the same id."""
    again = replace(GOOD, created_at=3.0)
    assert decided([again], [grant()]) == NeedsGrant((again,))


def test_a_grant_that_has_run_out_is_told() -> None:
    assert decided([GOOD], [grant(until=NOW - 1)]) == NeedsGrant(
        (GOOD,), "the last one has run out"
    )
    assert isinstance(decided([GOOD], [grant(until=NOW + 1)]), Allow)


def test_a_write_under_a_grant_to_read_needs_an_approval() -> None:
    assert decided([GOOD], wanted=WRITE) == NeedsApproval(GOOD, grant())


@pytest.mark.parametrize("facts", [{"access": "read_write"}, {"writes": frozenset({"x_make"})}])
def test_a_write_that_was_granted_is_allowed(facts: dict[str, Any]) -> None:
    assert decided([GOOD], [grant(**facts)], WRITE) == Allow(GOOD, grant(**facts))


def test_leave_to_write_for_one_tool_is_not_leave_for_another() -> None:
    only = grant(writes=frozenset({"x_other"}))
    assert decided([GOOD], [only], WRITE) == NeedsApproval(GOOD, only)


def test_of_two_grants_the_one_that_allows_the_write_counts() -> None:
    """A grant for this run beside one for the notebook, or two accounts."""
    run = dataclasses.replace(grant(access="read_write"), subject=Subject.run_of(JANE))
    assert decided([GOOD], [grant(), run], WRITE) == Allow(GOOD, run)


def test_somebody_elses_connection_does_not_exist() -> None:
    """L12, L26: never another person's account."""
    assert decided([replace(GOOD, principal="joe")]) == NeedsConnection("")


@pytest.mark.parametrize(
    "origin", ["https://api.example:8443", "http://127.0.0.1", "https://evil.example", ""]
)
def test_the_origin_must_be_one_of_the_connection(origin: str) -> None:
    """L4, L5: the credential goes to the origins it was made for."""
    assert decided([GOOD], wanted=replace(READ, origin=origin)) == NeedsConnection("")


def test_missing_scopes_are_named() -> None:
    """What a step-up asks for."""
    wanted = replace(READ, scopes=frozenset({"read", "write"}))
    assert decided([GOOD], wanted=wanted) == NeedsScopes(GOOD, frozenset({"write"}))


def test_a_sign_in_that_is_needed_anyway_brings_the_grant() -> None:
    """Nobody is asked for a grant of what would not do."""
    wanted = replace(READ, scopes=frozenset({"write"}))
    assert decided([GOOD], [], wanted) == NeedsScopes(GOOD, frozenset({"write"}))


def test_a_refused_connection_says_why() -> None:
    """The reason reaches the card."""
    dead = replace(GOOD, status="needs_login", reason="it was revoked")
    assert decided([dead]) == NeedsConnection("it was revoked")


def test_of_two_accounts_the_one_that_covers_is_used() -> None:
    """And among those the one used last."""
    wide = replace(GOOD, id="c2", scopes=frozenset({"read", "write"}), created_at=0.5)
    used = replace(GOOD, id="c3", last_used_at=9.0)
    wanted = replace(READ, scopes=frozenset({"write"}))
    assert decided([GOOD, wide], wanted=wanted) == Allow(wide, grant(wide))
    assert decided([GOOD, used]) == Allow(used, grant(used))


def test_of_two_accounts_only_the_granted_one_is_used() -> None:
    """The person chose on the page; the other account does not exist for this notebook."""
    used = replace(GOOD, id="c3", last_used_at=9.0)
    assert decided([GOOD, used], [grant()]) == Allow(GOOD, grant())
