"""The policy that kernels start with, on a home of a test's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_valet.sandbox import places
from jupyter_valet.sandbox.policy import Mode, Opening, Policy, standard


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in (".ssh", ".config/gh", ".local/bin", "bin", "work/.git/hooks"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".bashrc").touch()
    return tmp_path


def made(home: Path, *openings: str, project: str = "work", **more: list[Path]) -> Policy:
    parsed = [Opening.parse(text) for text in openings]
    return standard(home=home, project=home / project, openings=parsed, **more)


@pytest.mark.parametrize("name", places.CREDENTIALS)
def test_every_credential_place_is_hidden(home: Path, name: str) -> None:
    assert made(home).mode(str(home / name / "below")) is Mode.HIDDEN


@pytest.mark.parametrize("path", [*places.SYSTEM_CREDENTIALS, *places.SHARED_TEMPORARY])
def test_what_is_the_system_s_own_is_hidden(home: Path, path: str) -> None:
    assert made(home).mode(os.path.realpath(path)) is Mode.HIDDEN


def test_the_home_is_read_and_the_project_is_written(home: Path) -> None:
    policy = made(home)
    assert policy.mode(str(home / "data.csv")) is Mode.READ
    assert policy.mode(str(home / "work" / "out.csv")) is Mode.WRITE
    assert policy.mode("/usr/lib/x") is Mode.READ


def test_start_up_files_stay_read_only_when_the_home_is_the_project(home: Path) -> None:
    """R29 to R32."""
    policy = made(home, project=".")
    assert policy.mode(str(home / "notes.txt")) is Mode.WRITE
    for name in (".bashrc", ".local/bin/git", "bin/git"):
        assert policy.mode(str(home / name)) is Mode.READ
    assert policy.mode(str(home / ".ssh/id")) is Mode.HIDDEN


def test_what_the_server_runs_is_never_written_wherever_it_lies(home: Path) -> None:
    """R28, D5."""
    policy = made(home, protected=[home / "work" / ".venv"])
    assert policy.mode(str(home / "work" / ".venv" / "lib")) is Mode.READ


def test_what_is_hidden_may_lie_in_the_project(home: Path) -> None:
    assert made(home, hidden=[home / "work/vault"]).mode(str(home / "work/vault/db")) is Mode.HIDDEN


def test_openings_win(home: Path) -> None:
    policy = made(home, f"read:{home}/.ssh/known_hosts", f"write:{home}/data", "listen:8050",
                  "connect:6667", "env:OPENAI_API_KEY")  # fmt: skip
    assert policy.mode(str(home / ".ssh/known_hosts")) is Mode.READ
    assert policy.mode(str(home / ".ssh/id")) is Mode.HIDDEN
    assert policy.mode(str(home / "data/x")) is Mode.WRITE
    assert policy.listen == {8050}
    assert policy.connect == {6667}
    assert policy.variables == {"OPENAI_API_KEY"}


def test_a_link_to_a_credential_place_hides_where_it_leads(home: Path) -> None:
    """People keep `.aws` on another disk."""
    (home / "elsewhere").mkdir()
    (home / ".aws").symlink_to(home / "elsewhere")
    assert made(home).mode(str(home / "elsewhere" / "credentials")) is Mode.HIDDEN


@pytest.mark.parametrize(
    "text", ["", "everything", "read:", "read:data", "listen:http", "listen:0", "listen:70000"]
)
def test_an_opening_that_makes_no_sense_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|a port|must be absolute"):
        Opening.parse(text)


def test_no_terminal_is_among_the_devices() -> None:
    """R37."""
    assert not any(pattern.startswith(("pts", "tty", "ptmx")) for pattern in places.DEVICES)
