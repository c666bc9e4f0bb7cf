"""A home, a project and a walled kernel in it, as the user who runs the tests or as another."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pwd
import shutil
import site
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
WALLS = ("landlock", "landlock-plain", "bubblewrap")
"""Plain is Landlock where no namespaces may be made."""
OTHER = "nobody"
SUBJECTS = (
    ("landlock", ""),
    ("landlock", OTHER),
    ("landlock-plain", ""),
    ("bubblewrap", ""),
    ("bubblewrap", OTHER),
)
"""Which wall around whose kernel; the empty name is who runs the tests."""
Prepare = Callable[[Path, Path], None]
"""Puts more into a home and a project."""
CANARY = "CANARY-4d1f"
LISTENS_AT = """
import os, socket
for row in map(str.split, open("/proc/self/net/tcp")):
    if row[9] == str(os.fstat({server}.fileno()).st_ino):
        host, port = row[1].split(":")
        print(socket.inet_ntoa(bytes.fromhex(host)[::-1]) + ":" + str(int(port, 16)))
"""
"""Prints where the socket `server` really listens, whatever its own process is told."""


@dataclass
class Result:
    """What a cell did."""

    text: str
    error: str
    value: str
    traceback: str

    @property
    def lines(self) -> list[str]:
        return self.text.split()


class Kernel:
    """A kernel behind a wall, or without one."""

    def __init__(self, process: subprocess.Popen[str], home: Path, project: Path) -> None:
        self._process = process
        self.home, self.project = home, project
        self.report: list[list[str]] = []
        self.seconds = 0.0

    def ask(self, do: str, **how: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **how}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the driver of the kernel ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def run(self, code: str, **how: Any) -> Result:
        """Run a cell; return whatever it did."""
        answer = self.ask("run", code=code, **how)
        assert "failed" not in answer, answer["failed"]
        return Result(**answer)

    def does(self, code: str, **how: Any) -> str:
        """Run a cell that must not fail; return what it printed."""
        result = self.run(code, **how)
        assert not result.error, f"{result.error}: {result.value}\n{result.traceback}"
        return result.text.strip()

    def refuses(self, code: str) -> Result:
        """Run a cell that must be stopped by the operating system."""
        result = self.run(code)
        assert result.error in REFUSALS, f"{result.error}: {result.value}; it printed {result.text}"
        return result


REFUSALS = ("PermissionError", "FileNotFoundError", "OSError", "ConnectionRefusedError")


@contextlib.contextmanager
def kernel(
    wall: str,
    user: str = "",
    openings: tuple[str, ...] = (),
    prepare: Prepare | None = None,
    **environ: str,
) -> Iterator[Kernel]:
    """Start a kernel behind `wall`, as `user` if one is named."""
    with world(user, prepare) as (home, project):
        command = [
            *as_user(user),
            python(user),
            str(HERE / "sandbox_session.py"),
            *(wall, str(home), str(project), *openings),
        ]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(home, user, environ),
            cwd=home,
        )
        subject = Kernel(process, home, project)
        try:
            started = subject.ask("start")
            assert "failed" not in started, started["failed"]
            subject.report, subject.seconds = started["report"], started["seconds"]
            yield subject
            left = subject.ask("stop")
            assert not left.get("left"), "the workspace is still there"
        finally:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()
            process.stdout.close()


@contextlib.contextmanager
def world(user: str, prepare: Prepare | None = None) -> Iterator[tuple[Path, Path]]:
    """Make a home with the usual things in it, and a project outside it; both are the user's."""
    base = Path(tempfile.mkdtemp(prefix="sandbox-test-", dir="/var/tmp"))
    home, project = base / "home", base / "project"
    for folder in (".ssh", ".aws", ".config/gh", ".ipython/profile_default/startup", "data",
                   "runtime", "state", "server-env", ".jupyter", ".local/bin"):  # fmt: skip
        (home / folder).mkdir(parents=True)
    project.mkdir()
    for secret in (".ssh/id_ed25519", ".aws/credentials", ".config/gh/hosts.yml", ".netrc",
                   "state/vault.db", "runtime/kernel-other.json", "runtime/jpserver-1.json",
                   ".jupyter/jupyter_server_config.py"):  # fmt: skip
        (home / secret).write_text(CANARY)
    (home / "server-env" / "module.py").write_text("")
    (home / ".bashrc").write_text("")
    if prepare is not None:
        prepare(home, project)
    (home / "data" / "table.csv").write_text("a,b\n1,2\n3,4\n")
    base.chmod(0o755)
    if user:
        entry = pwd.getpwnam(user)
        for path in (base, *base.rglob("*")):
            os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    try:
        yield home, project
    finally:
        shutil.rmtree(base, ignore_errors=True)


def as_user(user: str) -> list[str]:
    """Return the beginning of a command that runs as `user`."""
    if not user:
        return []
    entry = pwd.getpwnam(user)
    ids = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    return ["setpriv", *ids, "--inh-caps=-all", "--bounding-set=-all"]


_RUNS = (
    "import subprocess, sys, ipykernel\n"
    "subprocess.run([sys.executable, '-c', 'pass'], check=True)\n"
    "print(*sys.version_info[:2])"
)


@functools.cache
def python(user: str) -> str:
    """Return an interpreter that `user` may run and that finds our packages, or ""."""
    if not user:
        return sys.executable
    for candidate in (sys.executable, "/usr/bin/python3"):
        attempt = subprocess.run(
            [*as_user(user), candidate, "-c", _RUNS],
            env={"PYTHONPATH": _packages(), "HOME": "/nonexistent", "PATH": os.defpath},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if attempt.stdout.split() == [str(part) for part in sys.version_info[:2]]:
            return candidate
    return ""


def unavailable(user: str) -> str:
    """Return why tests cannot run as `user`, or nothing."""
    if not user:
        return ""
    if os.geteuid() != 0:
        return "only root can try as another user"
    if shutil.which("setpriv") is None:
        return "setpriv is not installed"
    return "" if python(user) else f"{user} can run no interpreter of this version here"


def environment(home: Path, user: str, more: dict[str, str]) -> dict[str, str]:
    """Return what the process with the kernel manager gets: a person's shell, with secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "TMPDIR": "/tmp",
        "PYTHONPATH": _packages() if user else str(SOURCE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_DATA_DIR": str(home / "jupyter-data"),
        "JUPYTER_TOKEN": CANARY,
        "GITHUB_TOKEN": CANARY,
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "OPENAI_API_KEY": CANARY,
        **more,
    }


def _packages() -> str:
    return os.pathsep.join([str(SOURCE), *site.getsitepackages()])


@contextlib.contextmanager
def listener(answer: bytes = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello") -> Iterator[int]:
    """Serve `answer` on a loopback port until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client, contextlib.suppress(TimeoutError):
                        client.settimeout(1)
                        client.recv(65536)
                        client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
