"""The world of these tests, and the one event loop that they run in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from authorization_world import World

from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.vault import open_vault


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    log = tmp_path / "audit.jsonl"
    with (
        closing(open_vault(tmp_path / "state", "file")) as vault,
        closing(Audit(log, vault.key("audit"), lambda *_: None)) as audit,
    ):
        yield World(vault, audit, log)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
