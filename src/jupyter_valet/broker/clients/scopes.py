"""The scopes of MCP authorization: which tools a client may call.

::

    tools:write ──► tools:read                 a scope holds what it points to (RS-10)
        │               │
        ▼               ▼
    tools:write:x ► tools:read:x               for the toolset x alone

They say what a *client* may ask of this server. What may then be done with a person's account is
for the grants to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ...wire.errors import ValetError
from ..catalogue import FINDING, Tool
from ..kernels import Caller

READ = "tools:read"
WRITE = "tools:write"

INITIAL = READ
"""What a client is told to ask for first: the least that is of use (BP-23)."""

_SCOPE = re.compile(r"tools:(read|write)(?::([a-z0-9_]{1,64}))?")


def is_scope(scope: str) -> bool:
    """Tell whether `scope` is one of ours."""
    return _SCOPE.fullmatch(scope) is not None


def parse(text: str) -> frozenset[str]:
    """Return the scopes of a space-separated list that are ours (RFC 6749 §3.3)."""
    return frozenset(filter(is_scope, text.split(" ")))


def needed(tool: Tool) -> str:
    """Return the one scope that calling `tool` takes, the narrowest there is.

    Nothing for the tools that find others: what is called through them is looked at by itself.
    """
    return "" if tool.toolset == FINDING else f"tools:{tool.access}:{tool.toolset}"


def check(caller: Caller, tool: Tool) -> None:
    """Raise `ValetError` ("scope_required") for a client whose scopes do not reach `tool`."""
    scope = needed(tool)
    if caller.client is not None and scope and not covers(caller.client.scopes, scope):
        raise ValetError("scope_required")


def to_ask_for(held: Iterable[str], wanted: str, revision: str) -> str:
    """Return what a client that lacks `wanted` is told to ask for, space-separated (RS-08, RS-09).

    From revision 2026-07-28 on that is `wanted` alone: the client adds it to what it had. Before,
    what it holds is named as well ("Runtime Insufficient Scope Errors", the recommended way): a
    client of that time asks for the challenge to the letter, and would lose the rest.
    """
    if revision in MODERN_PROTOCOL_VERSIONS:
        return wanted
    scopes = {*held, wanted}
    return " ".join(sorted(one for one in scopes if not covers(scopes - {one}, one)))


def covers(held: Iterable[str], scope: str) -> bool:
    """Tell whether one of `held` is `scope` or holds it."""
    return any(_holds(one, scope) for one in held)


def words(scope: str) -> str:
    """Return what a scope lets a client do, for people."""
    match = _SCOPE.fullmatch(scope)
    if match is None:
        return scope
    access, toolset = match.groups()
    what = f"the tools of {toolset}" if toolset else "all tools"
    return f"use {what} that read" if access == "read" else f"use {what}, also those that write"


def _holds(held: str, scope: str) -> bool:
    mine, wanted = _SCOPE.fullmatch(held), _SCOPE.fullmatch(scope)
    if mine is None or wanted is None:
        return False
    (access, toolset), (wanted_access, wanted_toolset) = mine.groups(), wanted.groups()
    return (access == "write" or wanted_access == "read") and toolset in (None, wanted_toolset)
