"""Another process of the same user: its memory, environment, descriptors, command line, core."""

import ctypes
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)

SYS_PIDFD_OPEN, SYS_PIDFD_GETFD, SYS_UNSHARE = 434, 438, 272
PTRACE_PEEKDATA, PTRACE_ATTACH, PTRACE_DETACH = 2, 16, 17
CLONE_NEWUSER = 0x10000000
PIECE = 1 << 20


def _checked(result):
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _needles(t):
    return re.compile(t["pattern"].encode())


def environ(t):
    """R03."""
    return "CONTROL environ is open " + Path(f"/proc/{t['victim']}/environ").read_text()


def _regions(pid, maps=None):
    text = maps if maps is not None else Path(f"/proc/{pid}/maps").read_text()
    for line in text.splitlines():
        span, rights, *_ = line.split()
        start, end = (int(part, 16) for part in span.split("-"))
        if rights.startswith("rw") and "[v" not in line:
            yield start, end


def _scan(read, regions, pattern):
    found = set()
    for start, end in regions:
        at = start
        while at < end:
            try:
                data = read(at, min(PIECE, end - at))
            except OSError:
                break
            found.update(match.decode() for match in pattern.findall(data))
            at += PIECE - 256
    return found


def mem_scan(t):
    """R11."""
    with open(f"/proc/{t['victim']}/mem", "rb", buffering=0) as memory:

        def read(at, size):
            memory.seek(at)
            return memory.read(size)

        found = _scan(read, _regions(t["victim"]), _needles(t))
    return "CONTROL memory is open " + " ".join(found)


class _IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def _readv(pid, at, size):
    buffer = ctypes.create_string_buffer(size)
    here = _IoVec(ctypes.addressof(buffer), size)
    there = _IoVec(at, size)
    count = libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return buffer.raw[: _checked(count)]


def vm_readv(t):
    """R12. An address that is not mapped tells whether one may ask at all: EFAULT, not EPERM."""
    try:
        _readv(t["victim"], 0x1000, 8)
    except OSError as error:
        if error.errno != 14:
            raise
    regions = _regions(t["victim"])
    found = _scan(lambda at, size: _readv(t["victim"], at, size), regions, _needles(t))
    return "CONTROL process_vm_readv works " + " ".join(found)


def ptrace_peek(t):
    """R13."""
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    _checked(libc.ptrace(PTRACE_ATTACH, t["victim"], None, None))
    try:
        os.waitpid(t["victim"], 0x40000000)  # __WALL
        start, _ = next(iter(_regions(t["victim"])))
        ctypes.set_errno(0)
        word = libc.ptrace(PTRACE_PEEKDATA, t["victim"], start, None)
        return f"CONTROL attached, peeked {word:#x} errno {ctypes.get_errno()}"
    finally:
        libc.ptrace(PTRACE_DETACH, t["victim"], None, None)


def gdb(t):
    """R14."""
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-p", str(t["victim"]), "-ex", "info proc"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = done.stdout + done.stderr
    if "process " + str(t["victim"]) in done.stdout and "ptrace" not in said:
        return "CONTROL gdb attached"
    raise PermissionError(said.strip()[-200:])


def steal_fds(t):
    """R15."""
    pidfd = _checked(libc.syscall(SYS_PIDFD_OPEN, t["victim"], 0))
    got, last = [], None
    for number in range(3, 64):
        ctypes.set_errno(0)
        mine = libc.syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
        if mine == -1:
            last = last or OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            continue
        got.append(f"{number}:{os.readlink(f'/proc/self/fd/{mine}')}")
        os.close(mine)
    os.close(pidfd)
    if not got:
        raise last
    return "CONTROL took " + " ".join(got)


def reopen_fds(t):
    """R16."""
    folder, got, last = Path(f"/proc/{t['victim']}/fd"), [], None
    for entry in os.listdir(folder):
        try:
            got.append(os.readlink(folder / entry))
            with open(folder / entry, "rb", buffering=0) as again:
                os.set_blocking(again.fileno(), False)
                got.append(repr(again.read(200)))
        except OSError as error:
            last = error
    if not got:
        raise last or PermissionError("no descriptor was shown")
    return "CONTROL descriptors " + " ".join(got)


def root_and_cwd(t):
    """R17."""
    root, cwd = (os.listdir(f"/proc/{t['victim']}/{name}/") for name in ("root", "cwd"))
    return f"CONTROL root has {len(root)} entries, cwd {cwd[:5]}"


def command_lines(t):
    """R18: of every process that is seen."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                lines.append((entry / "cmdline").read_text())
            except OSError:
                continue
    return " ".join(lines)


def core_dump(t):
    """R19."""
    pid = t["victim"]
    where = t["victim_cwd"]
    resource.prlimit(pid, resource.RLIMIT_CORE, (-1, -1))
    os.kill(pid, signal.SIGABRT)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        for name in os.listdir(where):
            if name == "core" or name.startswith("core."):
                time.sleep(1)
                data = Path(where, name).read_bytes()
                os.unlink(Path(where, name))
                hits = {match.decode() for match in _needles(t).findall(data)}
                return f"CONTROL a core of {len(data)} bytes " + " ".join(hits)
        time.sleep(0.2)
    raise PermissionError("no core appeared")


def prlimit(t):
    """R39."""
    soft, hard = resource.prlimit(t["victim"], resource.RLIMIT_NOFILE)
    resource.prlimit(t["victim"], resource.RLIMIT_NOFILE, (soft - 1, hard))
    resource.prlimit(t["victim"], resource.RLIMIT_NOFILE, (soft, hard))
    return "CONTROL its limits can be set"


def send_signal(t):
    """R40: SIGCONT changes nothing, and shows that SIGKILL would arrive."""
    os.kill(t["victim"], signal.SIGCONT)
    return "CONTROL it can be signalled"


_IN_NAMESPACE = """
import ctypes, os, pathlib, subprocess
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare({flag}):
    raise OSError(ctypes.get_errno(), "unshare")
pid = {pid} or subprocess.Popen(["sleep", "9"], env={{"S": "CONTROL {own}"}}).pid
print("CONTROL environ is open " + pathlib.Path(f"/proc/{{pid}}/environ").read_text())
"""


def user_namespace(t):
    """R41: all capabilities, in a namespace of one's own; its control reads a process in there."""
    own = t.get("own_secret", "")
    code = _IN_NAMESPACE.format(flag=CLONE_NEWUSER, pid=t["victim"], own=own)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise PermissionError(done.stderr.strip().splitlines()[-1])
    return done.stdout


def sibling_capability(t):
    """R42."""
    text = Path(f"/proc/{t['sibling']}/environ").read_text()
    return "CONTROL " + re.search(r"JUPYTER_VALET_CAPABILITY=[^\0]+", text)[0]


_RACE = """
import os, re, signal, sys, time
pid, marker, out = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3]
known = set(os.listdir("/proc"))
os.kill(pid, signal.SIGKILL)
deadline, memory, maps, new = time.monotonic() + 25, None, None, None
while time.monotonic() < deadline and memory is None:
    for entry in os.listdir("/proc"):
        if entry in known or not entry.isdigit():
            continue
        try:
            line = open("/proc/%s/cmdline" % entry, "rb").read()
            if marker not in line:
                continue
            maps = open("/proc/%s/maps" % entry)
            memory = open("/proc/%s/mem" % entry, "rb", buffering=0)
            new = entry
            break
        except OSError:
            continue
if memory is None:
    open(out, "w").write("too late")
    sys.exit()
time.sleep(6)
for line in maps.read().splitlines():
    span, rights = line.split()[:2]
    if rights.startswith("rw"):
        start = int(span.split("-")[0], 16)
        try:
            memory.seek(start)
            data = memory.read(4096)
        except OSError:
            continue
        if data:
            said = "CONTROL read %d bytes of process %s, long after" % (len(data), new)
            open(out, "w").write(said)
            break
"""


def start_up_race(t):
    """R52: the next broker's memory, opened in the moment before it closes itself."""
    out = Path(t["root"], "race.out")
    out.unlink(missing_ok=True)
    watcher = subprocess.Popen(
        [sys.executable, "-c", _RACE, str(t["victim"]), t["victim_marker"], str(out)],
        start_new_session=True,
    )
    watcher.wait(60)
    return out.read_text() if out.exists() else ""


def _started(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[19])


def beside(t):
    """X17: whichever opens can be made to run code outside of the wall."""
    mine, refused = os.getpid(), None
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/status") as status:
                is_program = "VmSize" in status.read()  # Linux's own threads open, and have none
            if int(name) == mine or not is_program or _started(name) > _started(mine):
                continue  # later ones may be this kernel's own
            os.close(os.open(f"/proc/{name}/mem", os.O_RDWR))
            with open(f"/proc/{name}/cmdline") as line:
                return "CONTROL memory is open of " + line.read().replace("\0", " ")
        except FileNotFoundError:
            continue  # it ended
        except OSError as error:
            refused = error
    raise refused or PermissionError("nobody is there")
