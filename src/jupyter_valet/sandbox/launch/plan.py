"""What a launcher is told: the whole decision, made by the server, in a file without a name.

Not on the command line: that is public, a plan names files of the person's, and one argument has at
most 128 KiB (execve(2)), while a folder may have many thousands of entries.
"""

from __future__ import annotations

import marshal
import os

TYPE_CHECKING = False  # each kernel start would pay for importing `typing`, and for `dataclasses`
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .namespace import Mount


class Relay:
    """A port inside a private network that leads to a UNIX socket outside it."""

    def __init__(self, port: int, socket: str) -> None:
        self.port = port
        self.socket = socket


class LaunchPlan:
    """How to confine a process before it becomes a kernel. Empty fields mean "not this"."""

    def __init__(
        self,
        *,
        mounts: Sequence[Mount] = (),
        paths: Sequence[tuple[str, int]] = (),
        files: int = 0,
        scopes: int = 0,
        loopback: str = "",
        own_ports: Sequence[int] = (),
        local_ports: Sequence[int] = (),
        opened_ports: Sequence[int] = (),
        denied_ports: Sequence[int] = (),
        ports_fd: int = -1,
        program: bytes = b"",
        socket_roots: Sequence[str] = (),
        supervised: Mapping[str, int] | None = None,
        ignore_interrupts: bool = False,
        relay: Relay | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.mounts = mounts
        """What makes a view of the file system of the kernel's own. None at all: no such view."""
        self.paths = paths
        """Landlock rules: path and rights. None at all means no Landlock on files."""
        self.files = files
        """The file rights that Landlock handles."""
        self.scopes = scopes
        self.loopback = loopback
        """The kernel's own loopback address; all of its /24 is the kernel's."""
        self.own_ports = own_ports
        """TCP ports for its messages with the server."""
        self.local_ports = local_ports
        """TCP ports for what runs in it, at its own loopback addresses."""
        self.opened_ports = opened_ports
        """TCP ports to listen on by the person's decision. No others can be bound."""
        self.denied_ports = denied_ports
        """TCP ports that no connection may go to, at any address."""
        self.ports_fd = ports_fd
        """An inherited ruleset that says the same, so that it need not be made again."""
        self.program = program
        """The seccomp filter."""
        self.socket_roots = socket_roots
        self.supervised = supervised or {}
        """Call numbers of those that the filter asks about."""
        self.ignore_interrupts = ignore_interrupts
        self.relay = relay
        self.variables = variables or {}
        """Set in the kernel's environment at the last moment."""

    def to_bytes(self) -> bytes:
        """Return the plan for a launcher, which the same Python runs.

        Marshalled: to import `json` takes a launcher as long as to put up most of the walls.
        """
        relay = vars(self.relay) if self.relay else None
        return marshal.dumps({**vars(self), "relay": relay})

    @classmethod
    def from_descriptor(cls, fd: int) -> LaunchPlan:
        """Read the file that was inherited as `fd`, and close it. Raises `OSError`."""
        try:
            size, parts = os.fstat(fd).st_size, bytearray()
            while len(parts) < size and (part := os.pread(fd, size - len(parts), len(parts))):
                parts += part
            return cls.from_bytes(bytes(parts))
        finally:
            os.close(fd)

    @classmethod
    def from_bytes(cls, content: bytes) -> LaunchPlan:
        """Read what `to_bytes` wrote; an unknown field is an error."""
        data: dict[str, Any] = marshal.loads(content)  # noqa: S302 - the server wrote it
        relay = data.pop("relay")
        return cls(relay=Relay(**relay) if relay else None, **data)
