"""A scripted broker for the tests of the kernel side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_broker import FakeBroker


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBroker]:
    """A broker that this process finds through its environment."""
    found = FakeBroker()
    for name, value in found.environ.items():
        monkeypatch.setenv(name, value)
    yield found
    found.close()
    assert found.problems == []
