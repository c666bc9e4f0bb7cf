"""What the official suite has for authorization servers, against "sign in with Jupyter".

No revision requires it: MCP leaves authorization servers to others. The person who signs in and
presses is scripted; the suite is the program that asks.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from typing import Any

import dance
import pytest
from demo_server import demo_server
from free_ports import free_port
from jupyter_process import Server
from packages import node, package

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

REVISIONS = pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with demo_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@REVISIONS
def test_the_official_suite_finds_metadata_and_gets_a_token(
    server: Server, tmp_path: Path, revision: str
) -> None:
    """AS-01, AS-05, AS-07: where they are looked for, `state` and `iss`, a code for a token."""
    port = free_port()
    callback = f"http://127.0.0.1:{port}/callback"
    command = [
        *(str(node()), str(package("@modelcontextprotocol/conformance") / "dist/index.js")),
        *("authorization", "--url", f"{server.url}{dance.ISSUER}", "--port", str(port)),
        *("--client-id", dance.registered(server, callback), "-o", str(tmp_path / "results")),
        *("--resource", f"{server.url}valet/mcp", "--spec-version", revision),
    ]
    said = []
    with Popen(command, stdout=PIPE, stderr=STDOUT, text=True) as suite:
        assert suite.stdout
        for line in suite.stdout:
            said.append(line)
            if line.startswith(f"{server.url}{dance.ISSUER}/authorize?"):
                _agree(server, line.strip())
    checks = [check for file in _results(tmp_path) for check in json.loads(file.read_text())]
    assert suite.returncode == 0, "".join(said)
    outcomes = {check["id"]: check["status"] for check in checks}
    assert outcomes == {
        "authorization-server-metadata": "SUCCESS",
        "authorization-server-metadata-cimd": "SUCCESS",
        "authorization-code-grant": "SUCCESS",
    }, "".join(said)


def _agree(server: Server, address: str) -> None:
    """Open the page in the person's browser, press, and go where that leads."""
    page = server.get(address.removeprefix(server.url), dance.OPENED)
    location = dance.allow(server, page).location
    with urllib.request.urlopen(location, timeout=30) as answer:
        assert answer.status == 200


def _results(folder: Path) -> list[Any]:
    return sorted((folder / "results").rglob("checks.json"))
