"""What lies open: key files, environment, logs, descriptors, kernel keyrings, terminals."""

import ctypes
import os
import re
import select
import socket
import stat
import time
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)


def key_and_vault(t):
    """R01: the vault beside the key that opens it, as bytes; a sealed key opens nothing."""
    folder = Path(t["state"], "keys")
    open_keys = [path for path in folder.iterdir() if path.name == t["key_file"]]
    vault = Path(t["vault"]).read_bytes()
    for path in open_keys:
        return f"CONTROL a key of {len(path.read_bytes())} bytes beside a vault of {len(vault)}"
    return ""


def own_environment(t):
    """R02, R53."""
    return " ".join(f"{name}={value}" for name, value in os.environ.items())


def chmod_vault(t):
    """R38. The mode is put back: the next attack is another's."""
    before = stat.S_IMODE(os.stat(t["vault"]).st_mode)
    os.chmod(t["vault"], 0o644)
    os.chmod(t["vault"], before)
    return "CONTROL the vault's mode can be changed"


def replace_vault(t):
    """R43."""
    aside = t["vault"] + ".aside"
    os.rename(t["vault"], aside)
    os.rename(aside, t["vault"])
    return "CONTROL the vault can be taken away and replaced"


def logs(t):
    """R44."""
    return " ".join(Path(path).read_text(errors="replace") for path in t["logs"])


def inherited(t):
    """R45: what came along without being asked for."""
    got = []
    for entry in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{entry}")
        except OSError:
            continue
        if "secret" in name or t["state"] in name:
            with open(f"/proc/self/fd/{entry}", "rb", buffering=0) as again:
                got.append(f"CONTROL {name} {again.read(200)!r}")
        if name.startswith("socket:") and _listens_at(int(entry), {t["port"], t["broker_port"]}):
            got.append(f"CONTROL inherited the listening socket {name}")
    return " ".join(got)


def _listens_at(descriptor, ports):
    try:
        with socket.socket(fileno=os.dup(descriptor)) as one:
            listening = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            return bool(listening) and one.getsockname()[1] in ports
    except (OSError, IndexError, TypeError):
        return False


KEYCTL, ADD_KEY = 250, 248
SEARCH, READ = 10, 11
USER_KEYRING, SESSION_KEYRING = -4, -3


def kernel_keyring(t):
    """R46: everything that the user's keyrings hold."""
    Path("/proc/keys").read_text()
    got = []
    for ring in (USER_KEYRING, SESSION_KEYRING):
        buffer = ctypes.create_string_buffer(4096)
        size = libc.syscall(KEYCTL, READ, ring, buffer, 4096)
        if size < 0:
            raise PermissionError(ctypes.get_errno(), "keyctl")
        for at in range(0, size, 4):
            key = int.from_bytes(buffer.raw[at : at + 4], "little", signed=True)
            value = ctypes.create_string_buffer(4096)
            length = libc.syscall(KEYCTL, READ, key, value, 4096)
            if length > 0:
                got.append(value.raw[:length].decode(errors="replace"))
    return " ".join(got)


def terminal(t):
    """R37: what the user types into a terminal, before the program there gets it."""
    with open(t["terminal"], "rb", buffering=0) as tty:
        Path(t["ready"]).write_text("reading")
        got, deadline = b"", time.monotonic() + 12
        while time.monotonic() < deadline:
            if select.select([tty], [], [], 0.5)[0]:
                got += os.read(tty.fileno(), 1000)
                if re.search(t["pattern"].encode(), got):
                    break
        return got.decode(errors="replace")


def listed_secrets(t):
    """R02, in a kernel of the person's: names only, and never a value."""
    words = ("TOKEN", "SECRET", "PASSWORD", "API_KEY", "CREDENTIAL", "PRIVATE_KEY")
    own = {"JUPYTER_VALET_CAPABILITY"}
    found = [n for n in os.environ if n not in own and any(w in n.upper() for w in words)]
    return f"CONTROL {' '.join(sorted(found))}" if found else ""


def chosen(t):
    """Read one file that is hidden from kernels, and holds a canary."""
    return Path(t["hidden"]).read_text()
