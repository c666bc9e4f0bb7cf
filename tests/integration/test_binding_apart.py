"""A capability is bound, too, where the broker may not look at kernels and the server does (R59).

The broker runs in a user namespace of its own, from which an ordinary user's process may look at
none outside, as if it were another user; once in a PID namespace of its own, too. `make redteam`
does the same with a broker that is another user (L3), which only root can start.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from jupyter_process import Server, jupyter_server
from notebook_kernel import Kernel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a socket is")

APART = ["unshare", "--user", "--map-current-user"]
ELSEWHERE = [*APART, "--pid", "--fork", "--kill-child"]

NO_ANSWER = """
from jupyter_valet.server.onlooker import Onlooker as _Onlooker
def _nothing(*_):
    raise LookupError
_Onlooker.answer = _nothing
"""

NO_LOOK = """
from jupyter_valet.wire import processes as _processes
_processes.may_look = lambda pid: False
"""


@dataclass
class World:
    """A server whose broker is apart from it, and two of its kernels."""

    server: Server
    own: Kernel
    other: Kernel


def world(home: Path, sandbox: str, apart: list[str], more: str = "") -> Iterator[World]:
    command = [*apart, sys.executable, "-I", "-m", "jupyter_valet.broker"]
    config = (
        f"c.ValetExtension.sandbox = {sandbox!r}\nc.ValetExtension.broker_command = {command!r}\n"
    )
    with jupyter_server(home, config=config + more, fake=False) as server:
        own, other = Kernel(server), Kernel(server)
        yield World(server, own, other)
        own.end()
        other.end()


@pytest.fixture(
    scope="module",
    params=[("landlock", APART), ("bubblewrap", APART), ("off", ELSEWHERE)],
    ids=["landlock", "bubblewrap", "another PID namespace"],
)
def apart(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    yield from world(tmp_path_factory.mktemp("apart"), *request.param)


def test_another_kernel_s_capability_is_refused_and_recorded(apart: World) -> None:
    assert apart.own.run("print(ask())").startswith("200")
    stolen = apart.own.capability
    said = apart.other.run(f"print(ask({stolen!r}))")
    assert said.startswith("403"), said
    assert "belongs to another kernel" in said
    assert apart.own.run("print(ask())").startswith("200")
    lines = (apart.server.home / "state" / "audit.jsonl").read_text().splitlines()
    refused = [e for e in map(json.loads, lines) if e["action"] == "capability.refused"]
    assert {e["kernel"] for e in refused} == {apart.own.id}


def test_what_the_kernel_starts_may_use_its_capability(apart: World) -> None:
    said = apart.own.run(
        "import multiprocessing\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    print(*{answer[:3] for answer in pool.map(ask, [_os.environ"
        "['JUPYTER_VALET_CAPABILITY']] * 4)})"
    )
    assert said == "200"


def test_nothing_is_said_to_be_missing(apart: World) -> None:
    assert "R59" not in apart.own.run("print(ask())")


def test_a_restarted_kernel_has_its_new_process_bound(apart: World) -> None:
    apart.own.restart()
    assert apart.own.run("print(ask())").startswith("200")
    assert apart.other.run(f"print(ask({apart.own.capability!r}))").startswith("403")


def test_where_the_server_may_not_look_either_the_level_says_so(tmp_path: Path) -> None:
    """The control: without the server's look the stolen capability works, and no L2+ is claimed."""
    for here in world(tmp_path, "landlock", APART, NO_LOOK):
        assert here.other.run(f"print(ask({here.own.capability!r}))").startswith("200")
        said = here.own.run("print(ask())")
        assert "its capability works in other kernels, too (R59)" in said


def test_a_server_that_does_not_answer_lets_nobody_in(tmp_path: Path) -> None:
    for here in world(tmp_path, "landlock", APART, NO_ANSWER):
        for kernel in (here.own, here.other):
            said = kernel.run(f"print(ask({here.own.capability!r}))")
            assert said.startswith("503"), said
            assert "server_silent" in said
