"""Opening what the broker keeps: the same folder, the same key source, the same lock."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from ..wire.errors import ValetError

if TYPE_CHECKING:
    from ..broker.secret import Secret
    from ..broker.vault import Vault

AUDIT_FILE = "audit.jsonl"
KEY_SOURCES = ("auto", "keyring", "passphrase", "file")


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options that say which vault is meant."""
    command.add_argument(
        "--state-dir", type=Path, help="folder of the vault, as in ValetExtension.state_dir"
    )
    command.add_argument(
        "--key-source", choices=KEY_SOURCES, default="auto", help="default: %(default)s"
    )


def state_dir(arguments: argparse.Namespace) -> Path:
    """Return the folder that was named, or the one the Jupyter server uses."""
    if arguments.state_dir is not None:
        return Path(arguments.state_dir).absolute()
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "valet"


def passphrase() -> Secret:
    """Ask for the vault's passphrase, unseen."""
    from ..broker.secret import Secret

    return Secret(getpass("Passphrase of the vault: "))


@contextmanager
def vault(arguments: argparse.Namespace, *, create: bool = False) -> Iterator[Vault]:
    """Open the vault, asking for its passphrase when it has one; only `create` makes a new one.

    Raises `ValetError`.
    """
    if not create and not state_dir(arguments).exists():
        raise ValetError("not_found", what="vault")
    from ..broker.vault import open_vault

    opened = open_vault(state_dir(arguments), arguments.key_source, prompt=passphrase)
    try:
        yield opened
    finally:
        opened.close()
