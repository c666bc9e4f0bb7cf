"""Closed things in folders that kernels write to (R28, R32, R38, R67), and a kernel's own /tmp.

The project has a repository, nested ones, and the environment that Jupyter runs from in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandboxed import OTHER, Kernel, kernel, unavailable

pytestmark = [
    pytest.mark.redteam,
    pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's"),
]

VIEWS = (("landlock", ""), ("landlock", OTHER), ("bubblewrap", ""), ("bubblewrap", OTHER))


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.email=a@b.c", "-c", "user.name=Ann", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def project_with_repositories(home: Path, project: Path) -> None:
    (project / ".venv" / "lib").mkdir(parents=True)
    (project / ".venv" / "lib" / "module.py").touch()
    for folder in (project, project / "deep" / "nested"):
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "-q")
        git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    git(project, "worktree", "add", "-q", "tree")
    git(project, "submodule", "add", "-q", str(project / "deep" / "nested"), "module")
    git(project, "config", "core.hooksPath", ".hooks")
    git(project, "config", "include.path", "../shared.gitconfig")
    (project / ".hooks").mkdir()
    (project / "shared.gitconfig").touch()
    (project / ".envrc").touch()
    for config in (home, project):
        (config / ".gitconfig").write_text("[user]\nemail = a@b.c\nname = Ann\n")


@pytest.fixture(scope="module", params=VIEWS, ids=lambda param: f"{param[0]}-{param[1] or 'me'}")
def walled(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    wall, user = request.param
    if reason := unavailable(user):
        pytest.skip(reason)
    with kernel(wall, user, prepare=project_with_repositories) as running:
        yield running


@pytest.fixture(scope="module")
def control() -> Iterator[Kernel]:
    with kernel("none", prepare=project_with_repositories) as running:
        yield running


FILES = (
    ".git/config", ".git/hooks/pre-commit", ".hooks/pre-commit", "shared.gitconfig", ".envrc",
    "deep/nested/.git/config", "deep/nested/.git/hooks/post-checkout", "tree/.git",
    ".git/worktrees/tree/commondir", ".git/worktrees/tree/gitdir", ".git/modules/module/config",
    ".git/modules/module/hooks/pre-commit", "module/.git",
    ".venv/lib/module.py", ".venv/lib/new.py",
)  # fmt: skip
MOVED = (".git", ".git/config", ".git/hooks", "deep", "deep/nested", "deep/nested/.git", "tree",
         ".git/worktrees", ".git/modules", ".git/modules/module", ".venv", ".venv/lib")  # fmt: skip
"""What another could be put in the place of."""

WRITE = "open({path!r}, 'a').close()"
REPLACE = "import os; open('mine', 'w').close(); os.replace('mine', {path!r})"
MOVE = "import os; os.rename({path!r}, 'away'); os.rename('away', {path!r})"
REMOVE = "import shutil; shutil.rmtree({path!r})"


@pytest.mark.parametrize("path", FILES)
def test_what_runs_programs_of_the_person_cannot_be_written(
    walled: Kernel, control: Kernel, path: str
) -> None:
    """R28, R67."""
    control.does(WRITE.format(path=path))
    walled.refuses(WRITE.format(path=path))
    walled.refuses(REPLACE.format(path=path))


@pytest.mark.parametrize("path", MOVED)
def test_nothing_else_is_put_in_its_place(walled: Kernel, control: Kernel, path: str) -> None:
    """A path is what it was, if no folder on the way can be renamed."""
    control.does(MOVE.format(path=path))
    walled.refuses(MOVE.format(path=path))


def test_a_repository_cannot_be_removed(walled: Kernel) -> None:
    result = walled.run(REMOVE.format(path=str(walled.project / "deep" / "nested" / ".git")))
    assert result.error
    assert (walled.project / "deep" / "nested" / ".git" / "config").is_file()


def test_the_modes_of_what_cannot_be_written_cannot_be_changed(walled: Kernel) -> None:
    """R38: Landlock judges neither modes nor owners nor times."""
    home = str(walled.home)
    for path in (f"{home}/data/table.csv", f"{home}/.bashrc", f"{home}/.ssh/id_ed25519", ".venv",
                 f"{home}/state", f"{home}/.netrc", ".git/config"):  # fmt: skip
        walled.refuses(f"import os; os.chmod({path!r}, 0o777)")
        walled.refuses(f"import os; os.utime({path!r})")
        walled.refuses(f"import os; os.setxattr({path!r}, 'user.x', b'1')")
        walled.refuses(f"import os; os.chown({path!r}, -1, os.getgid())")
    walled.does("import os; open('own', 'w').close(); os.chmod('own', 0o755); os.utime('own')")


def test_new_files_are_made_beside_what_is_closed(walled: Kernel) -> None:
    code = (
        "import os, pathlib\n"
        "pathlib.Path('new.csv').write_text('x'); os.makedirs('folder/inner', exist_ok=True)\n"
        "pathlib.Path('folder/inner/a').write_text('y'); os.rename('new.csv', 'folder/b')\n"
        "print(sorted(os.listdir('folder')))"
    )
    assert walled.does(code) == "['b', 'inner']"


def test_git_goes_on_working(walled: Kernel) -> None:
    code = (
        "%%bash\nset -e\nexport HOME=$TMPDIR GIT_CONFIG_GLOBAL=$PWD/.gitconfig\n"
        "for at in . tree deep/nested; do\n"
        "(cd $at; echo x > file; git add file; git commit -q -m second; git log -1 --format=%s;"
        " git tag tag-$RANDOM; git checkout -q --detach; git status --short -- file); done"
    )
    assert walled.does(code).split() == ["second"] * 3


def test_slash_tmp_is_the_kernel_s_own(walled: Kernel) -> None:
    """Libraries name it; what other programs keep there is theirs."""
    code = (
        "import multiprocessing.connection as c, os, pathlib\n"
        "pathlib.Path('/tmp/mine-4d1f').write_text('x')\n"
        "listener = c.Listener('/tmp/socket-4d1f', 'AF_UNIX')\n"
        "client = c.Client('/tmp/socket-4d1f', 'AF_UNIX'); client.close(); listener.close()\n"
        "print(os.path.exists(OTHERS), pathlib.Path('/tmp/mine-4d1f').read_text())"
    )
    others = Path("/tmp") / f"others-{os.getpid()}"
    others.touch()
    try:
        assert walled.does(code.replace("OTHERS", repr(str(others)))) == "False x"
        assert not Path("/tmp/mine-4d1f").exists()
    finally:
        others.unlink()


def the_home_is_the_project(home: Path, project: Path) -> None:
    (home / ".project").touch()
    (home / "notes.txt").touch()
    (home / "work").mkdir()


@pytest.mark.parametrize("wall", ["landlock", "landlock-plain", "bubblewrap"])
def test_when_the_home_is_the_project_no_program_s_file_is_made_in_it(wall: str) -> None:
    """R29 to R32: also those that are not there yet; below it all is as usual."""
    with kernel(wall, prepare=the_home_is_the_project) as subject:
        subject.does("open('notes.txt', 'a').write('x'); open('work/new.csv', 'w').close()")
        subject.does("import os; os.makedirs('work/a/b'); os.rename('work/new.csv', 'work/a/c')")
        for path in (".bash_profile", ".profile", ".bashrc", ".config/new", "bin", ".pdbrc",
                     ".local/bin/git", ".jupyter/new.py", ".ssh/config"):  # fmt: skip
            subject.refuses(f"open({str(subject.home / path)!r}, 'w')")
        subject.refuses("import os; os.mkdir('.jupyter2')")
        subject.refuses("import os; os.rename('work/a/c', '.zshenv')")
        subject.refuses("import os; os.symlink('work', '.zshenv')")
        told = subject.run("open('new.csv', 'w')").traceback
        assert "none made directly in it" in told


@pytest.mark.parametrize("wall", ["landlock", "landlock-plain", "bubblewrap"])
def test_a_refusal_says_what_would_open_it(wall: str) -> None:
    with kernel(wall) as subject:
        home = subject.home
        assert f"write:{home}/data" in _told(subject, f"open('{home}/data/new', 'w')")
        assert f"write:{home}/data/table" in _told(subject, f"open('{home}/data/table.csv', 'a')")
        if wall != "bubblewrap":  # there a hidden file is not there
            assert f"read:{home}/.ssh/id" in _told(subject, f"open('{home}/.ssh/id_ed25519')")


def _told(subject: Kernel, code: str) -> str:
    return subject.run(code).traceback.replace("\n", " ")
