"""What the magics do. `extension` registers them; this module is imported at their first use."""

from __future__ import annotations

import argparse
import shlex
from contextlib import suppress
from dataclasses import replace
from html import escape
from typing import Any, NoReturn

from ..wire.errors import ValetError
from ..wire.views import (
    ConnectionView,
    ConnectReply,
    ConnectRequest,
    GrantView,
    TransactionView,
)
from .cards.face import isolation_line
from .desk import desk
from .flow import Flow, Verdict, wait
from .plain_text import one_line
from .results import Rows
from .session import Session, current
from .shells import run

HELP = """\
  %connect NAME [NAME ...]     sign in; --scopes A,B asks for these, --new-account for one more
  %connections                 the accounts that this notebook may use, and for what
  %connections --end NAME      take this notebook's grant back; the account stays signed in
  %disconnect NAME [--revoke]  forget an account; --revoke ends the access at the provider too
  %valet doctor                attack from this kernel, and see what holds
  %valet errors                tracebacks of functions that failed as tools
  %valet add NAME SOURCE       the API of a document, or the MCP server at a URL, as tools here
  %valet remove NAME           take that away again
  tools                        the tools; tools.NAME.<TAB> completes, a ? behind one explains it
  tools.NAME.TOOL(...)         call a tool; await tools.NAME.TOOL.aio(...) leaves the kernel free"""


def connect(line: str) -> None:
    """Sign in with each provider in turn. Raises `ValetError` when one does not work."""
    options = _connect_options(line)
    session = current()
    for provider in options.providers:
        wanted = ConnectRequest(provider, options.scopes, options.new_account)
        run(_connected(session, wanted), session)


def _connected(session: Session, wanted: ConnectRequest) -> Flow[None]:
    """Ask, show the card if there is something to do, and ask anew on *Try again*."""
    while True:
        reply = _asked(session, wanted)
        if reply.connection is not None:
            print(_greeting(ConnectionView.from_json(reply.connection)))
            return
        if reply.transaction is None:
            raise ValetError("protocol_error", what="an answer is incomplete")
        verdict: Verdict = yield from wait(TransactionView.from_json(reply.transaction), "", desk)
        if verdict.error is not None:
            raise verdict.error
        if not verdict.again:
            return


def _asked(session: Session, wanted: ConnectRequest) -> ConnectReply:
    """Ask for a connection; the name of an API that was added stands for its provider."""
    try:
        return session.connect(wanted)
    except ValetError as error:
        name = _provider_of(wanted.provider) if error.code == "unknown_provider" else ""
        if not name:
            raise
        return session.connect(replace(wanted, provider=name))


def _provider_of(api: str) -> str:
    from .additions import provider_of

    return provider_of(api)


def _greeting(connection: ConnectionView) -> str:
    title = one_line(connection.provider_title or connection.provider, 60)
    return f"{title}: already signed in as {one_line(connection.account, 120)}."


NOTHING = "This notebook may use no account. Type %connect NAME."


class Accounts(Rows):
    """The connections that this notebook may use; none is a sentence and not `[]`.

    Below them stands the isolation level of this kernel: what their safety rests on.
    """

    isolation = ""

    def __repr__(self) -> str:
        text = super().__repr__() if self else NOTHING
        return f"{text}\nIsolation {self.isolation}" if self.isolation else text

    def _repr_html_(self) -> str | None:
        table = super()._repr_html_()
        if table is None or not self.isolation:
            return table
        return f"{table}<p>Isolation {escape(self.isolation)}</p>"


def connections(line: str) -> Accounts:
    """Return the notebook's connections as a table; with `--end NAME`, end its grant first."""
    options = _connections_options(line)
    session = current()
    if options.end:
        _end_grants(session, options.end)
    accounts = Accounts(_row(connection) for connection in session.connections())
    with suppress(ValetError):  # the accounts are what was asked for
        status = session.status(quick=True)
        accounts.isolation = isolation_line(status.level, status.level_words)
    return accounts


def _row(connection: ConnectionView) -> dict[str, Any]:
    return {
        "provider": connection.provider,
        "account": connection.account,
        "scopes": " ".join(connection.scopes),
        "may": "; ".join(map(_leave, connection.grants)),
        "status": connection.reason or connection.status,
        "last used": _when(connection.last_used_at),
        "id": connection.id,
    }


def _leave(grant: GrantView) -> str:
    """Return what the notebook may do, in a few words."""
    words = ["read and write" if grant.access == "read_write" else "read"]
    if grant.writes and grant.access == "read":
        words.append(f"write by {' '.join(grant.writes)}")
    if grant.hosts or grant.methods or grant.paths or grant.scopes:
        words.append("limited")
    if grant.per_hour:
        words.append(f"{grant.per_hour} calls an hour")
    if grant.run_only:
        words.append("in this run")
    elif grant.until:
        words.append(f"until {_when(grant.until)}")
    return one_line(", ".join(words))


def _end_grants(session: Session, name: str) -> None:
    """Take back what this notebook may do with one connection. Raises `ValetError`."""
    meant = [c for c in session.connections() if name in _names(c)]
    if not meant:
        raise ValetError("not_found", what=f"connection: {one_line(name, 80)}")
    for connection in meant:
        for grant in connection.grants:
            session.end_grant(grant.id)
        title = one_line(connection.provider_title or connection.provider, 60)
        print(f"{title}: this notebook may not use {one_line(connection.account, 120)} any more.")


def _when(seconds: float) -> str:
    from datetime import datetime

    if not seconds:
        return "never"
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "minutes")


def disconnect(line: str) -> None:
    """Forget the one connection that is meant. Raises `ValetError` when it is not one."""
    options = _disconnect_options(line)
    session = current()
    known = session.connections()
    meant = [c for c in known if options.name in _names(c)]
    if not meant and (provider := _provider_of(options.name)):
        meant = [c for c in known if c.provider == provider]
    if not meant:
        raise ValetError("not_found", what=f"connection: {one_line(options.name, 80)}")
    if len(meant) > 1 and not options.all:
        choices = " or ".join(f"{c.provider}/{c.account}" for c in meant)
        raise ValetError(
            "usage", what=f"There are {len(meant)}: {one_line(choices)}", usage=_DISCONNECT
        )
    for connection in meant:
        ended = session.disconnect(connection.id, revoke=options.revoke)
        print(_farewell(connection, ended))


def _names(connection: ConnectionView) -> set[str]:
    both = f"{connection.provider}/{connection.account}"
    return {connection.id, connection.provider, connection.account, both}


def _farewell(connection: ConnectionView, ended: str) -> str:
    title = one_line(connection.provider_title or connection.provider, 60)
    end = _ENDS.get(ended, "forgotten here")
    if ended == "not_confirmed" and connection.kind == "api_key":
        end = "forgotten here; the key itself is good until you delete it there"
    return f"{title}: {one_line(connection.account, 120)} is {end}."


_ENDS = {
    "revoked": "forgotten here, and revoked there",
    "not_confirmed": "forgotten here; that it is revoked there was not confirmed",
}


def valet(line: str) -> None:
    """Print the broker's status and what can be typed. Without a broker, say what to do.

    With a word behind it, do what `subcommands` says of it. Raises `ValetError`.
    """
    if line.strip():
        from . import subcommands

        print(subcommands.run(line))
        return
    try:
        print(_status(current()))
    except ValetError as error:
        print(error)
    print(f"\n{HELP}")


def _status(session: Session) -> str:
    status = session.status()
    lines = [
        f"jupyter-valet {status.version}",
        f"isolation    {status.level}: {status.level_words}",
        f"vault        {status.vault}; its key: {status.key_source}",
        f"providers    {', '.join(status.providers) or 'none'}",
        f"toolsets     {', '.join(status.toolsets) or 'none'}",
    ]
    if status.connections_url:
        lines.append(f"connections  {status.connections_url}")
    return "\n".join(lines)


class _Parser(argparse.ArgumentParser):
    """A parser that raises one line instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        usage = f"{self.usage}; %valet lists the names"
        raise ValetError("usage", what=f"{self.prog}: {one_line(message)}", usage=usage)


_CONNECT = "%connect NAME [NAME ...] [--scopes A,B] [--new-account]"
_CONNECTIONS = "%connections [--end NAME]"
_DISCONNECT = "%disconnect NAME [--revoke] [--all]"


def _connect_options(line: str) -> argparse.Namespace:
    parser = _Parser(prog="%connect", usage=_CONNECT, add_help=False, allow_abbrev=False)
    parser.add_argument("providers", nargs="+", metavar="NAME")
    parser.add_argument("--scopes", type=_scopes, default=[], metavar="A,B")
    parser.add_argument("--new-account", action="store_true")
    return parser.parse_args(_words(parser, line))


def _disconnect_options(line: str) -> argparse.Namespace:
    parser = _Parser(prog="%disconnect", usage=_DISCONNECT, add_help=False, allow_abbrev=False)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--revoke", action="store_true")
    parser.add_argument("--all", action="store_true")
    return parser.parse_args(_words(parser, line))


def _connections_options(line: str) -> argparse.Namespace:
    parser = _Parser(prog="%connections", usage=_CONNECTIONS, add_help=False, allow_abbrev=False)
    parser.add_argument("--end", default="", metavar="NAME")
    return parser.parse_args(_words(parser, line))


def _scopes(text: str) -> list[str]:
    return [scope for scope in text.replace(",", " ").split() if scope]


def _words(parser: _Parser, line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        parser.error("a quotation mark is missing")
