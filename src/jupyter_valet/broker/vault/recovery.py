"""What a person may decide when a vault refuses. Nothing here deletes anything.

Both need the broker to be stopped; the command line says so and asks first.
"""

from __future__ import annotations

import time
from pathlib import Path

from .files import private_folder, sync_folder
from .folder import Place
from .key_sources.choice import Prompt
from .opening import Opening

_AUDIT = "audit.jsonl"


def accept_older(state_dir: Path, *, prompt: Prompt = None) -> int:
    """Accept a vault that was put back from a backup, and return its generation.

    Tokens that were revoked or rotated since the backup come back with it. Raises as `open_vault`
    does for every other fault.
    """
    return accept(Opening(state_dir, "auto", prompt))


def accept(opening: Opening) -> int:
    """Make what is there the newest there ever was, and return its generation."""
    engine = opening.engine(accept_older=True)
    try:
        engine.accept_as_newest()
        return engine.contents().generation
    finally:
        engine.close()


def set_aside(state_dir: Path) -> Path:
    """Move the vault, its keys and its audit log into a folder beside them, and return that folder.

    The next start makes a new, empty vault. A key in the system's keyring stays there, under the
    id of the old vault.
    """
    place = Place(private_folder(state_dir))
    aside = private_folder(place.folder / time.strftime("set-aside-%Y%m%dT%H%M%SZ", time.gmtime()))
    for path in [*place.folder.glob("vault.db*"), place.keys, place.folder / _AUDIT]:
        if path.exists() or path.is_symlink():
            path.rename(aside / path.name)
    sync_folder(place.folder)
    return aside
