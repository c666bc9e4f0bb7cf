"""A kernel of another environment, which holds the kernel side and a package that pins `mcp<2`.

A real Jupyter server starts it, a real broker and the demo provider answer, and the person walks
the pages over HTTP as a browser does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_server import demo_server
from environment_kernel import Kernel, add_kernel, walk
from environments import build_wheel, install, make_venv, run
from jupyter_process import Server

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:Kernel is running over TCP:UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CALL = "print(len(tools.demo.list_issues('tidepool')), 'open issues')"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    found = make_venv(folder / "venv")
    wheel = build_wheel(folder)
    install(found, wheel, "langchain-mcp-adapters", "ipykernel", "nbclient")
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    opened = add_kernel(home, "older", python)
    with demo_server(home, f"c.ValetExtension.sandbox_open = [{opened!r}]\n") as running:
        yield running


@pytest.fixture(scope="module")
def kernel(server: Server) -> Iterator[Kernel]:
    kernel = Kernel(server, "older")
    kernel.run("%load_ext jupyter_valet")
    yield kernel
    kernel.end()


_KERNEL_SIDE = """
import importlib.metadata as metadata, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "jupyter_valet")
heavy = {"mcp", "pydantic", "httpx", "httpx2", "aiohttp", "authlib", "cryptography", "ipywidgets"}
assert not heavy & (set(sys.modules) - before), heavy & (set(sys.modules) - before)
assert "tools" in shell.user_ns
import langchain_mcp_adapters
assert metadata.version("mcp").split(".")[0] == "1", metadata.version("mcp")
"""


def test_a_kernel_environment_holds_the_kernel_side_beside_an_older_mcp(
    python: Path, tmp_path: Path
) -> None:
    """`langchain-mcp-adapters` pins `mcp<2`; the kernel side lives beside it and loads light."""
    run(python, "-c", _KERNEL_SIDE, HOME=str(tmp_path), IPYTHONDIR=str(tmp_path))


def test_a_whole_call_in_a_kernel_of_another_environment(
    server: Server, kernel: Kernel, python: Path
) -> None:
    """Card, pages, provider, and the same call finishes: at a path as on a JupyterHub."""
    assert kernel.run("import sys; print(sys.executable)").strip() == str(python)
    said = kernel.run(CALL, on_card=lambda address: walk(server, address))
    assert "4 open issues" in said
    assert "/user/jane/valet/connect/" in said
    assert kernel.run(CALL) == "4 open issues\n"


def test_a_script_that_the_kernel_starts_is_served_too(server: Server, kernel: Kernel) -> None:
    kernel.run(CALL, on_card=lambda address: walk(server, address))
    script = "from jupyter_valet import tools; print(len(tools.demo.list_projects()), 'projects')"
    start = f"subprocess.check_output([sys.executable, '-c', {script!r}], text=True)"
    assert "3 projects" in kernel.run(f"import subprocess, sys\nprint({start})")


def test_nbclient_in_that_environment_fails_at_once_and_says_what_to_do(
    server: Server, kernel: Kernel
) -> None:
    """An unattended run that needs a sign-in; with the sign-in made before, it goes through."""
    kernel.run(
        "import nbformat, nbclient\n"
        "cells = ['%load_ext jupyter_valet', 'len(tools.demo.list_issues(\"tidepool\"))']\n"
        "book = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)])\n"
        "async def unattended():\n"
        "    done = await nbclient.NotebookClient(book, kernel_name='python3').async_execute()\n"
        "    return done.cells[1].outputs[0]['data']['text/plain']"
    )
    kernel.run("%disconnect demo")
    began = time.monotonic()
    failed = kernel.run("await unattended()")
    assert time.monotonic() - began < 30
    assert "nobody is here" in failed
    assert "%connect demo" in failed
    kernel.run("%connect demo", on_card=lambda address: walk(server, address))
    assert "4" in kernel.run("await unattended()")
