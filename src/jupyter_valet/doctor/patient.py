"""What is attacked: a throw-away vault, server and kernels, with canaries wherever secrets lie."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..wire import env as valet_env
from .server import Kernel, Plan, Server, running
from .talker import CHATTER

PATTERN = r"canary-[A-Za-z0-9_-]{32}"
_KEY_FILE = "key-ring"
_STRAW = Path(__file__).with_name("straw.py")
_NOTEBOOK = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
_LANGUAGE_SERVER = "require('fs').writeFileSync({mark}, 'ran')\n"
"""Stands where npm puts one; the server looks for it when it starts (R66)."""
_ENVIRONMENT = {
    "hub": "JUPYTERHUB_API_TOKEN",
    "github": "GITHUB_TOKEN",
    "database": "DATABASE_PASSWORD",
}
_CANARIES = (*_ENVIRONMENT, "vault", "hidden", "straw", "iopub", "typed", "abstract")


def canary() -> str:
    """Return a new secret that belongs to nobody."""
    return "canary-" + secrets.token_urlsafe(24)


@dataclass(frozen=True)
class SetUp:
    """What is to be measured: how Jupyter is started, and where the vault would be."""

    state_dir: Path
    key_source: str
    locked_down: bool
    more: Sequence[str] = ()


@dataclass
class Patient:
    """A running throw-away server with two kernels, and what attacks are told of it."""

    server: Server
    kernel: Kernel
    sibling: Kernel
    straw: subprocess.Popen[bytes]
    canaries: Mapping[str, str]
    target: dict[str, Any]
    status: dict[str, Any]
    """The broker's answer to the kernel: level, words, key source."""

    def new_kernel(self) -> None:
        """Start another kernel: an attack cost the old one."""
        self.kernel = self.server.start_kernel("again.ipynb")


@contextlib.contextmanager
def admitted(wanted: SetUp) -> Iterator[Patient]:
    """Make everything, and unmake it at the end. Raises `ValetError` when it cannot be made."""
    canaries = {name: canary() for name in _CANARIES}
    with contextlib.ExitStack() as stack:
        private = _private_folder(stack, wanted.state_dir)
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="valet-doctor-")))
        _furnish(root)
        passphrase = secrets.token_urlsafe(12)
        source = _vault(stack, private / "state", wanted.key_source, passphrase, canaries["vault"])
        (private / "state" / "canary").write_text(canaries["hidden"], encoding="utf-8")
        plan = Plan(
            root=root,
            state=private / "state",
            runtime=private / "runtime",
            log=private / "server.log",
            key_source=source,
            locked_down=wanted.locked_down,
            variables={name: canaries[key] for key, name in _ENVIRONMENT.items()},
            more=wanted.more,
        )
        server = stack.enter_context(running(plan))
        kernel = server.start_kernel("doctor.ipynb")
        server.unlock(passphrase)
        sibling = server.start_kernel("sibling.ipynb")
        sibling.run(CHATTER.format(secret=canaries["iopub"]))
        straw = _straw(stack, canaries["straw"], private)
        target = _target(plan, server, sibling, straw, canaries)
        target |= _listeners(stack, canaries["abstract"])
        status = _status(kernel)
        target["broker_port"] = int(status.pop("port", 0))
        yield Patient(server, kernel, sibling, straw, canaries, target, status)


def _furnish(root: Path) -> None:
    """Make the project: a notebook, and a language server in its node_modules."""
    (root / "doctor.ipynb").write_text(_NOTEBOOK, encoding="utf-8")
    script = root / "node_modules" / "pyright" / "langserver.index.js"
    script.parent.mkdir(parents=True)
    program = _LANGUAGE_SERVER.format(mark=json.dumps(str(_mark(root))))
    script.write_text(program, encoding="utf-8")


def _mark(root: Path) -> Path:
    """Return the file that a payload leaves when it ran where no kernel runs."""
    return root / "mark"


def _private_folder(stack: contextlib.ExitStack, state_dir: Path) -> Path:
    """Make a folder beside the real vault's, so that what protects that one is what is measured."""
    state_dir.parent.mkdir(parents=True, exist_ok=True)
    made = stack.enter_context(
        tempfile.TemporaryDirectory(prefix="valet-doctor-", dir=state_dir.parent)
    )
    for name in ("state", "runtime"):
        (Path(made) / name).mkdir(mode=0o700)
    return Path(os.path.realpath(made))


def _vault(
    stack: contextlib.ExitStack, folder: Path, source: str, passphrase: str, secret: str
) -> str:
    """Make the throw-away vault with a canary in it; return where its key is."""
    from ..broker.secret import Secret
    from ..broker.vault import open_vault
    from ..broker.vault.key_sources import named
    from ..broker.vault.sqlite import read_header

    with contextlib.closing(open_vault(folder, source, prompt=lambda: Secret(passphrase))) as vault:
        vault.put("canary", "doctor", {}, Secret(secret))
        chosen = vault.key_source
    if chosen == "keyring":
        header = read_header(folder / "vault.db")
        stack.callback(lambda: named(chosen, folder / "keys").forget(header.vault_id))
    return chosen


def _straw(stack: contextlib.ExitStack, secret: str, folder: Path) -> subprocess.Popen[bytes]:
    kept = folder / "straw.txt"
    kept.write_text(secret, encoding="utf-8")
    straw = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_STRAW), secret, str(kept)],
        cwd=folder,
        env={"STRAW": secret},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert straw.stdout is not None
    straw.stdout.readline()

    def end() -> None:
        straw.kill()
        straw.communicate()

    stack.callback(end)
    return straw


def _target(
    plan: Plan,
    server: Server,
    sibling: Kernel,
    straw: subprocess.Popen[bytes],
    canaries: Mapping[str, str],
) -> dict[str, Any]:
    """Return what attacks are told: the worst that an attacker may know, and no secret."""
    mark = _mark(plan.root)
    broker = _child(server.process.pid, "jupyter_valet.broker")
    return {
        **places(),
        "pattern": PATTERN,
        "victim": broker,
        "server": server.process.pid,
        "sibling": _holder(sibling),
        "sibling_file": str(plan.runtime / f"kernel-{sibling.id}.json"),
        "port": server.port,
        "base": server.base,
        "token": server.token,
        "root": str(plan.root),
        "state": str(plan.state),
        "key_file": _KEY_FILE,
        "vault": str(plan.state / "vault.db"),
        "hidden": str(plan.state / "canary"),
        "runtime": str(plan.runtime),
        "payload": f"open({str(mark)!r}, 'w').write('ran')",
        "mark": str(mark),
        "ready": str(plan.root / "ready"),
        "python": sys.executable,
    }


def places() -> dict[str, Any]:
    """Return the person's real places: attacks see whether they could write there, and do not."""
    from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir

    here = str(Path(__file__).parents[2])
    return {
        "person": str(Path.home()),
        "config_folders": [jupyter_config_dir(), str(Path(sys.prefix, "etc", "jupyter"))],
        "data_folders": [jupyter_data_dir(), str(Path(sys.prefix, "share", "jupyter"))],
        "server_code": [sysconfig.get_path("purelib"), here, site.getusersitepackages()],
    }


def _child(parent: int, name: str) -> int:
    """Return the process id of a child by its command line; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                above = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if int(above) == parent and name in (entry / "cmdline").read_text():
                    return int(entry.name)
    return 0


def _holder(kernel: Kernel) -> int:
    """Return the innermost process that holds a kernel's capability, as seen from outside."""
    code = f"import os; print(os.environ.get({valet_env.CAPABILITY!r}, ''))"
    wanted, found = kernel.run(code).strip().encode(), 0
    with contextlib.suppress(OSError):
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                if wanted and wanted in (entry / "environ").read_bytes():
                    found = max(found, int(entry.name))
    return found


def _listeners(stack: contextlib.ExitStack, secret: str) -> dict[str, str]:
    """Put up a session's sockets: one with a file and one without, which both say something.

    Without them their rows are not tried, as where the temporary folder's path is too long.
    """
    if not hasattr(socket, "AF_UNIX"):
        return {}
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="vd-"))
    path, name = str(Path(folder, "bus")), f"valet-doctor-{secrets.token_hex(8)}"
    with contextlib.suppress(OSError):
        _speak(stack, path, b"OK " + secret.encode(), asked=True)
        if sys.platform == "linux":
            _speak(stack, "\0" + name, secret.encode())
        return {"bus": f"unix:path={path}", "abstract": name}
    return {}


def _speak(stack: contextlib.ExitStack, address: str, words: bytes, *, asked: bool = False) -> None:
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(address)
    listener.listen()

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with peer, contextlib.suppress(OSError):
                    peer.settimeout(5)
                    if asked:
                        peer.recv(100)
                    peer.sendall(words)

    threading.Thread(target=answer, daemon=True).start()
    stack.callback(lambda: _quietly(lambda: listener.shutdown(socket.SHUT_RDWR)))


def _quietly(act: Any) -> None:
    with contextlib.suppress(OSError):
        act()


_ASK = f"""
import json as _json, os as _os, urllib.request as _request
_url = _os.environ.get({valet_env.URL!r}, "")
_bearer = {{"Authorization": "Bearer " + _os.environ.get({valet_env.CAPABILITY!r}, "")}}
try:
    _open = _request.build_opener(_request.ProxyHandler({{}})).open
    with _open(_request.Request(_url + "/status", headers=_bearer), timeout=60) as _answer:
        print(_json.dumps({{**_json.load(_answer), "port": _url.rpartition(":")[2]}}))
except (OSError, ValueError) as _error:
    print(_json.dumps({{"trouble": type(_error).__name__}}))
"""


def _status(kernel: Kernel) -> dict[str, Any]:
    """Return what the broker tells this kernel of itself: the level that is claimed."""
    try:
        told = json.loads(kernel.run(_ASK).strip().splitlines()[-1])
    except (ValueError, IndexError, OSError):
        told = {"trouble": "no answer"}
    return told if isinstance(told, dict) else {"trouble": "no answer"}
