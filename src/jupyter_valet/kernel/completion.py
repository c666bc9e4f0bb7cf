"""What Tab offers behind `%connect` and `%disconnect`. It never raises and never waits long."""

from __future__ import annotations

from typing import Any

from ..wire.errors import ValetError
from .plain_text import one_line
from .session import current


def matches(line: str, begun: str) -> dict[str, Any]:
    """Return IPython's matcher result for the word that is `begun` at the end of `line`."""
    from IPython.core.completer import SimpleCompletion

    command, *words = line.split() or [""]
    known = _KNOWN.get(command)
    if known is None or not (words or line[-1:].isspace()):
        return {"completions": []}
    found = [name for name in known(begun) if name.startswith(begun)]
    return {"completions": [SimpleCompletion(text=name) for name in found], "suppress": True}


def _connect(begun: str) -> list[str]:
    """Return the providers, or the options when an option is begun."""
    if begun.startswith("-"):
        return ["--scopes", "--new-account"]
    try:
        return [name for name in current().status(quick=True).providers if _plain(name)]
    except ValetError:
        return []


def _disconnect(begun: str) -> list[str]:
    """Return the providers and accounts that are signed in, or the options."""
    if begun.startswith("-"):
        return ["--revoke", "--all"]
    try:
        known = current().connections(quick=True)
    except ValetError:
        return []
    names = [name for c in known for name in (c.provider, f"{c.provider}/{c.account}")]
    return [name for name in dict.fromkeys(names) if _plain(name)]


def _plain(name: str) -> bool:
    """Tell whether `name` is one word that can be typed: an account's name is the provider's."""
    return name == one_line(name, 120) and not set(name) & set(" '\"\\")


_KNOWN = {"%connect": _connect, "%disconnect": _disconnect}
