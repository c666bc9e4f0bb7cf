"""Agents of each framework in a notebook, with a scripted model.

`agents/*.py` are what a person types, around the snippet that `tools.mcp` shows; the model is a
script that asks for one tool and keeps what it reads.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from environment_kernel import CARD, Kernel, walk
from jupyter_process import Server

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:Kernel is running over TCP:UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

AGENTS = Path(__file__).parent / "agents"

FRAMEWORKS = {
    "pydantic_ai": "mcp-2",
    "openai_agents": "mcp-2",
    "anthropic": "mcp-2",
    "adk": "mcp-2",
    "llama_index": "mcp-2",
    "sdk": "mcp-2",
    "functions": "mcp-2",
    "langchain": "mcp-1",
    "mcp_use": "mcp-1",
    "smolagents": "mcp-1",
    "strands": "mcp-2.1",
}
"""By agent, the environment that it runs in."""

TITLE = "Gaps longer than six hours"
"""Of one of the issues."""

BEGIN = """
NAME = "demo_list_issues"
ARGUMENTS = {"project": "tidepool", "state": "open", "limit": 30}
shown = []
elicit = None
"""

ELICIT = """
from mcp.types import ElicitResult

async def elicit(*arguments):
    [params] = [argument for argument in arguments if hasattr(argument, "url")]
    print("The framework says:", params.url)
    return ElicitResult(action="accept")
"""
"""A framework's own callback; each calls it with more around the parameters."""

ELICITING = ("pydantic_ai", "adk", "langchain", "mcp_use", "strands")
"""The frameworks that have one."""

SLOW = 6.0
"""Seconds that the person takes: more than a call is held without a snippet (4), and more than the
most impatient frameworks wait by default (5)."""


@dataclass
class Agent:
    """One framework's agent in a kernel, and all that its cells have shown."""

    name: str
    kernel: Kernel
    server: Server
    outputs: str = ""

    def run(self, code: str, **how: Any) -> str:
        said = self.kernel.run(code, patience=120, **how)
        self.outputs += said
        return said

    def ask(self, calls: int = 1, **how: Any) -> list[str]:
        """Let the model call the tool so often; return what it read."""
        said = self.run(f"import json; print('READ ' + json.dumps(await ask({calls})))", **how)
        last = said.rpartition("READ ")[2].splitlines()[0]
        assert "READ " in said, said
        read: list[str] = json.loads(last)
        return read

    def sign_out(self) -> None:
        self.run("%disconnect demo --all")


@pytest.fixture(scope="module", params=FRAMEWORKS)
def agent(
    request: pytest.FixtureRequest, kernels: dict[str, Kernel], server: Server
) -> Iterator[Agent]:
    name = request.param
    agent = Agent(name, kernels[FRAMEWORKS[name]], server)
    files = [AGENTS / "fake_chat_model.py"] if FRAMEWORKS[name] == "mcp-1" else []
    for file in (*files, AGENTS / f"{name}.py"):
        assert "Error" not in agent.run(BEGIN + file.read_text())
    yield agent
    agent.sign_out()


def test_the_call_that_asked_is_the_call_that_finishes(agent: Agent) -> None:
    """Not signed in: the card shows up in the cell that runs, and the call waits for the person."""

    def slowly(address: str) -> None:
        time.sleep(SLOW)
        walk(agent.server, address)

    [read] = agent.ask(on_card=slowly)
    assert TITLE in read
    assert CARD.search(agent.outputs)
    assert "/valet/" not in read


def test_a_tool_that_is_signed_in_just_works(agent: Agent) -> None:
    """And no card is shown."""
    before = len(agent.outputs)
    assert all(TITLE in read for read in agent.ask(calls=2))
    assert not CARD.search(agent.outputs[before:])


@pytest.mark.parametrize("agent", ELICITING, indirect=True)
def test_a_framework_that_shows_links_itself_is_given_the_link(agent: Agent) -> None:
    """URL elicitation in the form of its revision; then there is no card of ours."""
    agent.sign_out()
    agent.run(ELICIT)
    before = len(agent.outputs)
    [read] = agent.ask(on_card=lambda address: walk(agent.server, address))
    agent.run("elicit = None")
    assert TITLE in read
    assert "The framework says:" in agent.outputs[before:]
    assert "Sign in to Demo" not in agent.outputs[before:]


def test_with_nobody_there_the_model_gets_fixed_words(agent: Agent) -> None:
    """An unattended run ends at once, asks once, and hands no link to a model."""
    agent.sign_out()
    before, began = len(agent.outputs), time.monotonic()
    read = agent.ask(calls=2, attended=False)
    assert time.monotonic() - began < 30
    assert len(read) == 2
    for words in read:
        assert "http" not in words
        assert "sign" in words
    assert not CARD.search(agent.outputs[before:])


def test_the_lines_that_are_shown_name_what_there_is(agent: Agent) -> None:
    """Each snippet begins with its imports; a person copies them."""
    if agent.name == "functions":
        lines = ["tools.to_openai('demo')"]
    else:
        shown = agent.run(f"print(tools.mcp.__class__.{agent.name}.__doc__)")
        lines = [line.strip() for line in shown.splitlines() if " import " in line]
        assert lines
    assert "Error" not in agent.run("\n".join([*lines, "pass"]))


def test_what_a_notebook_shows_of_it_has_no_capability(agent: Agent) -> None:
    """Whatever of the framework a cell ends with: outputs are saved."""
    agent.run("[str(x) + repr(x) + repr(getattr(x, '__dict__', '')) for x in shown]")
    for code in ("shown", "tools.mcp", "vars(tools.mcp)", "tools.mcp.headers", "tools.mcp.json()"):
        agent.run(code)
    capability = agent.kernel.run("import os; print(os.environ['JUPYTER_VALET_CAPABILITY'])")
    assert capability.startswith("jvk_")
    assert capability.strip() not in agent.outputs


@pytest.fixture
def impatient(kernels: dict[str, Kernel], server: Server) -> Iterator[Agent]:
    """An agent whose person has fifteen seconds instead of ten minutes."""
    agent = Agent("pydantic_ai", kernels["mcp-2"], server)
    agent.run(BEGIN + (AGENTS / "pydantic_ai.py").read_text())
    agent.sign_out()
    agent.run("from jupyter_valet.kernel.agents import endpoint\nendpoint._HOLD = 15")
    yield agent
    agent.run("endpoint._HOLD = 590")
    agent.sign_out()


def test_a_person_who_comes_too_late_finds_the_card_and_the_next_call_works(
    impatient: Agent,
) -> None:
    """A call is held as long as it can be; those after it shortly, and for the same card."""
    addresses: list[str] = []
    began = time.monotonic()
    first, second = impatient.ask(calls=2, on_card=addresses.append)
    assert 15 + 3 < time.monotonic() - began < 15 + 15
    for words in (first, second):
        assert words.startswith("authorization_required: ")
        assert "http" not in words
    assert len(set(CARD.findall(impatient.outputs))) == len(addresses) == 1
    walk(impatient.server, addresses[0])
    [read] = impatient.ask()
    assert TITLE in read


@pytest.mark.parametrize("agent", ["pydantic_ai", "langchain"], indirect=True)
def test_an_interrupt_withdraws_the_question(agent: Agent) -> None:
    """Nobody signs in for nothing."""
    agent.sign_out()
    addresses: list[str] = []

    def interrupt(address: str) -> None:
        addresses.append(address)
        agent.server.api("POST", f"api/kernels/{agent.kernel.id}/interrupt")
        began.append(time.monotonic())

    began: list[float] = []
    agent.run("await ask(1)", on_card=interrupt)
    assert time.monotonic() - began[0] < 60
    [address] = addresses
    path = address.partition(agent.server.base)[2]
    deadline = time.monotonic() + 10
    while 'id="approve"' in agent.server.get(path).body:
        assert time.monotonic() < deadline
        time.sleep(0.1)
