"""What a launcher is told: the whole decision, made by the server, in a file without a name.

Not on the command line: that is public, a plan names files of the person's, and one argument has at
most 128 KiB (execve(2)), while a folder may have many thousands of entries.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any

from .namespace import Mount


@dataclass(frozen=True)
class Relay:
    """A port inside a private network that leads to a UNIX socket outside it."""

    port: int
    socket: str


@dataclass(frozen=True)
class LaunchPlan:
    """How to confine a process before it becomes a kernel. Empty fields mean "not this"."""

    mounts: list[Mount] = field(default_factory=list)
    """What makes a view of the file system of the kernel's own. None at all means no such view."""
    paths: list[tuple[str, int]] = field(default_factory=list)
    """Landlock rules: path and rights. None at all means no Landlock on files."""
    files: int = 0
    """The file rights that Landlock handles."""
    scopes: int = 0
    loopback: str = ""
    """The kernel's own loopback address; all of its /24 is the kernel's."""
    own_ports: list[int] = field(default_factory=list)
    """TCP ports for its messages with the server."""
    local_ports: list[int] = field(default_factory=list)
    """TCP ports for what runs in it, at its own loopback addresses."""
    opened_ports: list[int] = field(default_factory=list)
    """TCP ports to listen on by the person's decision. No others can be bound."""
    denied_ports: list[int] = field(default_factory=list)
    """TCP ports that no connection may go to, at any address."""
    ports_fd: int = -1
    """An inherited ruleset that says the same, so that it need not be made again."""
    program: str = ""
    """The seccomp filter, base64."""
    socket_roots: list[str] = field(default_factory=list)
    supervised: dict[str, int] = field(default_factory=dict)
    """Call numbers of those that the filter asks about."""
    ignore_interrupts: bool = False
    relay: Relay | None = None
    variables: dict[str, str] = field(default_factory=dict)
    """Set in the kernel's environment at the last moment."""

    def to_bytes(self) -> bytes:
        """Return the plan as JSON."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

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
    def from_bytes(cls, text: bytes) -> LaunchPlan:
        """Read what `to_bytes` wrote; an unknown field is an error."""
        data: dict[str, Any] = json.loads(text)
        relay = data.pop("relay")
        return cls(relay=Relay(**relay) if relay else None, **data)

    @property
    def filter(self) -> bytes:
        """The seccomp program's bytes."""
        return base64.b64decode(self.program)
