"""Where git takes programs from, in real repositories (R67)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jupyter_valet.sandbox.repositories import MOST_FOLDERS, guarded

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *words: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    who = ["-c", "user.email=a@b.c", "-c", "user.name=Ann", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def found(folder: Path) -> set[str]:
    return {str(Path(path).relative_to(folder)) for path in guarded(str(folder))}


def test_no_repository_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert guarded(str(tmp_path)) == []


def test_a_repository_s_configuration_and_hooks(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert found(tmp_path) == {".git/config", ".git/hooks"}


def test_nested_repositories_worktrees_and_submodules(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "a" / "b"):
        git(folder, "init", "-q")
        git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path, "worktree", "add", "-q", "tree")
    git(tmp_path, "submodule", "add", "-q", str(tmp_path / "a" / "b"), "lib/sub")
    assert found(tmp_path) >= {
        ".git/config", "a/b/.git/config", "a/b/.git/hooks", "tree/.git", "lib/sub/.git",
        ".git/worktrees/tree/commondir", ".git/worktrees/tree/gitdir",
        ".git/modules/lib/sub/config", ".git/modules/lib/sub/hooks",
    }  # fmt: skip


def test_a_worktree_leads_to_the_repository_that_it_belongs_to(tmp_path: Path) -> None:
    git(tmp_path / "main", "init", "-q")
    git(tmp_path / "main", "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path / "main", "worktree", "add", "-q", str(tmp_path / "tree"))
    assert str(tmp_path / "main" / ".git" / "config") in guarded(str(tmp_path / "tree"))


def test_what_the_configuration_names_is_guarded_and_never_the_whole_project(
    tmp_path: Path,
) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "core.hooksPath", ".husky")
    git(tmp_path, "config", "include.path", "../shared")
    (tmp_path / ".husky").mkdir()
    (tmp_path / "shared").touch()
    assert found(tmp_path) >= {".husky", "shared"}
    git(tmp_path, "config", "core.hooksPath", ".")
    assert "." not in found(tmp_path)


def test_a_large_project_costs_no_more_than_so_many_folders(tmp_path: Path) -> None:
    """The nearest are looked into first."""
    git(tmp_path / "z", "init", "-q")
    for number in range(MOST_FOLDERS):
        (tmp_path / "many" / f"{number:05d}").mkdir(parents=True)
    git(tmp_path / "many" / "99999", "init", "-q")
    assert "z/.git/config" in found(tmp_path)
    assert "many/99999/.git/config" not in found(tmp_path)


def test_what_is_no_repository_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /nonexistent")
    (tmp_path / "odd" / ".git").mkdir(parents=True)
    (tmp_path / "odd" / ".git" / "config").write_bytes(b"\xff\x00[core]\nhooksPath = \n")
    assert found(tmp_path) == {".git", "odd/.git/config"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root looks into what belongs to others")
def test_what_root_s_kernels_cannot_enter_is_passed_over(tmp_path: Path) -> None:
    """They have no capabilities, and nothing can be mounted there."""
    git(tmp_path / "others" / "repository", "init", "-q")
    (tmp_path / "others").chmod(0o700)
    os.chown(tmp_path / "others", 65534, 65534)
    assert guarded(str(tmp_path)) == []
