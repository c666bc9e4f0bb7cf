"""What a plain `pip install` brings: the wheel, its install, and what Jupyter finds."""

from __future__ import annotations

import sysconfig
import zipfile
from pathlib import Path

import pytest
from environments import build_wheel, install, make_venv, run


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


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


def test_the_installed_notebooks_are_found(server_python: Path) -> None:
    code = (
        "from jupyter_valet.cli import demo; print(*map(demo.shipped, demo.NOTEBOOKS), sep='\\n')"
    )
    for line in run(server_python, "-c", code).splitlines():
        assert Path(line).is_relative_to(server_python.parents[1])
        assert Path(line).exists()
