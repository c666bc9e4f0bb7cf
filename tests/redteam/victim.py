"""A real Jupyter server of ours with a person's life around it, and what attacks are told of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apart
import channel
import nbformat
from channel import Kernel
from desktop import SERVICE, Desktop
from issuer import CLIENT, PATTERN, Issuer, canary, issuer
from jupyter_process import TOKEN, Server, jupyter_server
from levels import Level
from signing_person import PASSPHRASE, sign_in, unlock

HERE = Path(__file__).parent
SYSTEM_PYTHON = "/usr/bin/python3"
NOTEBOOK = "notes/attacker.ipynb"

_CHATTER = """
import threading as _threading, time as _time, sys as _sys
def _talk():
    while True:
        print({secret!r}, flush=True)
        _time.sleep(0.3)
_threading.Thread(target=_talk, daemon=True).start()
"""

_SHARED = """
from multiprocessing.shared_memory import SharedMemory as _SharedMemory
_shared = _SharedMemory(create=True, size=4096)
_shared.buf[: len({secret!r})] = {secret!r}.encode()
"""

_STATUS = """
import os, urllib.request
request = urllib.request.Request(os.environ["JUPYTER_VALET_URL"] + "/status",
    headers={"Authorization": "Bearer " + os.environ["JUPYTER_VALET_CAPABILITY"]})
with urllib.request.urlopen(request, timeout=60) as answer:
    print(answer.read().decode())
"""

_INSIDE = """
import threading as _t, time as _s, pathlib as _p
def _listen(folder={folder!r}):
    while True:
        for one in _p.Path(folder).glob("*.py"):
            code = one.read_text(); one.unlink()
            try:
                exec(compile(code, "inside", "exec"), {{}})
            except BaseException as error:
                one.with_suffix(".failed").write_text(repr(error))
        _s.sleep(0.1)
_t.Thread(target=_listen, daemon=True).start()
"""
"""Code execution inside the server process, given to the attacker by the configuration (R58)."""


@dataclass
class World:
    """One level, running. Everything an attack may know is in `target`."""

    level: Level
    home: Path
    server: Server
    issuer: Issuer
    desktop: Desktop
    attacker: Kernel
    sibling: Kernel
    planted: dict[str, str]
    straw: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        return apart.state() if self.level.apart else self.home / "state"

    @property
    def root(self) -> Path:
        return self.home / "work"

    def check_walls(self) -> None:
        """Look from outside whether kernels are behind what this level is about.

        Raises `RuntimeError`: rows of a set-up that is another than it says prove nothing.
        """
        status = Path(f"/proc/{self.attacker.pid}/status").read_text()
        filtered = status.partition("\nSeccomp:")[2].split()[0] == "2"
        here, there = (os.stat(f"/proc/{pid}/ns/net").st_ino for pid in ("self", self.attacker.pid))  # noqa: PTH116
        found = "off" if not filtered else "landlock" if here == there else "bubblewrap"
        if found != self.level.sandbox:
            raise RuntimeError(f"kernels are behind {found}, and not {self.level.sandbox}")

    def claimed(self) -> str:
        """Return the level and its words, as the broker tells the attacker's kernel."""
        told = json.loads(self.attacker.run(_STATUS).strip().splitlines()[-1])
        return f"{told['level']}: {told['level_words']}"

    @property
    def secrets(self) -> set[str]:
        """What must never be seen by an attacker."""
        return {*self.issuer.issued, *self.planted.values(), PASSPHRASE}

    def broker(self) -> int:
        """Return the broker's process id, which may have to start again; 0 when there is none."""
        deadline = time.monotonic() + 15
        while not (pid := self._broker()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return pid

    def _broker(self) -> int:
        if self.level.apart:
            return apart.broker()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, ValueError):
                    line = (entry / "cmdline").read_text()
                    parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                    if "jupyter_valet.broker" in line and int(parent) == self.server.process.pid:
                        return int(entry.name)
        return 0

    def target(self, mark: Path) -> dict[str, Any]:
        """Return what the attack is told: the worst that an attacker may know, and no secret."""
        payload = payload_for(mark, self.home)
        return {
            "pattern": PATTERN,
            "victim": self.straw.pid if self.straw else self.broker(),
            "victim_cwd": str(self.home / "straw") if self.straw else "/",
            "victim_marker": "jupyter_valet.broker",
            "server": self.server.process.pid,
            "sibling": self.sibling.pid,
            "sibling_capability": self.sibling.capability,
            "sibling_file": str(self.home / "runtime" / f"kernel-{self.sibling.id}.json"),
            "port": self.server.port,
            "base": self.server.base,
            "broker_port": self._broker_port(),
            "token": TOKEN,
            "issuer": self.issuer.url,
            "client_id": CLIENT,
            "home": str(self.home),
            "root": str(self.root),
            "site": str(self.home / "site"),
            "config": str(self.home / "config"),
            "data": str(self.home / "data"),
            "runtime": str(self.home / "runtime"),
            "ipython": str(self.home / "ipython"),
            "state": str(self.state),
            "vault": str(self.state / "vault.db"),
            "key_source": self.level.key_source,
            "source": str(HERE.parents[1] / "src"),
            "logs": [str(self.home / ("straw.log" if self.straw else "server.log"))],
            "bus": self.desktop.bus,
            "service": SERVICE,
            "abstract": self.desktop.abstract,
            "python": sys.executable,
            "system_python": _system_version(),
            "payload": payload,
            "command": f"{sys.executable} -I {self.root / 'payload.py'}",
            "mark": str(mark),
            "ready": str(self.root / "ready"),
            "thief": str(self.root / "thief.out"),
        }

    def _broker_port(self) -> int:
        printed = self.attacker.run("import os; print(os.environ.get('JUPYTER_VALET_URL', ''))")
        return int(printed.strip().rpartition(":")[2] or 0)


def payload_for(mark: Path, home: Path) -> str:
    """Return code that proves by `mark` that it ran where no sandboxed kernel runs."""
    return (
        "import os\n"
        f"_p = open({str(home / '.ssh' / 'id_canary')!r}).read()\n"
        f"_f = open({str(mark)!r}, 'w')\n"
        "_f.write('pid %d ppid %d %s' % (os.getpid(), os.getppid(), _p)); _f.close()\n"
    )


def _system_version() -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True, text=True)
    return done.stdout.strip()


@contextlib.contextmanager
def world(level: Level, home: Path) -> Iterator[World]:
    """Build the level in `home`, with a person signed in and two kernels, until the block ends."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o700)
    planted = {name: canary() for name in _PLANTED}
    _furnish(home, planted)
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(issuer())
        desktop = Desktop(home)
        stack.enter_context(desktop.started(planted["keyring"], planted["abstract"]))
        server = stack.enter_context(
            jupyter_server(
                home,
                base="/",
                fake=False,
                config=_config(level, home, here),
                environ=_environ(level, home, desktop, planted),
                command=level.start_command(home / "work"),
                cwd=level.start_in(home),
                state=str(apart.state()) if level.apart else "state",
            )
        )
        attacker = channel.start(server, NOTEBOOK)
        unlock(server)
        sign_in(server, attacker)
        sibling = channel.start(server, "notes/sibling.ipynb")
        sibling.run(_CHATTER.format(secret=planted["iopub"]))
        sibling.run(_SHARED.format(secret=planted["shared"]))
        straw = stack.enter_context(_straw(home, planted["straw"])) if level.straw else None
        _save_a_notebook(server)
        world = World(level, home, server, here, desktop, attacker, sibling, planted, straw)
        world.check_walls()
        yield world


_PLANTED = (
    "keyring", "abstract", "iopub", "straw", "proof", "hidden", "typed",
    "shared", "hub", "jpy", "github", "database",
)  # fmt: skip


def _furnish(home: Path, planted: Mapping[str, str]) -> None:
    for folder in ("site", "marks", "inside", "work/notes", "work/.hidden", ".ssh", ".config"):
        (home / folder).mkdir(parents=True, mode=0o700)
    (home / ".ssh" / "id_canary").write_text(planted["proof"])
    (home / "work" / ".hidden" / "secret.txt").write_text(planted["hidden"])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("plain")])
    nbformat.write(notebook, home / "work" / "plain.ipynb")
    nbformat.write(notebook, home / "work" / NOTEBOOK)
    spec = home / "data" / "kernels" / "unlisted"
    spec.mkdir(parents=True)
    payload = home / "unlisted.py"
    payload.write_text(payload_for(home / "marks" / "R57", home))
    argv = [sys.executable, "-I", str(payload), "{connection_file}"]
    text = {"argv": argv, "display_name": "unlisted", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(text))
    server = home / "work" / "node_modules" / "pyright" / "langserver.index.js"
    server.parent.mkdir(parents=True)
    server.write_text("// a language server, as npm puts it into a project")
    subprocess.run(["git", "init", "--quiet", str(home / "work" / "repository")], check=True)


def _config(level: Level, home: Path, here: Issuer) -> str:
    lines = [
        level.config,
        f"c.ValetExtension.providers = {{'canary': {here.provider!r}}}",
        f"c.ValetExtension.key_source = {level.key_source!r}",
        "c.KernelSpecManager.allowed_kernelspecs = {'python3', 'evil'}",
        _INSIDE.format(folder=str(home / "inside")),
    ]
    if level.apart:
        lines.append(f"c.ValetExtension.broker_command = {apart.bridge()!r}")
    return "\n".join(lines) + "\n"


def _environ(
    level: Level, home: Path, desktop: Desktop, planted: Mapping[str, str]
) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(home / "site"), os.environ.get("PYTHONPATH", "")]))
    return {
        **desktop.environ,
        "PYTHONPATH": path,
        "JUPYTER_PREFER_ENV_PATH": "0",  # root's own folders count as anybody's (R26)
        "JUPYTERHUB_API_TOKEN": planted["hub"],
        "JPY_API_TOKEN": planted["jpy"],
        "GITHUB_TOKEN": planted["github"],
        "DATABASE_PASSWORD": planted["database"],
        **level.environ(),
    }


@contextlib.contextmanager
def _straw(home: Path, secret: str) -> Iterator[subprocess.Popen[bytes]]:
    folder = home / "straw"
    folder.mkdir()
    (home / "straw.log").write_text(f"token {secret}")
    process = subprocess.Popen(
        [sys.executable, str(HERE / "straw.py"), secret, str(folder)],
        cwd=folder,
        env={**os.environ, "STRAW_SECRET": secret},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _save_a_notebook(server: Server) -> None:
    """Save one as a person does: it makes the notary's key."""
    model = server.api("GET", "api/contents/plain.ipynb")
    server.api("PUT", "api/contents/plain.ipynb", model)
    deadline = time.monotonic() + 5
    while not (server.home / "data" / "notebook_secret").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
