"""The scopes of MCP authorization: which holds which (RS-10)."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.clients.scopes import covers, is_scope, parse, to_ask_for

ALL = [
    "tools:read",
    "tools:write",
    "tools:read:a",
    "tools:write:a",
    "tools:read:b",
    "tools:write:b",
]

HOLDS = {
    "tools:write": ALL,
    "tools:read": ["tools:read", "tools:read:a", "tools:read:b"],
    "tools:write:a": ["tools:write:a", "tools:read:a"],
    "tools:read:a": ["tools:read:a"],
}


@pytest.mark.parametrize("held", HOLDS)
@pytest.mark.parametrize("wanted", ALL)
def test_a_wider_scope_holds_the_narrower_and_no_other(held: str, wanted: str) -> None:
    """RS-10: writing is more than reading, all toolsets more than one."""
    assert covers([held], wanted) == (wanted in HOLDS[held])


def test_of_several_scopes_one_is_enough_and_two_halves_are_not_more() -> None:
    assert covers(["tools:read:b", "tools:write:a"], "tools:read:a")
    assert not covers(["tools:read", "tools:write:a"], "tools:write:b")
    assert not covers([], "tools:read:a")


@pytest.mark.parametrize(
    ("held", "wanted", "asked"),
    [
        ("tools:read", "tools:write:a", "tools:read tools:write:a"),
        ("tools:read:a", "tools:write:a", "tools:write:a"),
        ("tools:read:a tools:write:b", "tools:read:c", "tools:read:a tools:read:c tools:write:b"),
        ("", "tools:read:a", "tools:read:a"),
    ],
)
def test_a_challenge_lets_no_client_lose_what_it_holds(held: str, wanted: str, asked: str) -> None:
    """RS-08, RS-09: the client joins them from 2026-07-28 on, the server before that."""
    for revision in ("", "2025-06-18", "2025-11-25"):
        assert to_ask_for(parse(held), wanted, revision) == asked
    assert to_ask_for(parse(held), wanted, "2026-07-28") == wanted


@pytest.mark.parametrize(
    "scope",
    ["", "tools", "tools:admin", "TOOLS:READ", "tools:read:", "tools:read:A", "tools:read:a:b",
     "tools:read ", "xtools:read", "tools:*", "offline_access", "issues:read"],
)  # fmt: skip
def test_what_is_none_of_our_scopes_holds_nothing(scope: str) -> None:
    """BP-23: no wildcards; and a provider's scope is not one of ours."""
    assert not is_scope(scope)
    assert not covers([scope], "tools:read")
    assert parse(f"tools:read {scope} tools:read:a") == {"tools:read", "tools:read:a"}
