"""Signing in by a code that is typed at the provider (RFC 8628), in a real broker process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker_process import BrokerProcess, Kernel
from person import Person
from wavering_provider import Wavering, wavering_provider

SECONDS = 20.0


@pytest.fixture(scope="module")
def running() -> Iterator[Wavering]:
    with wavering_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: Wavering) -> Wavering:
    running.mood, running.typed, running.code_answer = "well", False, {}
    running.posted.clear()
    running.polls.clear()
    running.issued.clear()
    return running


@pytest.fixture
def broker(tmp_path: Path, provider: Wavering) -> Iterator[BrokerProcess]:
    providers = {"wavering": provider.profile()}
    with BrokerProcess(tmp_path / "valet", providers=providers) as broker:
        yield broker


def ask(kernel: Kernel, provider: str = "wavering", **more: Any) -> str:
    """Return the transaction of a `%connect`."""
    status, reply = kernel.request("POST", "/connect", {"provider": provider, **more})
    assert status == 200, reply
    return str(reply["transaction"]["id"])


def page(broker: BrokerProcess, transaction: str) -> dict[str, Any]:
    return Person().open(broker, transaction)


def get_code(broker: BrokerProcess, transaction: str) -> dict[str, Any]:
    """Press for a code; return what the page shows then."""
    Person().press(broker, "code", transaction)
    return page(broker, transaction)


def ended(kernel: Kernel, transaction: str) -> dict[str, Any]:
    """Return the card's view once the sign-in has ended."""
    until = time.monotonic() + SECONDS
    view: dict[str, Any] = {"revision": 0, "state": ""}
    while time.monotonic() < until and view["state"] in ("", "waiting", "opened", "at_provider"):
        where = f"/transactions/{transaction}?after={view['revision']}&wait=5"
        _, view = kernel.request("GET", where)
    return view


def polls(provider: Wavering) -> int:
    return sum("device_code" in form for form in provider.forms("/token"))


def test_the_code_that_was_typed_elsewhere_connects(broker: BrokerProcess, provider: Wavering):
    """The page offers it, shows it, and goes on showing the same one; the card ends as any other.

    The grant, the account and the scopes come about as with a sign-in in the browser.
    """
    kernel = broker.kernel()
    transaction = ask(kernel)
    assert page(broker, transaction)["code_offered"]
    shown = get_code(broker, transaction)
    assert shown["step"] == "code"
    assert shown["user_code"] in provider.issued[0]
    assert shown["verification_uri"] == f"{provider.url}/activate"
    assert page(broker, transaction)["user_code"] == shown["user_code"]
    provider.typed = True
    view = ended(kernel, transaction)
    assert (view["state"], view["account"]) == ("done", "jane")
    (mine,) = kernel.request("GET", "/connections")[1]["connections"]
    assert (mine["account"], mine["scopes"]) == ("jane", ["read"])
    assert mine["grants"]
    (asked,) = provider.forms("/device")
    assert asked == {"client_id": "wavering-client", "scope": "read"}
