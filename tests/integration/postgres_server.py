"""A real PostgreSQL of the tests' own: in a temporary folder, on a Unix socket, for this run alone.

It runs as another user when the tests are root's, since PostgreSQL refuses to be root. It waits
for its disk like any other, but lies in memory where there is room: what is killed here is the
process, never the machine.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault.postgres import Database

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "min_wal_size": "8MB",
    "max_wal_size": "32MB",
    # Segments are files of its folder: those of a server that is killed would stay.
    "dynamic_shared_memory_type": "mmap",
    "autovacuum": "off",
    "jit": "off",
    "log_min_messages": "fatal",
}
_ROLE = "valet"
_ROOM = 512 << 20


class PostgresServer:
    """One server; `restart` and `kill` are for those who own it alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password = "canary-" + secrets.token_hex(16)
        self._user = _other_user() if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._pools: list[Database] = []
        self._make()
        self.start()

    def url(self, database: str = "postgres") -> Secret:
        """Return where a database is, password included."""
        where = f"host={self.folder}&sslmode=disable"
        return Secret(f"postgresql://{_ROLE}:{self.password}@/{database}?{where}")

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Connect as whoever runs the server, who may do anything."""
        return psycopg.connect(
            host=str(self.folder),
            dbname=database,
            user=_ROLE,
            password=self.password,
            autocommit=True,
            options="-c search_path=jupyter_valet",
        )

    def pool(self, number: int) -> Database:
        """Return the connections of the process of that number; they are made once."""
        while len(self._pools) <= number:
            self._pools.append(Database(self.url(), most=3))
        return self._pools[number]

    def new_database(self) -> str:
        """Make an empty database and return its name."""
        name = f"valet_{secrets.token_hex(6)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return name

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = [_program("postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder)]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=self._user, cwd="/", start_new_session=True
            )
        until = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it as an administrator would (fast shutdown)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """End the server and every process of it by `kill -9`."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        self._process = None
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def close(self) -> None:
        """End it without a last checkpoint; nothing of it is wanted any more."""
        while self._pools:
            self._pools.pop().close()
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), self.connect():
            return True
        return False

    def _make(self) -> None:
        word = self.folder / "password"
        word.write_text(self.password)
        if self._user is not None:
            for path in (self.folder, word):
                os.chown(path, pwd.getpwnam(self._user).pw_uid, -1)
        command = [
            *(_program("initdb"), "-D", str(self.folder / "data"), "-U", _ROLE),
            *("--pwfile", str(word), "--auth=scram-sha-256", "--no-sync", "--no-instructions"),
            *("--encoding=UTF8", "--locale=C", "--wal-segsize=4"),
        ]
        made = subprocess.run(command, capture_output=True, text=True, user=self._user, cwd="/")
        word.unlink()
        if made.returncode:
            raise RuntimeError(made.stderr)


@contextlib.contextmanager
def running_server(*, on_disk: bool = False) -> Iterator[PostgresServer]:
    """Run a server until the block ends, then remove everything of it."""
    # Not below pytest's folder, which the other user cannot enter; and a socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="valet-pg-", dir=None if on_disk else _in_memory()))
    folder.chmod(0o755)
    try:
        server = PostgresServer(folder)
        try:
            yield server
        finally:
            server.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _in_memory() -> str | None:
    """Return a folder in memory, if there is one with room for some servers."""
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > _ROOM
    return str(shared) if roomy else None


def _program(name: str) -> str:
    """Return a program of the newest PostgreSQL here; Debian has only some of them in the path."""
    places = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4])
    )
    found = str(places[-1]) if places else shutil.which(name)
    if found is None:
        raise RuntimeError(f"PostgreSQL's {name} is missing; `make dev` installs it")
    return found


def _other_user() -> str:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("PostgreSQL does not run as root, and there is no other user here")
