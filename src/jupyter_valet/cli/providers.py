"""`jupyter valet provider`: the person's own OAuth app at a provider.

The client id and secret are typed here and go into the vault; nothing of them is an argument, so
they are in no shell history and no list of processes.
"""

from __future__ import annotations

import argparse
from getpass import getpass
from typing import TYPE_CHECKING

from ..wire.errors import ValetError
from ..wire.routes import PAGE_CALLBACK
from .configuration import configured
from .opening import AUDIT_FILE, add_options, state_dir, vault
from .table import table

if TYPE_CHECKING:
    from jupyter_server.config_manager import BaseJSONConfigManager

    from ..broker.oauth import OAuthApp, Profile
    from ..broker.vault import Vault


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the command line."""
    command = commands.add_parser(
        "provider", help="add, list or remove OAuth apps", description=__doc__
    )
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="store the client id and secret of your app")
    add.add_argument("name", help="github, google, or a name of your own")
    add.add_argument(
        "--issuer",
        default="",
        metavar="URL",
        help="issuer of a provider of your own; it goes into jupyter_valet_config.json",
    )
    listed = actions.add_parser("list", help="list the apps that are stored")
    remove = actions.add_parser("remove", help="forget an app")
    remove.add_argument("name")
    for action, run in ((add, run_add), (listed, run_list), (remove, run_remove)):
        add_options(action)
        action.set_defaults(run=run)


def run_add(arguments: argparse.Namespace) -> int:
    """Ask for the app and store it."""
    known = _known(arguments.name, arguments.issuer)
    profile = known[arguments.name]
    if profile.keyed:
        raise ValetError(
            "usage",
            what=f"{profile.name} takes an API key, no app",
            usage=f"%connect {profile.name}",
        )
    if profile.own_account:
        what = f"The client of {profile.name} is a credential of one person's, typed on their page"
        raise ValetError("usage", what=what, usage=f"%connect {profile.name}")
    _say_where(profile)
    app = _ask(profile)
    if arguments.issuer:
        _configure(arguments.name, arguments.issuer)
    with vault(arguments, create=True) as opened:
        _save(arguments, opened, known, app)
    first = "Restart Jupyter, then run" if arguments.issuer else "Run"
    print(f"Stored. {first} %connect {profile.name} in a notebook.")
    return 0


def _say_where(profile: Profile) -> None:
    """Print where an app is registered, and with what; a redirect URI is for browsers alone."""
    print(f"Register an app at {profile.register_url or profile.issuer}", end="")
    if profile.flow != "code":
        return print(".")
    print(" with the redirect URI")
    print(f"  <your Jupyter's address>/{PAGE_CALLBACK}/{profile.name}")
    return None


def run_list(arguments: argparse.Namespace) -> int:
    """Print the apps, without their secrets."""
    with vault(arguments) as opened:
        records = [record for kind in _APP_KINDS for record in opened.list(kind)]
    rows = [
        (
            r.id,
            str(r.meta.get("client_id", "")),
            str(r.meta.get("issuer", "")),
            _APP_KINDS[r.kind],
        )
        for r in sorted(records, key=lambda r: (r.id, r.kind))
    ]
    heading = ("provider", "client id", "issuer", "for")
    print(table(heading, rows) if rows else "No app is stored.")
    return 0


def run_remove(arguments: argparse.Namespace) -> int:
    """Forget a provider's apps; connections made with them can no longer be refreshed."""
    with vault(arguments) as opened:
        forgotten = {opened.delete(kind, arguments.name) for kind in _APP_KINDS}
        if True not in forgotten:
            raise ValetError("not_found", what=f"app for {arguments.name}")
    print(f"The app for {arguments.name} is forgotten here; it still exists at the provider.")
    return 0


def _known(name: str, issuer: str) -> dict[str, Profile]:
    """Return the providers of the configuration, and the one that `issuer` makes."""
    from ..broker.oauth import profiles

    config = configured("providers") or {}
    known = profiles(config)
    if issuer:
        try:
            known = profiles({**config, name: {**config.get(name, {}), "issuer": issuer}})
        except ValetError:
            what = "A provider has a name in lower case, and an https URL without a query as issuer"
            example = "jupyter valet provider add example --issuer https://login.example.org"
            raise ValetError("usage", what=what, usage=example) from None
    if name not in known:
        raise ValetError("unknown_provider", provider=name)
    return known


def _configure(name: str, issuer: str) -> None:
    """Put the provider into the configuration. Raises `ValetError` when it has no effect there."""
    _configuration().update(_SECTION, {_APP: {"providers": {name: {"issuer": issuer}}}})
    if name not in configured("providers"):
        what = f"it sets {_APP}.providers, so the entry in {_SECTION}.json has no effect"
        raise ValetError("bad_configuration", what=what)


def _save(
    arguments: argparse.Namespace, opened: Vault, known: dict[str, Profile], app: OAuthApp
) -> None:
    from ..broker.audit import Audit
    from ..broker.connections import Connections
    from ..broker.oauth import OAuthClient

    audit = Audit(state_dir(arguments) / AUDIT_FILE, opened.key("audit"), lambda *_: None)
    Connections(opened, OAuthClient(), known, audit).save_app(app)


_APP_KINDS = {"oauth_app": "sign-in", "oauth_device_app": "codes"}
"""The vault's records that hold an app of the person's own, and what it is for."""

_SECTION = "jupyter_valet_config"
_APP = "ValetExtension"


def _configuration() -> BaseJSONConfigManager:
    """Return the person's own configuration of the extension: jupyter_valet_config.json."""
    from jupyter_core.paths import jupyter_config_dir
    from jupyter_server.config_manager import BaseJSONConfigManager

    return BaseJSONConfigManager(config_dir=jupyter_config_dir())


def _ask(profile: Profile) -> OAuthApp:
    from ..broker.oauth import OAuthApp
    from ..broker.secret import Secret

    client_id = input("Client id: ").strip()
    secret = getpass("Client secret (empty for a public client): ").strip()
    if not client_id:
        again = f"jupyter valet provider add {profile.name} again"
        raise ValetError("usage", what="The client id is empty; nothing was stored", usage=again)
    return OAuthApp(profile.name, profile.issuer, client_id, Secret(secret) if secret else None)
