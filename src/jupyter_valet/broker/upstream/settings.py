"""An upstream server as the person's configuration names it (docs/upstream.md)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...wire.errors import ValetError
from ..egress.origin import Origin, split_url
from ..egress.placement import Placement
from ..kernels import Caller
from ..oauth.providers import settings as readers
from ..policy.grant import Subject

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


@dataclass(frozen=True)
class Server:
    """One upstream server: at a URL, or a command that the broker runs."""

    name: str
    title: str
    url: str = ""
    loopback: bool = False
    """Whether it and its authorization server are on this machine; otherwise neither may be."""
    client_id: str = ""
    """A client registered beforehand that has no secret."""
    scopes: tuple[str, ...] = ()
    """What to ask for; empty: what the server itself names (CL-16)."""
    key: Placement | None = None
    """Where an API key goes, for a server that wants one instead of a sign-in."""
    command: str = ""
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    key_env: str = ""
    """Environment variable in which the command finds the API key that the person typed."""
    reads: tuple[str, ...] = ()
    """Patterns of tools that change nothing, in the word of the person; all others may write."""
    principal: str = ""
    """Whose it is; empty: everybody's, because the configuration names it."""
    subject: Subject | None = None
    """The notebook that added it, and the only one that sees it; None: all of its person's."""

    @property
    def origin(self) -> Origin:
        """Where its credential may go. Only for one at a URL."""
        return split_url(self.url)[0]

    @property
    def target(self) -> str:
        """Path and query of its endpoint."""
        return split_url(self.url)[1] or "/"

    @property
    def place(self) -> str:
        """Host and port, or what it runs: what a person recognises it by."""
        if self.url:
            return str(self.origin).partition("://")[2]
        return " ".join((self.command, *self.args))

    @property
    def words(self) -> str:
        """Name and place, as cards and errors call it (EC-04)."""
        return f"{self.title} ({self.place if self.url else 'a program on this machine'})"

    @property
    def keyed(self) -> bool:
        """Whether it wants an API key."""
        return self.key is not None or bool(self.key_env)

    def is_read(self, tool: str) -> bool:
        """Tell whether the person has said that the tool of this upstream name only reads."""
        return any(fnmatch.fnmatchcase(tool, pattern) for pattern in self.reads)

    def visible_to(self, caller: Caller) -> bool:
        """Tell whether this notebook of its person may see it."""
        if self.principal not in ("", caller.principal):
            return False
        return self.subject in (None, Subject.of(caller))


_COMMON: dict[str, Callable[[Any], Any]] = {
    "title": readers.text,
    "reads": readers.labels,
}
_REMOTE: dict[str, Callable[[Any], Any]] = {
    "url": readers.url,
    "loopback": readers.flag,
    "client_id": readers.text,
    "scopes": readers.scopes,
    "key": readers.place,
}


def _arguments(value: Any) -> tuple[str, ...]:
    return tuple(map(_argument, readers.sequence(value)))


def _argument(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or len(value) > 4096:
        raise ValueError("not an argument of a command")
    return value


def _variable(value: Any) -> str:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ValueError("not a name of an environment variable")
    return value


def _variables(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((_variable(name), _argument(text)) for name, text in value.items())


_LOCAL: dict[str, Callable[[Any], Any]] = {
    "command": _argument,
    "args": _arguments,
    "env": _variables,
    "key_env": _variable,
}


def server(name: str, entry: Mapping[str, Any]) -> Server:
    """Return the server that `entry` describes: a URL is enough, or a command.

    Raises `ValetError("bad_request")` naming the server and the setting that is wrong.
    """
    if not _NAME.fullmatch(name):
        raise _wrong("?", "name")
    kind = "command" if "command" in entry else "url"
    known = _COMMON | (_LOCAL if kind == "command" else _REMOTE)
    unknown = set(entry) - known.keys()
    if unknown:
        raise _wrong(name, readers.name_of(min(unknown)))
    read = {key: _read(name, key, entry[key], known[key]) for key in entry}
    if not read.get(kind):
        raise _wrong(name, kind)
    made = Server(name, **{"title": name, **read})
    if made.url and made.origin.loopback != made.loopback:
        raise _wrong(name, "loopback")
    return made


def _read(name: str, key: str, value: Any, reader: Callable[[Any], Any]) -> Any:
    try:
        return reader(value)
    except (LookupError, ValueError, TypeError, AttributeError):
        raise _wrong(name, key) from None


def _wrong(name: str, key: str) -> ValetError:
    return ValetError("bad_request", what=f"setting {key} of MCP server {name}")
