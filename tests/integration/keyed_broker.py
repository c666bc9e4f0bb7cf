"""A real broker whose person has typed a key for an API of this machine, and a kernel of theirs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from broker_process import ORIGIN, BrokerProcess, Kernel
from recording_api import KEY, RecordingApi, provider

from jupyter_valet.kernel import session


@contextlib.contextmanager
def keyed_broker(
    folder: Path, api: RecordingApi, *, name: str = "own", settings: Any = None, **start: Any
) -> Iterator[BrokerProcess]:
    """Run a broker that knows `api` as the provider `name`."""
    providers = {name: provider(api, **(settings or {}))}
    with BrokerProcess(folder / "valet", providers=providers, **start) as broker:
        yield broker


@contextlib.contextmanager
def reading_kernel(
    broker: BrokerProcess, api: RecordingApi, request: pytest.FixtureRequest
) -> Iterator[Kernel]:
    """Make this process, for one test, a kernel whose notebook may read."""
    found = broker.kernel(request.node.name[:60], notebook=f"{id(request)}.ipynb")
    keyed(broker, found, new_account=True)
    api.seen.clear()
    api.routes.clear()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("JUPYTER_VALET_URL", f"http://127.0.0.1:{found.port}")
        monkeypatch.setenv("JUPYTER_VALET_CAPABILITY", found.token)
        yield found
        session.current().close()


def clean(kernel: Kernel, api: RecordingApi) -> None:
    """Every request had the person's credential, and none the kernel's capability."""
    assert api.seen
    for seen in api.seen:
        assert seen.headers["Authorization"] == f"Bearer {KEY}"
        assert kernel.token not in seen.whole


def type_key(broker: BrokerProcess, transaction: str, key: str = KEY) -> None:
    """Open the page behind the card's link, fill it in and press *Save*."""
    asked = {"transaction": transaction, "origin": ORIGIN, "principal": "owner"}
    facts = broker.call("page.open", **asked)
    form = urlencode({"nonce": facts["nonce"], "api_key": key})
    facts = broker.call("page.save", **asked, form=form)
    assert facts["state"] == "done", facts


def keyed(broker: BrokerProcess, kernel: Kernel, name: str = "own", **more: Any) -> None:
    """Do what `%connect own` does."""
    status, reply = kernel.request("POST", "/connect", {"provider": name, **more})
    assert status == 200, reply
    type_key(broker, reply["transaction"]["id"])
