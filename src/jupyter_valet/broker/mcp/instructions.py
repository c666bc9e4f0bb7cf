"""What a model is told of the server, before any tool."""

from __future__ import annotations

from ..search.tools import CALL, SEARCH

_USUAL = (
    "Tools for the accounts of the person in front of this notebook. A tool whose account is not "
    "signed in asks the person; wait for the result of that same call and do not retry. You never "
    "see or need a password, key or token. An error that starts with `authorization_required` "
    "means that the person must act first."
)
_SEARCH = (
    f" There are more tools than the list shows: find them with `{SEARCH.name}`, and call what it "
    f"finds by its name or with `{CALL.name}`."
)


def instructions(searching: bool) -> str:
    """Return the words; they mention the search only when there is something to find."""
    return _USUAL + _SEARCH if searching else _USUAL
