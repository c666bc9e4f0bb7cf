"""A vault in a folder of its own, and an open file to vandalise."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Vault, open_vault

Opener = Callable[..., Vault]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def open_again(state_dir: Path) -> Iterator[Opener]:
    """Open the vault of `state_dir`, as often as wanted; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def opener(key_source: str = "file", folder: Path = state_dir) -> Vault:
            vault = open_vault(folder, key_source)
            stack.callback(vault.close)
            return vault

        yield opener


@pytest.fixture
def vault(open_again: Opener) -> Vault:
    return open_again()


@pytest.fixture
def filled(state_dir: Path) -> Path:
    """The folder of a closed vault with two records and a used token."""
    vault = open_vault(state_dir, "file")
    vault.put("connection", "one", {"origins": ["https://one.example"]}, Secret("token-one"))
    vault.put("connection", "two", {"origins": ["https://two.example"]}, Secret("token-two"))
    vault.redeem("used", 4e9)
    vault.close()
    return state_dir


@pytest.fixture
def sql(filled: Path) -> Callable[..., list[tuple[object, ...]]]:
    """Change the closed vault behind its back."""

    def run(statement: str, *values: object) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(filled / "vault.db")) as db, db:
            return db.execute(statement, values).fetchall()

    return run
