"""Attacks from inside a sandboxed kernel, each shown to work in a kernel without a wall."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sandboxed import (
    CANARY,
    LISTENS_AT,
    OTHER,
    SUBJECTS,
    WALLS,
    Kernel,
    kernel,
    listener,
    unavailable,
)

from jupyter_valet.sandbox.probe import ESSENTIAL, NOT_STOPPED_BY

pytestmark = [
    pytest.mark.redteam,
    pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's"),
]

USERS = ("", OTHER)

HOME = "import os; home = os.path.expanduser('~')\n"
ATTACKS = {
    "R01 the vault": HOME + "print(open(home + '/state/vault.db').read())",
    "R01 a key of ssh": HOME + "print(open(home + '/.ssh/id_ed25519').read())",
    "R01 credentials of a cloud": HOME + "print(open(home + '/.aws/credentials').read())",
    "R01 the login of a forge": HOME + "print(open(home + '/.config/gh/hosts.yml').read())",
    "R01 by a shell command": "!cat ~/.netrc\nassert not _exit_code\nprint('CANARY-4d1f')",
    "R01 by a link": HOME
    + "import contextlib\n"
    + "with contextlib.suppress(FileExistsError): os.symlink(home + '/.netrc', 'link')\n"
    + "print(open('link').read())",
    "R01 by a hard link": HOME
    + "import contextlib\n"
    + "with contextlib.suppress(FileExistsError): os.link(home + '/.netrc', home + '/data/hard')\n"
    + "print(open(home + '/data/hard').read())",
    "R01 by its own root": HOME + "print(open('/proc/self/root' + home + '/.netrc').read())",
    "R21 the token of the server": HOME + "print(open(home + '/runtime/jpserver-1.json').read())",
    "R33 another kernel's key": HOME + "print(open(home + '/runtime/kernel-other.json').read())",
    "R02 a token of the server's": "import os; print(os.environ['JUPYTER_TOKEN'])",
    "R53 a token of the person's": "import os; print(os.environ['GITHUB_TOKEN'])",
    "R53 a key of a model provider": "import os; print(os.environ['OPENAI_API_KEY'])",
    "R32 a line in .bashrc": HOME + "print('CANARY-4d1f', open(home + '/.bashrc', 'a').close())",
    "R32 a program on the path": HOME
    + "print('CANARY-4d1f', open(home + '/.local/bin/git', 'w').close())",
    "R31 a start-up file of IPython": HOME
    + "print('CANARY-4d1f', open(home + '/.ipython/profile_default/startup/x.py', 'w').close())",
    "R30 configuration of Jupyter": HOME
    + "print('CANARY-4d1f', open(home + '/.jupyter/jupyter_server_config.py', 'a').close())",
    "R28 a module of the server": HOME
    + "print('CANARY-4d1f', open(home + '/server-env/planted.py', 'w').close())",
    "R43 the vault is moved away": HOME
    + "os.rename(home + '/state/vault.db', home + '/state/gone')\n"
    + "os.rename(home + '/state/gone', home + '/state/vault.db'); print('CANARY-4d1f')",
    "R37 a terminal": "import os\n"
    "os.close(os.open(TERMINAL, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)); print('CANARY-4d1f')",
}
"""Each prints the canary when it works; `TERMINAL` is one of a person's."""


@pytest.fixture(scope="module")
def terminal() -> Iterator[str]:
    ours, theirs = os.openpty()
    os.chmod(theirs, 0o666)  # noqa: PTH101
    yield repr(os.ttyname(theirs))
    os.close(ours)
    os.close(theirs)


@pytest.fixture(scope="module")
def controls() -> Iterator[Callable[[str], Kernel]]:
    """Kernels without a wall by user: each starts when it is first asked for, and stays.

    As parameters of the module they would start again for each of its walls.
    """
    with contextlib.ExitStack() as running:

        @functools.cache
        def of(user: str) -> Kernel:
            return running.enter_context(kernel("none", user))

        yield of


@pytest.fixture(params=USERS, ids=lambda user: user or "me")
def control(request: pytest.FixtureRequest, controls: Callable[[str], Kernel]) -> Kernel:
    """A kernel without a wall."""
    if reason := unavailable(request.param):
        pytest.skip(reason)
    return controls(request.param)


@pytest.fixture(
    scope="module",
    params=SUBJECTS,
    ids=lambda param: f"{param[0]}-{param[1] or 'me'}",
)
def walled(request: pytest.FixtureRequest, jupyter: int) -> Iterator[Kernel]:
    wall, user = request.param
    if reason := unavailable(user):
        pytest.skip(reason)
    with kernel(wall, user, TEST_JUPYTER_PORT=str(jupyter)) as running:
        running.wall = wall  # type: ignore[attr-defined]
        yield running


@pytest.fixture(scope="module")
def jupyter() -> Iterator[int]:
    """What stands for Jupyter's port."""
    with listener() as number:
        yield number


@pytest.mark.parametrize("attack", ATTACKS)
def test_without_a_wall_the_attack_works(control: Kernel, terminal: str, attack: str) -> None:
    """The positive control: what fails here would prove nothing."""
    assert CANARY in control.does(ATTACKS[attack].replace("TERMINAL", terminal))


@pytest.mark.parametrize("attack", ATTACKS)
def test_behind_a_wall_the_attack_is_stopped(walled: Kernel, terminal: str, attack: str) -> None:
    result = walled.run(ATTACKS[attack].replace("TERMINAL", terminal))
    assert CANARY not in result.text
    assert result.error


def test_the_probe_saw_every_attack_stopped_that_this_system_knows(walled: Kernel) -> None:
    """What the level stands on: `works` is allowed only where the documentation says so."""
    seen = {attack: verdict for attack, verdict, _ in walled.report}
    plain = walled.wall == "landlock-plain"  # type: ignore[attr-defined]
    known = NOT_STOPPED_BY["landlock"] if plain else frozenset()
    assert {attack for attack, verdict in seen.items() if verdict == "works"} <= known
    assert {attack for attack in ESSENTIAL if seen[attack] != "stopped"} == set()
    assert sum(verdict == "stopped" for verdict in seen.values()) >= 30


def test_jupyter_is_not_reached(walled: Kernel, control: Kernel, jupyter: int) -> None:
    """R21, R47: by name, by number, through libraries, asynchronously."""
    ways = (
        f"import urllib.request as u; u.urlopen('http://127.0.0.1:{jupyter}/')",
        f"import socket; socket.create_connection(('localhost', {jupyter}), 5)",
        f"import asyncio; await asyncio.open_connection('127.0.0.1', {jupyter})",
        f"import subprocess; subprocess.run(['bash', '-c', '</dev/tcp/127.0.0.1/{jupyter}'],"
        " check=True)",
    )
    for way in ways:
        control.does(way)
        assert walled.run(way).error, way


def test_the_session_bus_is_not_reached(walled: Kernel, control: Kernel) -> None:
    """R04, R08, R10: by its path, and through a link that a kernel made where it may connect."""
    with _bus(walled.home) as path, _bus(control.home) as other:
        way = "import socket; socket.socket(socket.AF_UNIX).connect({!r})"
        control.does(way.format(str(other)))
        walled.refuses(way.format(str(path)))
        link = (
            "import os, socket, tempfile\n"
            f"link = tempfile.mkdtemp() + '/link'; os.symlink({str(path)!r}, link)\n"
            "socket.socket(socket.AF_UNIX).connect(link)"
        )
        walled.refuses(link)
        folder = (
            "import os, socket, tempfile\n"
            f"link = tempfile.mkdtemp() + '/link'; os.symlink({str(path.parent)!r}, link)\n"
            f"socket.socket(socket.AF_UNIX).connect(link + '/{path.name}')"
        )
        walled.refuses(folder)
        walled.refuses(
            "import socket, tempfile\n"
            f"socket.socket(socket.AF_UNIX).connect(tempfile.gettempdir() + '/../../../..{path}')"
        )


RACE = """
import ctypes, os, socket, sys, threading, tempfile
sys.setswitchinterval(1e-4)  # or each call waits for 5 ms of flips, which race with nothing
libc = ctypes.CDLL(None, use_errno=True)
folder = tempfile.mkdtemp(dir=os.environ["TMPDIR"])
own = folder + "/own"
listening = socket.socket(socket.AF_UNIX); listening.bind(own); listening.listen(4096)
def raw(path): return (1).to_bytes(2, "little") + path.encode() + bytes(120 - len(path))
mine, theirs = raw(own), raw({path!r})
address = ctypes.create_string_buffer(mine, 122)
stop = False
def flip():
    while not stop:
        address[:122] = mine[:122]
        address[:122] = theirs[:122]
flipper = threading.Thread(target=flip); flipper.start()
seen = set()
for _ in range(3000):
    client = socket.socket(socket.AF_UNIX)
    if libc.connect(client.fileno(), address, 120) == 0:
        seen.add(client.getpeername() == own)
    client.close()
stop = True; flipper.join(); sys.setswitchinterval(0.005)
print(seen)
"""


def test_an_address_that_changes_while_it_is_judged_wins_nothing(walled: Kernel) -> None:
    """The race that a filter which only looks would lose."""
    with _bus(walled.home) as path:
        assert walled.does(RACE.format(path=str(path))) == "{True}"


def test_sibling_kernels_are_strangers(walled: Kernel) -> None:
    """R34, R42: neither the memory of another kernel nor anything that it listens on."""
    wall = walled.wall  # type: ignore[attr-defined]
    with kernel(wall) as sibling:
        pid = sibling.does("import os; print(os.getpid())")
        name = sibling.does(
            "import http.server, os, threading\n"
            "handler = http.server.BaseHTTPRequestHandler\n"
            "server = http.server.HTTPServer(('127.0.0.1', 0), handler)\n"
            "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
            "print(*server.socket.getsockname(), os.environ['TMPDIR'])"
        )
        _, port, temporary = name.split()
        if wall != "bubblewrap":
            walled.refuses(f"open('/proc/{pid}/environ').read() + 'x'")
            walled.refuses(f"import os; os.kill({pid}, 0)")
            walled.refuses(f"import os; open('{temporary}/planted', 'w')")
            real = sibling.does(LISTENS_AT.format(server="server.socket"))
            server = f"{real.split(':')[0].rpartition('.')[0]}.1"
            for place in (real, f"127.0.0.1:{port}", *(f"{server}:{n}" for n in (6665, 6669))):
                address, number = place.split(":")
                walled.refuses(
                    f"import socket; socket.create_connection(('{address}', {number}), 5)"
                )
        else:
            assert int(pid) < 100  # a process number of a namespace of its own
            walled.refuses(f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)")


@pytest.mark.parametrize("wall", WALLS)
def test_a_home_of_many_files_is_walled_and_nobody_reads_their_names(wall: str) -> None:
    """One argument of a command has 128 KiB, and everybody sees it; a home has what it has."""

    def fill(home: Path, project: Path) -> None:
        for number in range(20_000):
            (home / f"{number:07d}-{'x' * 60}.csv").touch()

    with kernel(wall, prepare=fill) as subject:
        names = "import os; print(sum('x' * 60 in n for n in os.listdir(os.path.expanduser('~'))))"
        assert subject.does(names) == "20000"
        subject.refuses("open(__import__('os').path.expanduser('~/.ssh/id_ed25519')).read()")
        assert subject.does(f"print(open({str(subject.home / 'data' / 'table.csv')!r}).read(3))")
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                assert b"x" * 60 not in (folder / "cmdline").read_bytes()


def _bus_path(home: Path) -> Path:
    return home / "data" / "bus"


@contextlib.contextmanager
def _bus(home: Path) -> Iterator[Path]:
    """Listen as a session bus does: at a path that the person's programs may connect to."""
    path = _bus_path(home)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o777)
        server.listen(64)
        try:
            yield path
            server.settimeout(0.1)
        finally:
            path.unlink()
