"""`jupyter valet lab`: how the lockdown profile is applied."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_valet.cli import lab, main


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
    assert command[1:4] == ["-I", "-m", "jupyterlab"]
    assert command[4:] == ["--ServerApp.root_dir=/project", "--port=1"]


def test_the_profile_can_be_used_in_another_set_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "--print-profile"]) == 0
    assert (Path(capsys.readouterr().out.strip()) / lab.PROFILE).is_file()
