"""What a plain `pip install` brings: the wheel, its two installs, and what Jupyter finds."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def run(*command: str | Path, **environ: str) -> str:
    """Run a command away from the repository; return what it prints."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHON"))}
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=240,
        cwd="/",
        env={**kept, "PYTHONNOUSERSITE": "1", **environ},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", *options, REPOSITORY)
    return next(folder.glob("*.whl"))


def make_venv(folder: Path) -> Path:
    """Make an empty environment; return its interpreter."""
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


def install(python: Path, *what: str | Path) -> None:
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *what)


@pytest.fixture(scope="module")
def server_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; its dependencies are borrowed from ours, to be quick."""
    python = make_venv(tmp_path_factory.mktemp("server") / "venv")
    install(python, "--no-deps", wheel)
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", purelib).strip())
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_has_the_data_and_not_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "jupyter_valet/demo/quickstart.ipynb" in names
    assert "jupyter_valet/demo/tracker.json" in names
    assert "jupyter_valet/server/pages/templates/consent.html" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(
        name.endswith("data/etc/jupyter/jupyter_server_config.d/jupyter_valet.json")
        for name in names
    )
    assert not [name for name in names if name.startswith(("tests/", "tools/"))]


def test_jupyter_finds_the_extension_after_a_plain_install(
    server_python: Path, tmp_path: Path
) -> None:
    """Nobody edits a configuration file for the first run."""
    listing = run(
        *(server_python, "-m", "jupyter_server", "extension", "list"),
        HOME=str(tmp_path),
        JUPYTER_CONFIG_DIR=str(tmp_path),
    )
    assert "jupyter_valet enabled" in listing.replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert "jupyter_valet 0." in listing


def test_the_installed_command_says_its_version(server_python: Path) -> None:
    script = server_python.parent / "jupyter-valet"
    assert run(script, "--version").startswith("0.")


def test_the_installed_quickstart_is_found(server_python: Path) -> None:
    code = "from jupyter_valet.cli.demo import quickstart; print(quickstart())"
    found = Path(run(server_python, "-c", code).strip())
    assert found.is_relative_to(server_python.parents[1])
    assert found.exists()


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


@pytest.mark.timeout(300)
def test_a_kernel_environment_holds_the_kernel_side_beside_an_older_mcp(
    wheel: Path, tmp_path: Path
) -> None:
    """`langchain-mcp-adapters` pins `mcp<2`; the kernel side lives beside it and loads light."""
    python = make_venv(tmp_path / "kernel")
    install(python, wheel, "langchain-mcp-adapters")
    run(python, "-c", _KERNEL_SIDE, HOME=str(tmp_path), IPYTHONDIR=str(tmp_path))
