"""One Jupyter server with the demo provider, and a kernel of each environment that frameworks need.

The environments are made with uv, away from the repository, out of `environments/*.txt`: frameworks
pin versions of the SDK that exclude each other.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv
from demo_server import demo_server
from environment_kernel import Kernel, add_kernel
from environments import build_wheel, run
from jupyter_process import Server

HERE = Path(__file__).parent
UV = uv.find_uv_bin()
ENVIRONMENTS = ("mcp-2", "mcp-1", "mcp-2.1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is below this folder: it takes minutes, and has a command of its own."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.frameworks)


@pytest.fixture(scope="session")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Make the environments; yield their interpreters."""
    folder = tmp_path_factory.mktemp("frameworks")
    wheel = build_wheel(folder)
    found = {}
    for name in ENVIRONMENTS:
        found[name] = folder / name / "bin" / "python"
        run(UV, "venv", "--quiet", "--python", sys.executable, folder / name)
        what = ("-r", HERE / "environments" / f"{name}.txt", "ipykernel>=7", wheel)
        run(UV, "pip", "install", "--quiet", "--python", found[name], *what, timeout=480)
    yield found
    shutil.rmtree(folder)  # 700 MB, in which nothing is looked for


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, pythons: dict[str, Path]) -> Iterator[Server]:
    """Run the server."""
    home = tmp_path_factory.mktemp("server")
    opened = [add_kernel(home, name, python) for name, python in pythons.items()]
    with demo_server(home, f"c.ValetExtension.sandbox_open = {opened!r}\n") as running:
        yield running


@pytest.fixture(scope="session")
def kernels(server: Server) -> Iterator[dict[str, Kernel]]:
    """Return a kernel of each environment, with the extension loaded."""
    started = {name: Kernel(server, name) for name in ENVIRONMENTS}
    for kernel in started.values():
        kernel.run("%load_ext jupyter_valet")
    yield started
    for kernel in started.values():
        kernel.end()
