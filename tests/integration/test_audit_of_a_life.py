"""`jupyter valet audit` after a whole life of a connection: each event is a line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from broker_process import BrokerProcess, Kernel
from leaks import in_vault, must_not_leak
from person import Person, asked, connected, demo_provider

ISSUES = ("demo_list_issues", {"project": "tidepool", "limit": 2})
SHORT = 31
"""Seconds of an access token: a token that has less than 30 left is refreshed before use."""


@pytest.fixture
def issuer() -> Iterator[str]:
    with demo_provider("--access-seconds", str(SHORT)) as issuer:
        yield issuer


def audit(state_dir: Path, *options: str) -> str:
    command = [sys.executable, "-m", "jupyter_valet.cli", "audit", "--state-dir", str(state_dir)]
    return subprocess.run(
        [*command, *options], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def only_connection(kernel: Kernel) -> dict[str, Any]:
    [found] = kernel.request("GET", "/connections")[1]["connections"]
    return dict(found)


def test_made_used_refreshed_refused_and_revoked_are_lines(tmp_path: Path, issuer: str) -> None:
    """Issue 2, item 10. The provider revokes once, then the person does."""
    state = tmp_path / "valet"
    with BrokerProcess(state, demo_issuer=issuer) as broker:
        kernel, person = broker.kernel(), Person()
        connected(broker, kernel, person)
        first = in_vault(state)
        time.sleep(SHORT - 29)
        assert not kernel.call_tool(*ISSUES)[1]["result"].get("isError")
        seen = first | in_vault(state)
        for token in in_vault(state):
            form = {"token": token, "client_id": "jupyter-valet-demo"}
            httpx2.post(f"{issuer}/revoke", data=form).raise_for_status()
        transaction, _, _ = asked(kernel.call_tool(*ISSUES))
        assert only_connection(kernel)["reason"]
        person.sign_in(broker, transaction)
        seen |= in_vault(state)
        connection = only_connection(kernel)["id"]
        kernel.request("DELETE", f"/connections/{connection}?revoke=true")

    events = [json.loads(line) for line in audit(state, "--json").splitlines()]
    told = [event["action"] for event in events if event["action"].startswith("connection.")]
    for action in ("made", "refreshed", "used", "refused", "revoked"):
        assert f"connection.{action}" in told, told
        assert f"connection.{action}" in audit(state)
    made = next(event for event in events if event["action"] == "connection.made")
    assert (made["provider"], made["account"], made["notebook"]) == ("demo", "amara", "a.ipynb")
    assert "as it was written" in audit(state, "--verify")
    assert len(seen) >= 4
    must_not_leak(tmp_path, state, seen)
    assert not [secret for secret in seen if secret in "".join(broker.stderr)]
