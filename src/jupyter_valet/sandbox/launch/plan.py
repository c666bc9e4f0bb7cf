"""What a launcher is told: the whole decision, made by the server, as one JSON argument.

A plan holds no secret: the command line of a process is public.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Relay:
    """A port inside a private network that leads to a UNIX socket outside it."""

    port: int
    socket: str


@dataclass(frozen=True)
class LaunchPlan:
    """How to confine a process before it becomes a kernel. Empty fields mean "not this"."""

    paths: list[tuple[str, int]] = field(default_factory=list)
    """Landlock rules: path and rights. None at all means no Landlock on files."""
    files: int = 0
    """The file rights that Landlock handles."""
    scopes: int = 0
    loopback: str = ""
    """The kernel's own loopback address."""
    own_ports: list[int] = field(default_factory=list)
    """TCP ports for its messages with the server."""
    local_ports: list[int] = field(default_factory=list)
    """TCP ports for what runs in it, at its own loopback address."""
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
    """Call numbers of `bind`, `connect` and `listen`, when the filter asks about them."""
    ignore_interrupts: bool = False
    relay: Relay | None = None
    variables: dict[str, str] = field(default_factory=dict)
    """Set in the kernel's environment at the last moment."""

    def to_argument(self) -> str:
        """Return the plan as a command-line argument."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_argument(cls, text: str) -> LaunchPlan:
        """Read what `to_argument` wrote; an unknown field is an error."""
        data: dict[str, Any] = json.loads(text)
        relay = data.pop("relay")
        return cls(relay=Relay(**relay) if relay else None, **data)

    @property
    def filter(self) -> bytes:
        """The seccomp program's bytes."""
        return base64.b64decode(self.program)
