"""Whose process is at the other end: a capability is good in its own kernel's processes only (R59).

Nothing here knows tools or people. What the system says of processes and sockets is believed; what
a client says is not asked.
"""

from __future__ import annotations

from .binding import Binding
from .connection import PEER, Connection

__all__ = ["PEER", "Binding", "Connection"]
