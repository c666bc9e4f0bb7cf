"""A vault in a file and one in PostgreSQL, and a way to vandalise either behind its back.

Every test that asks for a vault runs on both, unless it is about files (`in_a_file`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from vault_worlds import World, running_world

from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Vault

Opener = Callable[..., Vault]


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    yield from running_world(request, tmp_path)


@pytest.fixture
def state_dir(world: World) -> Path:
    """The folder of the vault; for PostgreSQL only its key and witness are there."""
    return world.folder


@pytest.fixture
def open_again(world: World) -> Opener:
    """Open the vault as another process would, as often as wanted; all are closed at the end."""
    return world.open


@pytest.fixture
def vault(open_again: Opener) -> Vault:
    return open_again()


@pytest.fixture
def filled(world: World) -> Path:
    """The folder of a closed vault with two records and a used token."""
    vault = world.open()
    vault.put("connection", "one", {"origins": ["https://one.example"]}, Secret("token-one"))
    vault.put("connection", "two", {"origins": ["https://two.example"]}, Secret("token-two"))
    vault.redeem("used", 4e9)
    vault.close()
    return world.folder


@pytest.fixture
def sql(world: World, filled: Path) -> Callable[..., list[tuple[object, ...]]]:
    """Change the closed vault behind its back."""
    return world.sql
