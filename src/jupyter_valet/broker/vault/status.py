"""What can be said of a vault without its secrets, for `jupyter valet key status`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...wire.errors import ValetError
from .change import Contents
from .engine import Engine
from .errors import VaultLocked
from .files import identity
from .folder import Place
from .key_sources import named
from .opening import Opening
from .record import RESERVED
from .sqlite import read_header


def describe(state_dir: Path) -> dict[str, Any]:
    """Return the facts about the vault in `state_dir`; nothing is made and nobody is asked.

    Members: `exists`, `locked`, `key_source`, `key_source_words`, `key_version`,
    `rotation_unfinished`, `generation`, `records` (counts by kind), `redeemed` (used tokens that
    are remembered) and `problems` (one line each; empty when all is well). What is not known,
    because the vault is locked or refuses, is None or empty.
    """
    facts: dict[str, Any] = {
        "exists": False,
        "locked": False,
        "key_source": "",
        "key_source_words": "",
        "key_version": None,
        "rotation_unfinished": False,
        "generation": None,
        "records": {},
        "redeemed": 0,
        "problems": [],
    }
    try:
        facts.update(_of_vault(Place(state_dir)))
    except VaultLocked:
        facts.update(exists=True, locked=True)
    except ValetError as error:
        facts.update(exists=True, problems=[error.message])
    return {**facts, **_of_source(Place(state_dir))}


def _of_vault(place: Place) -> dict[str, Any]:
    if not place.folder.exists():
        return {}
    if identity(place.database) is None and not place.traces():
        return {}
    engine = Opening(place.folder, "auto", None).engine()
    try:
        return {"exists": True, **_of_contents(engine.contents()), **_of_ring(engine)}
    finally:
        engine.close()


def _of_contents(contents: Contents) -> dict[str, Any]:
    return {
        "key_version": contents.key_version,
        "generation": contents.generation,
        "records": {
            kind: len(records)
            for kind, records in sorted(contents.records.items())
            if records and not kind.startswith(RESERVED)
        },
        "redeemed": len(contents.redeemed),
    }


def _of_ring(engine: Engine) -> dict[str, Any]:
    ring = engine.source.load(engine.store.header.vault_id)
    return {"rotation_unfinished": ring is not None and len(ring.keys) > 1}


def _of_source(place: Place) -> dict[str, Any]:
    """Return what the file says about its key source, as far as it can be read."""
    try:
        name = read_header(place.database).key_source
        return {"key_source": name, "key_source_words": named(name, place.keys).words}
    except ValetError:
        return {}
