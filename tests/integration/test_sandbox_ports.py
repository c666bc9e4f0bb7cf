"""What runs in a walled kernel has as many ports as it likes, and kernels of its own among it."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from collections.abc import Iterator

import pytest
from sandboxed import LISTENS_AT, OTHER, Kernel, kernel, unavailable

from jupyter_valet.sandbox.ports import LOCAL_PORTS

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's"),
    pytest.mark.timeout(180),
]

# Where ports are concerned the other subjects are no different.
SUBJECTS = (("landlock", ""), ("landlock", OTHER), ("bubblewrap", ""))

NOTEBOOKS = """
import asyncio, nbclient, nbformat, os, pathlib
def book(n):
    # By a file: what a kernel prints early may be lost under load, with or without a sandbox.
    code = f"open('ran{n}', 'w').write('{n}')"
    pathlib.Path(f"ran{n}").unlink(missing_ok=True)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
async def run(n):
    client = nbclient.NotebookClient(book(n), kernel_name="python3", startup_timeout=40)
    await client.async_execute()
    return pathlib.Path(f"ran{n}").read_text()
"""


@pytest.fixture(scope="module", params=SUBJECTS, ids=lambda param: f"{param[0]}-{param[1] or 'me'}")
def walled(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    wall, user = request.param
    if reason := unavailable(user):
        pytest.skip(reason)
    with kernel(wall, user) as running:
        running.wall = wall  # type: ignore[attr-defined]
        running.does("import os, socket, struct")
        running.does(NOTEBOOKS)
        yield running


def test_notebooks_run_one_after_the_other(walled: Kernel) -> None:
    """Each has a kernel with five ports; those of the last one may be in TIME_WAIT for a minute."""
    out = walled.does("for n in range(4): print('ran', await run(n))")
    assert [line for line in out.splitlines() if line.startswith("ran")] == [
        f"ran {n}" for n in range(4)
    ]


def test_notebooks_run_beside_each_other(walled: Kernel) -> None:
    """And beside what else listens: twenty of a person's own."""
    out = walled.does(
        "own = [socket.create_server(('127.0.0.1', 0)) for _ in range(20)]\n"
        "print('ran', *await asyncio.gather(*(run(n) for n in range(4))))\n"
        "for one in own: one.close()"
    )
    assert "ran 0 1 2 3" in out


def test_papermill_runs_two_notebooks_at_once(walled: Kernel) -> None:
    """Each in a process of its own, which knows nothing of the ports that the other chose."""
    code = (
        "import subprocess, sys\n"
        "def start(n):\n"
        "    nbformat.write(book(n), f'in{n}.ipynb')\n"
        "    words = ['--no-progress-bar', '-k', 'python3', f'in{n}.ipynb', f'out{n}.ipynb']\n"
        "    return subprocess.Popen([sys.executable, '-m', 'papermill', *words], stderr=-3)\n"
        "print([one.wait(60) for one in [start(n) for n in range(2)]])\n"
        "print(*(pathlib.Path(f'ran{n}').read_text() for n in range(2)))"
    )
    assert walled.does(code) == "[0, 0]\n0 1"


def test_as_many_ports_as_a_scheduler_wants(walled: Kernel) -> None:
    """Each has a number of its own, and a client reaches it by that."""
    code = (
        "servers = [socket.create_server(('127.0.0.1', 0)) for _ in range(200)]\n"
        "names = [one.getsockname() for one in servers]\n"
        "clients = [socket.create_connection(name, 5) for name in names]\n"
        "for n, client in enumerate(clients): client.sendall(b'%d' % n)\n"
        "said = [int(one.accept()[0].recv(9)) for one in servers]\n"
        "print(said == [*range(200)], len({port for _, port in names}),"
        " {host for host, _ in names})\n"
        "for one in (*servers, *clients): one.close()"
    )
    assert walled.does(code) == "True 200 {'127.0.0.1'}"


def test_a_free_port_is_bound_by_number_by_another_program(walled: Kernel) -> None:
    """As kernel managers and debuggers do; a third that asks for any port does not get it."""
    code = (
        "import subprocess, sys\n"
        "with socket.socket() as first: first.bind(('127.0.0.1', 0)); name = first.getsockname()\n"
        "third = socket.create_server(('127.0.0.1', 0))\n"
        "child = subprocess.Popen([sys.executable, '-ISc', 'import socket; s = '"
        " f'socket.create_server({name!r}); print(*s.getsockname(), flush=True); s.accept()'],"
        " stdout=-1, text=True)\n"
        "print(child.stdout.readline().split() == [name[0], str(name[1])], third.getsockname() != "
        "name)\n"
        "socket.create_connection(('localhost', name[1]), 5).close()\n"
        "print(child.wait(9)); third.close()"
    )
    assert walled.does(code) == "True True\n0"


def test_a_number_that_is_taken_is_taken(walled: Kernel) -> None:
    """As without a sandbox: also for who names it, and free again when it is closed."""
    code = (
        "import errno\n"
        "def attempt(name):\n"
        "    try: return socket.create_server(name)\n"
        "    except OSError as error: return errno.errorcode[error.errno]\n"
        "first = attempt(('127.0.0.1', 50123)); print(first.getsockname())\n"
        "print(attempt(('127.0.0.1', 50123)))\n"
        "client = socket.create_connection(('127.0.0.1', 50123), 5)\n"
        "served, _ = first.accept(); print(served.getsockname())\n"
        "served.close(); first.close(); client.close()  # closed by the server: TIME_WAIT\n"
        "again = attempt(('127.0.0.1', 50123)); print(again.getsockname()); again.close()"
    )
    name = "('127.0.0.1', 50123)"
    assert walled.does(code) == f"{name}\nEADDRINUSE\n{name}\n{name}"


def test_a_number_that_is_taken_outside_is_not_told(walled: Kernel) -> None:
    """The broker may be there, or a database: what is told would hide it.

    Where the network is the kernel's own, nothing of outside is there to be hidden.
    """
    ask = "one = socket.create_server(('127.0.0.1', 0)); print(one.getsockname()[1]); one.close()"
    connect = "print(socket.socket().connect_ex(('127.0.0.1', {})))"
    if walled.wall == "bubblewrap":  # type: ignore[attr-defined]
        with socket.create_server(("127.0.0.1", 0)) as server:
            refused = walled.does(connect.format(server.getsockname()[1]))
        assert int(refused) == errno.ECONNREFUSED
        return
    following = int(walled.does(ask)) + 1
    with socket.create_server(("127.0.0.1", following)):
        assert int(walled.does(ask)) == following + 1
        assert walled.does(connect.format(following)) == "0"


def test_sockets_are_told_their_names(walled: Kernel) -> None:
    """Those that no number stands for, too: UDP, pairs, clients, sockets bound to nothing."""
    code = (
        "udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(('127.0.0.1', 0))\n"
        "one, other = socket.socketpair(); bare = socket.socket()\n"
        "server = socket.create_server(('', 0)); port = server.getsockname()[1]\n"
        "client = socket.create_connection(('127.0.0.1', port), 5)\n"
        "print(udp.getsockname()[0], repr(one.getsockname()), bare.getsockname(), "
        "server.getsockname()[0], client.getsockname()[0])\n"
        "listening = socket.socket(); listening.listen()\n"
        "print(listening.getsockname()[1] > 1024)\n"
        "for s in (udp, one, other, bare, server, client, listening): s.close()"
    )
    lines = walled.does(code).splitlines()
    assert lines == ["127.0.0.1 '' ('0.0.0.0', 0) 0.0.0.0 127.0.0.1", "True"]


def test_a_name_that_does_not_fit_fails_as_it_does_without_a_sandbox(walled: Kernel) -> None:
    """A short buffer gets the beginning (getsockname(2)); a wrong pointer is an error."""
    code = (
        "import ctypes, errno\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "server = socket.create_server(('127.0.0.1', 0)); family = struct.pack('=H', 2)\n"
        "whole = ctypes.create_string_buffer(b'.' * 16, 16); room = ctypes.c_int(4)\n"
        "print(libc.getsockname(server.fileno(), whole, ctypes.byref(room)), room.value)\n"
        "port = server.getsockname()[1].to_bytes(2, 'big')\n"
        "print(whole.raw == family + port + b'.' * 12)\n"
        "for place, length in ((8, 16), (whole, -1)):\n"
        "    ctypes.set_errno(0); room.value = length\n"
        "    print(libc.getsockname(server.fileno(), place, ctypes.byref(room)), "
        "errno.errorcode[ctypes.get_errno()])\n"
        "server.close()"
    )
    assert walled.does(code) == "0 16\nTrue\n-1 EFAULT\n-1 EINVAL"


def test_a_process_that_nobody_may_trace_is_told_the_names_of_its_sockets(walled: Kernel) -> None:
    """As ssh-agent is: the supervisor sees none of its sockets."""
    code = (
        "import subprocess, sys\n"
        "child = ('import ctypes, socket; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0);'"
        " 'one, other = socket.socketpair(); print(repr(one.getsockname()))')\n"
        "print(subprocess.check_output([sys.executable, '-ISc', child], text=True))"
    )
    assert walled.does(code) == "''"


def test_what_listens_is_where_no_browser_goes(walled: Kernel) -> None:
    """R80: neither at the number that its program is told, nor at the place where it really is."""
    walled.does("server = socket.create_server(('0.0.0.0', 0))")
    told = int(walled.does("print(server.getsockname()[1])"))
    places = [("127.0.0.1", told)]
    if walled.wall != "bubblewrap":  # type: ignore[attr-defined]
        address, port = walled.does(LISTENS_AT.format(server="server")).split(":")
        assert int(port) in LOCAL_PORTS
        places += [(address, told), ("127.0.0.1", int(port))]
    for place in places:
        # Another program of this machine may be there.
        with contextlib.suppress(OSError):
            socket.create_connection(place, 5).close()
    came = walled.run("server.settimeout(0.5); server.accept()")
    assert came.error == "TimeoutError"
    walled.does("server.close()")


def test_a_parallel_job_and_the_debugger_beside_a_notebook(walled: Kernel) -> None:
    arguments = {"clientID": "t", "adapterID": "", "pathFormat": "path"}
    content = {"type": "request", "seq": 1, "command": "initialize", "arguments": arguments}
    reply = walled.ask("control", kind="debug_request", content=content)
    assert reply.get("success") is True, reply
    out = walled.does(
        "import joblib, math\n"
        "print(joblib.Parallel(n_jobs=2)(joblib.delayed(math.sqrt)(n) for n in (4, 9)))\n"
        "print('ran', await run(5))"
    )
    assert "[2.0, 3.0]" in out
    assert "ran 5" in out
