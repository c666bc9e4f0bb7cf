"""Opening what the broker keeps: the same folder, the same key source, the same lock."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from ..wire.errors import ValetError
from .configuration import configured

if TYPE_CHECKING:
    from ..broker.secret import Secret
    from ..broker.vault import Vault

AUDIT_FILE = "audit.jsonl"
KEY_SOURCES = ("auto", "keyring", "passphrase", "file")


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options that say which vault is meant."""
    command.add_argument(
        "--state-dir",
        type=Path,
        metavar="FOLDER",
        help="folder of the vault (default: as Jupyter's configuration files say)",
    )
    command.add_argument(
        "--key-source",
        choices=KEY_SOURCES,
        help="where a new vault keeps its key (default: as the configuration files say, else auto)",
    )


def state_dir(arguments: argparse.Namespace) -> Path:
    """Return the folder that was named, or the one the Jupyter server uses.

    Raises `ValetError` for a configuration file that cannot be read.
    """
    folder = arguments.state_dir or configured("state_dir")
    if folder:
        return Path(folder).expanduser().absolute()
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "valet"


def existing_state_dir(arguments: argparse.Namespace) -> Path:
    """Return the folder, which must be there. Raises `ValetError` ("no_vault")."""
    folder = state_dir(arguments)
    if not folder.exists():
        raise ValetError("no_vault", where=folder)
    return folder


def _key_source(arguments: argparse.Namespace) -> str:
    return str(arguments.key_source or configured("key_source") or "auto")


def passphrase() -> Secret:
    """Ask for the vault's passphrase, unseen."""
    from ..broker.secret import Secret

    return Secret(getpass("Passphrase of the vault: "))


@contextmanager
def vault(arguments: argparse.Namespace, *, create: bool = False) -> Iterator[Vault]:
    """Open the vault, asking for its passphrase when it has one; only `create` makes a new one.

    Raises `ValetError`.
    """
    folder = state_dir(arguments) if create else existing_state_dir(arguments)
    from ..broker.vault import open_vault

    opened = open_vault(folder, _key_source(arguments), prompt=passphrase)
    try:
        yield opened
    finally:
        opened.close()
