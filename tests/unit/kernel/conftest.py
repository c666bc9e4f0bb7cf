"""A scripted broker for the tests of the kernel side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kernel_broker import FakeBroker

from jupyter_valet.kernel import session
from jupyter_valet.kernel.agents import watch


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBroker]:
    """A broker that this process finds through its environment."""
    found = FakeBroker()
    for name, value in found.environ.items():
        monkeypatch.setenv(name, value)
    yield found
    watch.stop()
    session.current(found.environ).close()
    found.close()
    assert found.problems == []
