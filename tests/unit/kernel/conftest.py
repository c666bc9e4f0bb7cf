"""A scripted broker for the tests of the kernel side."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def load_fake_broker() -> Any:
    """Import `fake_broker.py`, which lies beside this file."""
    name = "valet_fake_broker"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, Path(__file__).with_name("fake_broker.py")
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A broker that this process finds through its environment."""
    found = load_fake_broker().FakeBroker()
    for name, value in found.environ.items():
        monkeypatch.setenv(name, value)
    yield found
    found.close()
    assert found.problems == []
