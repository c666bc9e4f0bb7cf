"""The scopes of MCP authorization: which holds which (RS-10)."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.clients.scopes import covers, is_scope, parse

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
    "scope",
    ["", "tools", "tools:admin", "TOOLS:READ", "tools:read:", "tools:read:A", "tools:read:a:b",
     "tools:read ", "xtools:read", "tools:*", "offline_access", "issues:read"],
)  # fmt: skip
def test_what_is_none_of_our_scopes_holds_nothing(scope: str) -> None:
    """BP-23: no wildcards; and a provider's scope is not one of ours."""
    assert not is_scope(scope)
    assert not covers([scope], "tools:read")
    assert parse(f"tools:read {scope} tools:read:a") == {"tools:read", "tools:read:a"}
