"""The process beside a kernel: out of its reach, always there to judge, and the last to go."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandboxed import SUBJECTS, WALLS, Kernel, kernel, listener, unavailable

from jupyter_valet.sandbox.backends.base import launcher, unnamed_file
from jupyter_valet.sandbox.launch.plan import LaunchPlan

pytestmark = [
    pytest.mark.redteam,
    pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's"),
]

LANDLOCK = ("landlock", "landlock-plain")
OPENED = """
import os
mine, opened = os.getpid(), []
for name in filter(str.isdecimal, os.listdir("/proc")):
    try:
        if int(name) == mine or "VmSize" not in open(f"/proc/{name}/status").read():
            continue  # that of Linux's own threads opens, and is empty
        os.close(os.open(f"/proc/{name}/mem", os.O_RDWR))
        opened.append(open(f"/proc/{name}/cmdline").read())
    except OSError:
        pass
print(opened)
"""
LINGERING = """
import ctypes, os, socket, struct, threading, time
libc = ctypes.CDLL(None)
server = socket.create_server(("127.0.0.1", 0))
address = struct.pack("=HH4s8s", 2, 0, socket.inet_aton("127.0.0.1"), b"")
def bind(fd):
    libc.bind(fd, ctypes.create_string_buffer(address), 16)
for attempt in range(40):
    client = socket.create_connection(server.getsockname())
    other, _ = server.accept()
    client.setblocking(False)
    try:
        while True:
            client.send(bytes(65536))
    except BlockingIOError:
        pass
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 100_000))
    fd = client.detach()
    asking = [threading.Thread(target=bind, args=(fd,), daemon=True) for _ in range(8)]
    for thread in asking:
        thread.start()
    time.sleep(0.0002 * (attempt % 5))
    threading.Thread(target=os.close, args=(fd,), daemon=True).start()
    time.sleep(0.1)
    if any(thread.is_alive() for thread in asking):
        break  # whoever closed the last copy waits for as long as `other` is open
    other.close()
print(attempt, any(thread.is_alive() for thread in asking))
"""
"""Leaves the last copy of a socket whose data nobody reads to whoever judges calls on it."""
MANY_WAIT = """
import subprocess, sys
code = '''
import os, socket, tempfile, threading, time
path = tempfile.mkdtemp() + "/full"
full = socket.socket(socket.AF_UNIX); full.bind(path); full.listen(0)
threading.stack_size(65536)
refused, sockets = [], []
def connect():
    client = socket.socket(socket.AF_UNIX); sockets.append(client)
    try: client.connect(path)
    except OSError as error: refused.append(error.errno)
for _ in range(700): threading.Thread(target=connect, daemon=True).start()
time.sleep(2)
print(sorted(set(refused)), flush=True)
time.sleep(3600)
'''
hog = subprocess.Popen(
    [sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE, text=True
)
print(hog.stdout.readline().strip())
"""
"""Prints why connections were refused while others wait."""
CHAIN = """
import subprocess, sys
code = '''
import os, sys, time
left = 400
while left and os.fork() == 0:
    left -= 1
if left == 0:
    os.execvp("sleep", ["sleep", "{mark}"])
time.sleep(3600)
'''
subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
"""
"""Four hundred processes, each the child of the one before; the last is marked."""
DAEMON = """
import os, subprocess, time
start = "setsid sleep 1000 >/dev/null 2>&1 & echo $!"
pid = int(subprocess.run(start, shell=True, capture_output=True, text=True).stdout)
time.sleep(0.3)
os.kill(pid, 15)
for _ in range(50):
    time.sleep(0.1)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        print(True)
        break
"""
TIMER = """
import collections, ctypes, errno, os, signal, socket, tempfile, time
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
path = tempfile.mkdtemp() + "/socket"
server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen(8)
buffer, size = ctypes.create_string_buffer(64), ctypes.c_int(16)
late, failed, began = 0, collections.Counter(), time.monotonic()
signal.setitimer(signal.ITIMER_REAL, 0.0007, 0.0007)
def do(what, *how):
    try:
        return what(*how)
    except OSError as error:
        failed[what.__name__ + " " + errno.errorcode[error.errno]] += 1
while time.monotonic() - began < 5:
    client = socket.socket(socket.AF_UNIX)
    do(client.connect, path)
    server.accept()[0].close()
    client.close()
    tcp = socket.socket()
    do(tcp.bind, ("127.0.0.1", 0))
    do(tcp.listen)
    size.value = 16
    libc.getsockname(tcp.fileno(), buffer, ctypes.byref(size))
    ctypes.memset(buffer, 0x41, 64)  # the memory is for something else now
    other = socket.socket()
    do(other.connect, tcp.getsockname())
    late += buffer.raw != b"A" * 64
    other.close(), tcp.close()
signal.setitimer(signal.ITIMER_REAL, 0)
print(late, dict(failed))
"""
"""Prints how often memory was written to too late, and what failed."""
FOUR_HUNDRED = """
import socket, tempfile, threading, time
path = tempfile.mkdtemp() + "/slow"
server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen(5)
threading.stack_size(131072)
connected = []
def connect():
    client = socket.socket(socket.AF_UNIX); client.connect(path); connected.append(client)
threads = [threading.Thread(target=connect) for _ in range(400)]
for thread in threads: thread.start()
time.sleep(1)
accepted = [server.accept() for _ in range(400)]
for thread in threads: thread.join()
print(len(connected))
"""
SWAP = """
import ctypes, os, socket, struct, threading, time
libc = ctypes.CDLL(None, use_errno=True)
address = struct.pack("=H2s4s8s", 2, (6667).to_bytes(2), socket.inet_aton("127.9.9.2"), b"")
seen = "never bound"
for attempt in range(3000):
    tcp, udp = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    number, buffer = os.dup(udp.fileno()), ctypes.create_string_buffer(address)
    go = threading.Event()
    def swap():
        go.set()
        until = time.perf_counter() + 0.00002 * (attempt % 40)
        while time.perf_counter() < until: pass
        os.dup2(tcp.fileno(), number)
    thread = threading.Thread(target=swap); thread.start(); go.wait()
    libc.bind(number, buffer, 16)
    thread.join(); os.close(number); udp.close()
    if tcp.getsockname()[1] == 6667:
        try:
            tcp.listen()
            seen = "it listens"
        except PermissionError:
            seen = "bound, and refused"
        break
    tcp.close()
print(seen)
"""
"""Binds a TCP socket to another kernel's address, in the place of a UDP socket."""


@pytest.fixture(scope="module", params=SUBJECTS, ids=lambda param: f"{param[0]}-{param[1] or 'me'}")
def walled(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """A kernel behind each wall, as each user."""
    wall, user = request.param
    if reason := unavailable(user):
        pytest.skip(reason)
    with kernel(wall, user) as running:
        yield running


def test_the_supervisor_cannot_be_read(walled: Kernel) -> None:
    """It stands outside the kernel's domain."""
    assert walled.run("import os; open(f'/proc/{os.getppid()}/mem', 'rb+')").error
    assert walled.run("import os; print(os.listdir(f'/proc/{os.getppid()}/task')); "
                      "open(f'/proc/{os.getppid()}/environ').read()").error  # fmt: skip
    assert walled.does("print('alive')") == "alive"


def test_no_process_beside_the_kernel_opens_its_memory(walled: Kernel) -> None:
    """X17: each of them, taken over, could go where the kernel cannot."""
    with kernel("none") as control:
        assert "sandbox_session.py" in control.does(OPENED)
    assert walled.does(OPENED) == "[]"


@pytest.mark.parametrize("wall", LANDLOCK)
def test_the_supervisor_cannot_be_ended_by_landlocks_kernel(wall: str) -> None:
    """Bubblewrap's kernel may end its supervisor, and ends with it."""
    with kernel(wall) as subject:
        assert subject.run("import os, signal; os.kill(os.getppid(), signal.SIGKILL)").error
        threads = subject.does(
            "import ctypes, os, signal\n"
            "above, kill = os.getppid(), ctypes.CDLL(None).tgkill\n"
            "threads = [int(t) for t in os.listdir(f'/proc/{above}/task')]\n"
            "print([kill(above, thread, signal.SIGKILL) for thread in threads])"
        )
        assert threads == "[-1, -1]"  # the one that judges, and the one that connects
        assert subject.does("print('alive')") == "alive"


@pytest.mark.parametrize("wall", LANDLOCK)
def test_a_connection_that_passes_the_supervisor_by_goes_nowhere(wall: str) -> None:
    """A hole in the filter would be no way out: the kernel's own domain allows no port at all."""
    with listener() as port:
        connects = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5).close()"
        with kernel(wall) as subject:
            subject.does(connects)
        with kernel(wall, TEST_UNSUPERVISED="connect") as subject:
            subject.refuses(connects)


@pytest.mark.parametrize("wall", WALLS)
def test_a_connection_that_waits_holds_no_other_up(wall: str) -> None:
    with kernel(wall) as subject:
        waiting = subject.does(
            "import os, socket, tempfile, threading, time\n"
            "path = tempfile.mkdtemp() + '/full'\n"
            "full = socket.socket(socket.AF_UNIX); full.bind(path); full.listen(0)\n"
            "def connect():\n"
            "    client = socket.socket(socket.AF_UNIX); client.connect(path); time.sleep(60)\n"
            "threads = [threading.Thread(target=connect, daemon=True) for _ in range(20)]\n"
            "for thread in threads: thread.start()\n"
            "time.sleep(0.5)\n"
            "server = socket.create_server(('127.0.0.1', 0))\n"
            "socket.create_connection(server.getsockname(), 5).close()\n"
            "client = socket.socket(); client.setblocking(False)\n"
            "print(client.connect_ex(server.getsockname()) in (0, 115))"
        )
        assert waiting == "True"


@pytest.mark.parametrize(("wall", "port"), list(zip(LANDLOCK, (64_998, 64_999), strict=True)))
def test_the_supervisor_knocks_at_no_closed_door(wall: str, port: int) -> None:
    """Where no connection may go, none goes to find out whether somebody is there."""
    with socket.create_server(("127.0.0.1", port)) as jupyter:
        jupyter.settimeout(0.5)
        with kernel(wall, TEST_JUPYTER_PORT=str(port)) as subject:
            bound = subject.does(
                "import socket\n"
                "seen = set()\n"
                "for _ in range(2600):\n"
                "    server = socket.socket(); server.bind(('127.0.0.1', 0))\n"
                "    seen.add(server.getsockname()[1]); server.close()\n"
                f"print({port - 10} in seen, {port} in seen)"
            )
            assert bound == "True False"
            with pytest.raises(TimeoutError):
                jupyter.accept()


@pytest.mark.parametrize("wall", LANDLOCK)
def test_a_socket_that_lingers_keeps_nothing_of_the_kernel_alive(wall: str) -> None:
    """Whoever closes the last copy may wait for days (socket(7), SO_LINGER).

    Behind bubblewrap only `connect` is judged: each waits in a thread of its own.
    """
    mark = f"87{os.getpid() % 1000:03d}.5"
    with kernel(wall) as subject:
        subject.does(f"import subprocess; subprocess.Popen(['sleep', '{mark}'])")
        assert subject.does(LINGERING).endswith("True"), "nobody waits: the attack is broken"
        assert len(_running(mark)) == 1
        subject.ask("kill")
        assert _gone(mark)


@pytest.mark.parametrize("wall", WALLS)
def test_connections_that_wait_take_no_descriptor_that_the_end_needs(wall: str) -> None:
    """A kernel decides how many calls wait, so not how many the supervisor keeps."""
    mark = f"88{os.getpid() % 1000:03d}.5"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as running:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        try:
            subject = running.enter_context(kernel(wall))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert subject.does(MANY_WAIT) in ("[]", f"[{errno.EMFILE}]")
        _leave_running(subject, mark)
        subject.ask("kill")
        assert _gone(mark)


@pytest.mark.parametrize("wall", LANDLOCK)
def test_a_supervisor_that_is_killed_leaves_nothing_running(wall: str) -> None:
    """By the system when memory runs out, say: then the process above it clears up."""
    mark = f"89{os.getpid() % 1000:03d}.5"
    with kernel(wall) as subject:
        supervisor = int(subject.does("import os; print(os.getppid())"))
        _leave_running(subject, mark)
        os.kill(supervisor, signal.SIGKILL)
        assert _gone(mark)


@pytest.mark.parametrize("wall", WALLS)
def test_processes_that_follow_one_another_do_not_outlive_the_kernel(wall: str) -> None:
    """Killed child by child, each hands over one more; and who forks for ever is never caught."""
    mark = f"85{os.getpid() % 1000:03d}.5"
    with kernel(wall) as subject:
        subject.does(CHAIN.format(mark=mark))
        deadline = time.monotonic() + 60
        while not _running(mark):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        subject.ask("kill")
        assert _gone(mark)


def test_who_ends_is_gone(walled: Kernel) -> None:
    """A script that stops a daemon waits until nobody has its number."""
    assert walled.does(DAEMON) == "True"


def test_a_signal_neither_repeats_a_call_nor_ends_it_early(walled: Kernel) -> None:
    """A profiler's timer, or asyncio's child watcher: the call is made once, its answer whole."""
    assert walled.does(TIMER) == "0 {}"


def test_a_connection_that_hangs_is_interrupted(walled: Kernel) -> None:
    """And goes on where the handler wants that; and frees its address when nobody waits."""
    hangs = (
        "import signal, socket, tempfile\n"
        "path = tempfile.mkdtemp() + '/full'\n"
        "full = socket.socket(socket.AF_UNIX); full.bind(path); full.listen(0)\n"
        "first = socket.socket(socket.AF_UNIX); first.connect(path)\n"
        "signal.signal(signal.SIGALRM, lambda *_: print('alarm'))\n"
        "signal.siginterrupt(signal.SIGALRM, False)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.3)\n"
        "client = socket.socket(socket.AF_UNIX); client.connect(path)"
    )
    result = walled.run(hangs, interrupt_after=2)
    assert (result.text.strip(), result.error) == ("alarm", "KeyboardInterrupt")


def test_four_hundred_connections_at_once_are_made(walled: Kernel) -> None:
    assert walled.does(FOUR_HUNDRED) == "400"


def test_a_call_about_no_socket_keeps_nothing_open(walled: Kernel) -> None:
    """A pipe that the supervisor kept would never end."""
    said = walled.does(
        "import ctypes, os\n"
        "libc, (r, w) = ctypes.CDLL(None, use_errno=True), os.pipe()\n"
        "for _ in range(100): libc.connect(w, b'\\x02\\0' + bytes(14), 16)\n"
        "print(ctypes.get_errno(), end=' '); os.close(w); print(os.read(r, 1))"
    )
    assert said == f"{errno.ENOTSOCK} b''"


@pytest.mark.parametrize("wall", LANDLOCK)
def test_a_swapped_socket_listens_nowhere_but_at_home(wall: str) -> None:
    """R34, R80: bound by the caller itself, in the place of one that the supervisor let pass."""
    with kernel(wall) as subject:
        assert subject.does(SWAP) == "bound, and refused"


def test_a_start_that_fails_says_so() -> None:
    """Status 70, and why: 0 would say that the kernel ended well."""
    bad = LaunchPlan(program=b"\xff" * 8, supervised={"connect": 42})
    plan = unnamed_file(bad.to_bytes())
    try:
        ended = subprocess.run(
            [*launcher(plan), "true"], pass_fds=[plan], capture_output=True, text=True, check=False
        )
    finally:
        os.close(plan)
    assert ended.returncode == 70
    assert "The kernel was not started" in ended.stderr


@pytest.mark.parametrize("wall", WALLS)
def test_nothing_of_a_kernel_outlives_it(wall: str) -> None:
    """R52: a process that was left running could open the next broker's memory too early."""
    mark = f"86{os.getpid() % 1000:03d}.5"
    with kernel(wall) as subject:
        subject.does(
            "import subprocess\n"
            f"subprocess.Popen(['sleep', '{mark}'], start_new_session=True)\n"
            f"subprocess.Popen('setsid sleep {mark} &', shell=True)"
        )
        assert len(_running(mark)) == 2
        subject.ask("restart")
        assert _gone(mark)
        subject.does(f"import subprocess; subprocess.Popen(['sleep', '{mark}'])")
        subject.ask("kill")
        assert _gone(mark)


def _leave_running(subject: Kernel, mark: str) -> None:
    subject.does(
        f"import subprocess\nsubprocess.Popen(['sleep', '{mark}'], start_new_session=True)"
    )
    assert len(_running(mark)) == 1


def _running(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"sleep\0{mark}\0" in (folder / "cmdline").read_text():
                found.append(int(folder.name))
    return found


def _gone(mark: str) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if not _running(mark):
            return True
        time.sleep(0.05)
    for pid in _running(mark):
        os.kill(pid, signal.SIGKILL)
    return False
