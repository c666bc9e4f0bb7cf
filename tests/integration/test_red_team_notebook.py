"""The notebook with which a person attacks their own installation, run in real kernels."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_process import REPOSITORY, jupyter_server

from jupyter_valet.cli import lab
from jupyter_valet.doctor.server import Kernel
from jupyter_valet.doctor.server import Server as Client
from jupyter_valet.sandbox.backends import Landlock, Unsuitable

NOTEBOOK = REPOSITORY / "notebooks" / "red-team.ipynb"
PROFILE = REPOSITORY / "jupyter_config" / "lockdown" / "jupyter_server_config.py"
LOCKED = "import os; os.chdir('/')\n" + PROFILE.read_text()
OURS = {"load", "attack", "ask", "doctor"}
"""Cells that are no attack."""


def cells() -> dict[str, str]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return {c["id"]: "".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"}


def test_every_attack_has_its_sentence_and_nothing_is_left_of_a_run() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    words = {cell["id"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"}
    assert {f"{name}-words" for name in cells().keys() - {"load", "attack"}} <= words
    assert all(not cell.get("outputs") for cell in notebook["cells"])


@contextlib.contextmanager
def kernel(home: Path, config: str) -> Iterator[Kernel]:
    """As root, the server is started as `jupyter valet lab` does (R58)."""
    environ = {"PYTHONPATH": sys.path[0]}
    command = [*lab.as_lesser_root(), sys.executable, "-m", "jupyter_server"]
    with jupyter_server(
        home, fake=False, config=config, environ=environ, command=command
    ) as running:
        client = Client(running.process, running.port, running.base, "the-server-tests-token")
        yield client.start_kernel("red-team.ipynb")


def run(home: Path, config: str) -> dict[str, str]:
    """Run every cell in order; what it printed, by its id. No cell may raise."""
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_ed25519").write_text("a key")
    (home / ".bashrc").write_text("# theirs\n")
    with kernel(home, config) as attacker:
        return {name: attacker.run(_safe(code), 90) for name, code in cells().items()}


def _safe(code: str) -> str:
    """Run a cell as the notebook does, and print an error that would have shown there."""
    return (
        f"_result = get_ipython().run_cell({code!r})\n"
        "if not _result.success: print('RAISED', repr(_result.error_in_exec))\n"
    )


def _walls() -> bool:
    with contextlib.suppress(Unsuitable):
        Landlock().check()
        return True
    return False


@pytest.mark.skipif(not _walls(), reason="Landlock is not here")
def test_it_holds_at_l2_plus(tmp_path: Path) -> None:
    said = run(tmp_path, LOCKED)
    assert "isolation    L2+" in said["load"]
    attacks = {name: text for name, text in said.items() if name not in OURS}
    assert {name: text for name, text in attacks.items() if "Blocked:" not in text} == {}
    assert "Nothing is worse than L2+ claims." in said["doctor"]
    assert "fields: " in said["ask"]
    assert (tmp_path / ".bashrc").read_text() == "# theirs\n"


def test_its_attacks_work_where_nothing_defends(tmp_path: Path) -> None:
    """Their positive control: an attack that never works would show nothing by being blocked."""
    said = run(tmp_path, "c.ValetExtension.sandbox = 'off'\n")
    working = {name for name, text in said.items() if text.startswith("OPEN:")}
    assert working >= {"files", "api", "token", "kernels", "tomorrow"}, said
    assert not [name for name, text in said.items() if "RAISED" in text], said
