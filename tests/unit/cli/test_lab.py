"""`jupyter valet lab`: how the lockdown profile is applied."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_valet.cli import lab, main
from jupyter_valet.sandbox.launch import lesser_root


def profile() -> Config:
    made = Config()
    runpy.run_path(
        str(lab.profile_folder() / lab.PROFILE), init_globals={"get_config": lambda: made}
    )
    return made


def test_the_profile_is_found_and_closes_the_ways_around_the_sandbox() -> None:
    """D6: R22, R27, R34, R54, R66, R91."""
    config = profile()
    assert config.ServerApp.terminals_enabled is False
    assert config.ServerApp.jpserver_extensions["jupyter_lsp"] is False
    assert config.ServerApp.jpserver_extensions["jupyter_server_proxy"] is False
    assert config.LabApp.extension_manager == "readonly"
    assert config.TemplateExporter.extra_template_basedirs == []
    assert config.KernelManager.transport_encryption == "required"
    assert config.ValetExtension.sandbox == "auto"


def test_its_folder_wins_over_other_configuration() -> None:
    folders = lab.environ({"JUPYTER_CONFIG_PATH": "/mine"})["JUPYTER_CONFIG_PATH"]
    assert folders.split(os.pathsep) == [str(lab.profile_folder()), "/mine"]


def test_the_server_imports_nothing_from_the_project() -> None:
    """R62: isolated, and the project is an argument, never the working directory."""
    command = lab.command("jupyterlab", Path("/project"), ["--port=1"])
    assert command[-5:-2] == ["-I", "-m", "jupyterlab"]
    assert command[-2:] == ["--ServerApp.root_dir=/project", "--port=1"]


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="root of Linux has them")
def test_root_gives_up_what_reads_other_processes() -> None:
    """R58: code in the server meets the broker as an ordinary user's would."""
    command = lab.command("jupyterlab", Path("/project"), [])
    before = command[: command.index("--") + 1]
    show = [*before, sys.executable, "-c", "print(open('/proc/self/status').read())"]
    told = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    sets = dict(line.split(":\t") for line in told.splitlines() if line.startswith("Cap"))
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert not int(sets[name], 16) & sum(1 << bit for bit in lesser_root.READERS.values())


def test_the_profile_can_be_used_in_another_set_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "--print-profile"]) == 0
    assert (Path(capsys.readouterr().out.strip()) / lab.PROFILE).is_file()
