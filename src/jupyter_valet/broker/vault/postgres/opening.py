"""Opening one person's vault in a shared database."""

from __future__ import annotations

from pathlib import Path

from ....wire.errors import ValetError
from ..files import private_folder
from ..folder import Place
from ..key_sources import KeySource
from ..key_sources.choice import Prompt
from ..opening import Opening
from ..recovery import accept
from ..vault import Vault
from .database import Database
from .home import PostgresHome

_LONGEST_OWNER = 512


def open_shared_vault(
    database: Database,
    owner: str,
    folder: Path,
    key_source: KeySource | str = "file",
    *,
    prompt: Prompt = None,
) -> Vault:
    """Open the vault of `owner` in `database`; it is made on first use, and only then.

    `folder` is this machine's own for this owner: the witness lies there, and the key for the key
    sources `file` and `passphrase`. Raises as `open_vault` does, and `VaultUnreachable`.
    """
    return Vault(_opening(database, owner, folder, key_source, prompt))


def accept_older(
    database: Database, owner: str, folder: Path, key_source: KeySource | str = "auto"
) -> int:
    """Accept the vault of `owner` as it is after the database was put back; see `recovery`.

    On every machine that had seen a newer one, with the brokers stopped. Returns the generation.
    """
    return accept(_opening(database, owner, folder, key_source, None))


def _opening(
    database: Database,
    owner: str,
    folder: Path,
    key_source: KeySource | str,
    prompt: Prompt,
) -> Opening:
    """Return what opens the vault of `owner`."""
    if not 0 < len(owner) <= _LONGEST_OWNER or not owner.isprintable():
        raise ValetError("bad_request", what="a vault needs an owner with a plain name")
    home = PostgresHome(database, owner, Place(private_folder(folder)))
    return Opening(folder, key_source, prompt, home)
