"""Whose process is at the other end: a capability is good in its own kernel's processes only (R59).

Nothing here knows tools or people. What the system says of processes and sockets is believed, and
what the server says that it looked at where the broker may not; what a client says is not asked.
"""

from __future__ import annotations

from .binding import Ask, Binding
from .connection import PEER, Connection

__all__ = ["PEER", "Ask", "Binding", "Connection"]
