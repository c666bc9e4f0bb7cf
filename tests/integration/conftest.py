"""Fixtures of many modules; one that needs another broker defines its own under this name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from broker_process import BrokerFork, BrokerProcess
from person import demo_provider
from recording_api import RecordingApi


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """Run the demo provider."""
    with demo_provider() as issuer:
        yield issuer


@pytest.fixture
def broker(tmp_path: Path, issuer: str) -> Iterator[BrokerProcess]:
    """Run a broker that knows the demo provider."""
    with BrokerFork(tmp_path / "valet", demo_issuer=issuer) as broker:
        yield broker


@pytest.fixture(scope="module")
def api() -> Iterator[RecordingApi]:
    """Run an API that keeps every request."""
    with RecordingApi().running() as api:
        yield api
