"""The script of docs/connect-a-client.md as it stands there, with a scripted model."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_server import demo_server
from jupyter_process import Server
from outside import sign_in
from program import make_key

pytestmark = pytest.mark.timeout(600)

PAGE = Path(__file__).parents[2] / "docs" / "connect-a-client.md"
MODEL = '"openai:gpt-5"'
TITLE = "Gaps longer than six hours"

SCRIPTED = """
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

def scripted(messages, info):
    parts = messages[-1].parts
    read = [part for part in parts if part.part_kind in ("tool-return", "retry-prompt")]
    if read:
        return ModelResponse(parts=[TextPart(str(read[0].content))])
    return ModelResponse(parts=[ToolCallPart("demo_list_issues", {"project": "tidepool"})])
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Run a server on which nobody has been asked for anything yet."""
    with demo_server(tmp_path) as running:
        yield running


def test_the_script_of_the_page_runs_and_asks_for_an_account_once(
    server: Server, pythons: dict[str, Path]
) -> None:
    """What a person copies works as it is, but for the address and the model."""
    key = make_key(server, "issues script")
    assert "valet/connections" in run(pythons["mcp-2"], server, key)
    [found] = re.findall(r'valet/connect/([\w-]+)"', server.get("valet/connections").body)
    assert "Connected as" in sign_in(server, f"{server.url}valet/connect/{found}")
    assert TITLE in run(pythons["mcp-2"], server, key)


def run(python: Path, server: Server, key: str) -> str:
    """Run the page's script; return what it printed."""
    [script] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert MODEL in script
    ours = script.replace("http://localhost:8888/", server.url)
    ours = ours.replace(MODEL, "FunctionModel(scripted)")
    done = subprocess.run(
        [python, "-c", SCRIPTED + ours],
        env={**os.environ, "JUPYTER_VALET_KEY": key},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
