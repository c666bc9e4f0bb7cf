"""The notebook of agents where a framework is installed, run from top to bottom."""

from __future__ import annotations

import nbformat
import pytest
from environment_kernel import Kernel, walk
from environments import REPOSITORY
from jupyter_process import Server

pytestmark = [
    pytest.mark.filterwarnings("ignore:Kernel is running over TCP:UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_the_notebook_of_agents(kernels: dict[str, Kernel], server: Server) -> None:
    """Two cards: one for the agent by hand, one for the framework's."""
    kernel = kernels["mcp-2"]
    cards: list[str] = []

    def sign_in(address: str) -> None:
        cards.append(address)
        walk(server, address)

    shown = {}
    for cell in nbformat.read(REPOSITORY / "notebooks" / "agents.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            shown[cell.id] = kernel.run(cell.source, on_card=sign_in)
    assert "4 are open" in shown["ask"]
    assert "Done: " in shown["pydantic"]
    assert "Support Python 3.14" in shown["pydantic"]
    assert len(cards) == 2
    assert "jvk_" not in "".join(shown.values())
    kernel.run("%disconnect demo")
