"""`jupyter valet token`: API keys, with which programs outside of the notebooks use the tools."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from ..wire.clients import KEY_DAYS, USUAL_KEY_DAYS
from ..wire.control import OWNER
from ..wire.errors import ValetError
from .opening import AUDIT_FILE, add_options, state_dir, vault
from .table import table

if TYPE_CHECKING:
    from ..broker.clients import ClientKeys
    from ..broker.clients.key import ClientKey

_HUB_USER = "JUPYTERHUB_USER"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the command line."""
    command = commands.add_parser(
        "token", help="make, list and revoke API keys for programs", description=__doc__
    )
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make an API key and print it, this once")
    create.add_argument("name", metavar="NAME", help="for which program")
    create.add_argument(
        "--scope",
        action="append",
        metavar="SCOPE",
        help="what it may do: tools:read (default), tools:write, or either with :TOOLSET; "
        "may be given more than once",
    )
    create.add_argument(
        "--days",
        type=int,
        default=USUAL_KEY_DAYS,
        metavar="N",
        help=f"for how long (default: {USUAL_KEY_DAYS}, at most {max(KEY_DAYS)})",
    )
    create.set_defaults(run=run_create)
    listing = actions.add_parser("list", help="list the API keys; none of them is shown")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(run=run_list)
    revoke = actions.add_parser("revoke", help="end an API key, and what its program does, at once")
    revoke.add_argument("key", metavar="NAME", help="name or id of the key")
    revoke.set_defaults(run=run_revoke)
    for action in (create, listing, revoke):
        add_options(action)
        action.add_argument(
            "--user",
            metavar="NAME",
            help="whose keys, where the server knows several people "
            f"(default: the one of {_HUB_USER})",
        )


def run_create(arguments: argparse.Namespace) -> int:
    """Print the key alone to standard output, so that a script can take it."""
    from ..broker.clients.scopes import READ

    with _keys(arguments, create=True) as keys:
        scopes = arguments.scope or [READ]
        key, token = keys.make(_principal(arguments), arguments.name, scopes, arguments.days)
    print(f"This is the only time that it is shown; good until {_day(key)}.", file=sys.stderr)
    print(token)
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print what is known of each key."""
    with _keys(arguments) as keys:
        mine = keys.of(_principal(arguments))
    if arguments.json:
        for key in mine:
            print(json.dumps({"id": key.id, **key.to_meta()}))
    elif mine:
        heading = ("name", "id", "scopes", "last used", "until")
        print(table(heading, map(_row, mine)))
    else:
        print("There is no API key. Run `jupyter valet token create NAME`.")
    return 0


def run_revoke(arguments: argparse.Namespace) -> int:
    """Revoke the key of that id or name; a server that runs ends its program within seconds."""
    principal = _principal(arguments)
    with _keys(arguments) as keys:
        named = [key for key in keys.of(principal) if arguments.key in (key.id, key.name)]
        if not named:
            raise ValetError("not_found", what="API key")
        for key in named:
            keys.revoke(principal, key.id)
            print(f"Revoked: {table((key.name, key.id), ())}")
    return 0


@contextmanager
def _keys(arguments: argparse.Namespace, *, create: bool = False) -> Iterator[ClientKeys]:
    with vault(arguments, create=create) as opened:
        from ..broker.audit import Audit
        from ..broker.clients import ClientKeys, Ending
        from ..broker.elicitation import Transactions
        from ..broker.policy import Grants

        path = state_dir(arguments) / AUDIT_FILE
        audit = Audit(path, opened.key("audit"), lambda *_: None)
        try:
            ending = Ending(Grants(opened, audit), Transactions(opened))
            yield ClientKeys(opened, audit, ending)
        finally:
            audit.close()


def _principal(arguments: argparse.Namespace) -> str:
    """Return whose keys are meant, in the words of `server.identity`."""
    name = arguments.user or os.environ.get(_HUB_USER, "")
    return f"user:{name}" if name else OWNER


def _row(key: ClientKey) -> tuple[str, ...]:
    used = f"{datetime.fromtimestamp(key.last_used_at):%Y-%m-%d %H:%M}"
    scopes = " ".join(sorted(key.scopes))
    return key.name, key.id, scopes, used if key.last_used_at else "never", _day(key)


def _day(key: ClientKey) -> str:
    return f"{datetime.fromtimestamp(key.expires_at):%Y-%m-%d}"
