"""A wire to PostgreSQL that is cut at the worst moment: beside a commit whose answer is awaited."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from postgres_server import PostgresServer

from jupyter_valet.broker.secret import Secret

BEFORE, AFTER, NEVER = "before", "after", "never"
_NAME = ".s.PGSQL.5432"
_COMMIT = b"COMMIT\0"
"""The statement as it is sent; `BEGIN … READ COMMITTED` is another."""


class CutWire:
    """A socket in front of a server's. `cut` says when the next commit loses its connection."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self.cut = NEVER
        self.open = True
        """Whether new connections get through."""
        self.server = server
        self.folder = folder
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / _NAME))
        self._listener.listen()
        self._wires: list[_Wire] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> Secret:
        """Return where the database is, by this wire."""
        who = f"valet:{self.server.password}"
        return Secret(f"postgresql://{who}@/postgres?host={self.folder}&sslmode=disable")

    def close(self) -> None:
        """End everything."""
        self.open = False
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()
        for wire in self._wires:
            wire.close()

    def end_all(self) -> None:
        """End every connection and let no more through."""
        self.open = False
        for wire in self._wires:
            wire.end()

    def cut_now(self, by: _Wire) -> str:
        """Say whether this commit is the one; if nobody may connect again, all others end too."""
        cut, self.cut = self.cut, NEVER
        if cut != NEVER and not self.open:
            for wire in self._wires:
                if wire is not by:
                    wire.end()
        return cut

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self.open:
                near.close()
                continue
            far = socket.socket(socket.AF_UNIX)
            far.connect(str(self.server.folder / _NAME))
            self._wires.append(_Wire(self, near, far))
            if not self.open:  # closed meanwhile
                self._wires[-1].end()


class _Wire:
    """One connection and its two directions."""

    def __init__(self, owner: CutWire, near: socket.socket, far: socket.socket) -> None:
        self._owner = owner
        self._near = near
        self._far = far
        self._deaf = False
        self._threads = [
            threading.Thread(target=way, daemon=True) for way in (self.outward, self.homeward)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self.end()
        for thread in self._threads:
            thread.join(10)
        self._near.close()
        self._far.close()

    def outward(self) -> None:
        """Pass on what the broker says, but for a commit that is not to arrive."""
        with contextlib.suppress(OSError):
            while data := self._near.recv(65536):
                cut = self._owner.cut_now(self) if _COMMIT in data else NEVER
                if cut == BEFORE:
                    break
                self._deaf = self._deaf or cut == AFTER
                self._far.sendall(data)
        self.end()

    def homeward(self) -> None:
        """Pass on what the server says, but for the answer that is to be lost."""
        with contextlib.suppress(OSError):
            while data := self._far.recv(65536):
                if self._deaf:
                    break
                self._near.sendall(data)
        self.end()

    def end(self) -> None:
        """Cut it."""
        for end in (self._near, self._far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def cut_wire(server: PostgresServer) -> Iterator[CutWire]:
    """Stand in front of a server until the block ends."""
    with tempfile.TemporaryDirectory(prefix="valet-wire-") as folder:
        wire = CutWire(server, Path(folder))
        try:
            yield wire
        finally:
            wire.close()
