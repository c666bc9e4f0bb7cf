"""From a policy to mounts, and to what Landlock still has to keep closed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_valet.sandbox import places
from jupyter_valet.sandbox.carve import ancestors_of_exceptions
from jupyter_valet.sandbox.policy import Mode, Policy
from jupyter_valet.sandbox.view import mounts, temporary_may_be_writable, uncovered
from jupyter_valet.sandbox.workspace import Workspace, Workspaces


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that is not in a place that is private to kernels."""
    monkeypatch.setattr(places, "SHARED_TEMPORARY", (str(tmp_path / "temporary"),))
    for name in ("temporary", "home/.ssh", "home/work/.venv/lib", "home/work/deep/er/closed"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "home" / ".netrc").touch()
    return tmp_path / "home"


@pytest.fixture
def workspace(home: Path) -> Iterator[Workspace]:
    with Workspaces(home) as workspaces:
        yield workspaces.make()


def policy(home: Path, **more: Mode) -> Policy:
    modes = {
        "/": Mode.READ,
        "/dev": Mode.HIDDEN,
        str(home): Mode.READ,
        str(home / "work"): Mode.WRITE,
    }
    named = {str(home / name.replace("__", "/")): mode for name, mode in more.items()}
    return Policy(modes={**modes, **named}, home=str(home))


def by_target(planned: Policy, workspace: Workspace) -> dict[str, tuple[str, bool]]:
    return {to: (source, writable) for source, to, writable, _ in mounts(planned, workspace)}


def test_a_writable_place_is_mounted_and_the_rest_is_not(home: Path, workspace: Workspace) -> None:
    assert by_target(policy(home), workspace) == {
        str(home / "work"): (str(home / "work"), True),
    }


def test_a_hidden_place_is_covered_by_what_nobody_may_open(
    home: Path, workspace: Workspace
) -> None:
    found = by_target(policy(home, **{".ssh": Mode.HIDDEN, ".netrc": Mode.HIDDEN}), workspace)
    for name, is_kind in ((".ssh", stat.S_ISDIR), (".netrc", stat.S_ISREG)):
        cover, writable = found[str(home / name)]
        mode = Path(cover).stat().st_mode
        assert is_kind(mode)
        assert stat.S_IMODE(mode) == 0
        assert not writable


def test_what_is_not_there_is_left_to_landlock(home: Path, workspace: Workspace) -> None:
    planned = policy(home, work__later=Mode.HIDDEN)
    found = mounts(planned, workspace)
    assert not [to for _, to, _, _ in found if "later" in to]
    left = uncovered(planned, found)
    assert left.mode(str(home / "work" / "later")) is Mode.HIDDEN
    assert ancestors_of_exceptions(left) == [str(home / "work")]


def test_beside_what_is_covered_new_files_can_be_made(home: Path, workspace: Workspace) -> None:
    planned = policy(home, **{"work__.venv": Mode.READ, "work__deep__er__closed": Mode.HIDDEN})
    left = uncovered(planned, mounts(planned, workspace))
    assert ancestors_of_exceptions(planned) == [str(home / "work")]
    assert ancestors_of_exceptions(left) == []


def test_no_folder_above_a_closed_place_can_be_renamed(home: Path, workspace: Workspace) -> None:
    """A mount point is busy: nothing else can be put where the closed place was."""
    found = by_target(policy(home, work__deep__er__closed=Mode.READ), workspace)
    deep = home / "work" / "deep"
    for folder in (deep, deep / "er"):
        assert found[str(folder)] == (str(folder), True)
    assert found[str(deep / "er" / "closed")] == (str(deep / "er" / "closed"), False)
    order = list(found)
    assert order.index(str(deep)) < order.index(str(deep / "er" / "closed"))


def test_the_home_stays_sealed_when_it_is_the_project(home: Path, workspace: Workspace) -> None:
    """R29 to R32: a shell's start-up file that is not there yet."""
    planned = Policy(
        modes={"/": Mode.READ, str(home): Mode.WRITE, str(home / ".ssh"): Mode.HIDDEN},
        home=str(home),
    )
    left = uncovered(planned, mounts(planned, workspace))
    assert ancestors_of_exceptions(left) == [str(home)]


def test_what_is_open_in_a_hidden_place_has_a_mount_point(home: Path, workspace: Workspace) -> None:
    (home / ".ssh" / "known_hosts").touch()
    opened = {".ssh": Mode.HIDDEN, ".ssh__known_hosts": Mode.READ}
    found = by_target(policy(home, **opened), workspace)
    cover = Path(found[str(home / ".ssh")][0])
    assert (cover.stat().st_mode & 0o777) == 0o100
    assert found[str(home / ".ssh" / "known_hosts")] == (str(home / ".ssh" / "known_hosts"), False)
    cover.chmod(0o700)
    assert [path.name for path in cover.iterdir()] == ["known_hosts"]


def test_what_is_listed_in_a_temporary_folder_is_put_into_the_private_one(
    home: Path, workspace: Workspace
) -> None:
    temporary = home.parent / "temporary"
    (temporary / "project" / "vault").mkdir(parents=True)
    (temporary / "hidden").mkdir()
    planned = policy(home).with_modes(
        {
            str(temporary): Mode.HIDDEN,
            str(temporary / "project"): Mode.WRITE,
            str(temporary / "project" / "vault"): Mode.HIDDEN,
            str(temporary / "hidden"): Mode.HIDDEN,
        }
    )
    found = {to: (source, made) for source, to, _, made in mounts(planned, workspace)}
    assert found[str(temporary)] == (str(workspace.temporary), "")
    assert found[str(temporary / "project")] == (str(temporary / "project"), "folder")
    assert found[str(temporary / "project" / "vault")][1] == ""
    assert str(temporary / "hidden") not in found
    assert temporary_may_be_writable(uncovered(planned, mounts(planned, workspace)))
    later = planned.with_modes({str(temporary / "project" / "later"): Mode.HIDDEN})
    assert not temporary_may_be_writable(uncovered(later, mounts(later, workspace)))


def test_covers_are_removed_with_the_server(home: Path) -> None:
    with Workspaces(home) as workspaces:
        base = workspaces.base
        workspaces.make().cover(str(home / ".ssh"), [str(home / ".ssh" / "x")])
    assert not base.exists()
