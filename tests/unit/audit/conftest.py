"""An audit log of its own, and what was emitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.secret import Secret

KEY = Secret(b"k" * 32)


@pytest.fixture
def key() -> Secret:
    return KEY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def events() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def audit(path: Path, key: Secret, events: list[Any]):
    log = Audit(path, key, lambda schema_id, data: events.append((schema_id, data)))
    yield log
    log.close()
