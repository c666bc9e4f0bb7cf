"""A function as a tool in a real kernel whose main thread is busy; `notebook` for its own cells."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker_process import BrokerProcess, Kernel
from jupyter_client.manager import start_new_kernel

pytestmark = [
    pytest.mark.filterwarnings("ignore:Kernel is running over TCP:UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

DECLARE = '''
import jupyter_valet as valet, pandas
%load_ext jupyter_valet
frame = pandas.DataFrame({"station": ["A", "B"], "depth": [1.5, 2.0]})

@valet.tool(access="read")
def deepest(least: float = 0) -> pandas.DataFrame:
    """Find deep stations."""
    return frame[frame.depth > least]

@valet.tool
def broken() -> None:
    raise RuntimeError("row 17 of patients.csv")
'''


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kernel, Any]]:
    with BrokerProcess(tmp_path_factory.mktemp("valet") / "state") as broker:
        kernel = broker.kernel()
        environment = {
            **os.environ,
            "JUPYTER_VALET_URL": f"http://127.0.0.1:{kernel.port}",
            "JUPYTER_VALET_CAPABILITY": kernel.token,
        }
        manager, client = start_new_kernel(env=environment)
        try:
            assert client.execute_interactive(DECLARE, timeout=60)["content"]["status"] == "ok"
            yield kernel, client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def output(client: Any, code: str) -> str:
    said: list[str] = []

    def hook(message: dict[str, Any]) -> None:
        content = message["content"]
        said.append(content.get("text") or content.get("data", {}).get("text/plain", ""))

    client.execute_interactive(code, timeout=60, output_hook=hook)
    return "".join(said)


def test_an_agent_gets_an_answer_while_a_cell_runs(world, tmp_path: Path):
    kernel, client = world
    busy, stop = tmp_path / "busy", tmp_path / "stop"
    cell = f"""
import pathlib, time
pathlib.Path({str(busy)!r}).touch()
while not pathlib.Path({str(stop)!r}).exists():
    time.sleep(0.05)
"""
    client.execute(cell)
    deadline = time.monotonic() + 30
    while not busy.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    try:
        _, body = kernel.call_tool("notebook_deepest", {"least": 1.7})
        assert body["result"]["structuredContent"] == [{"station": "B", "depth": 2.0}]
    finally:
        stop.touch()


def test_the_notebook_itself_calls_it_beside_the_other_tools(world):
    _, client = world
    assert output(client, "print(len(tools.notebook.deepest(least=0)))").strip() == "2"
    assert output(client, "print(len(deepest(1.7)))").strip() == "1"


def test_the_traceback_is_for_the_person(world):
    kernel, client = world
    _, body = kernel.call_tool("notebook_broken", {})
    assert "row 17" not in json.dumps(body)
    shown = output(client, "%valet errors")
    assert "row 17 of patients.csv" in shown
    assert "desk.py" not in shown  # it begins with their own code
