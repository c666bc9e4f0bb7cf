"""The connections of a person: find, make, keep fresh, end.

An access token leaves here as a `Secret`, and only after what replaced it is durable in the vault;
what may be done with a connection is decided elsewhere (`broker.policy`).
"""

from __future__ import annotations

from .collection import Connections, Ended
from .connection import Connection, NeedsLogin
from .probes import Probes

__all__ = ["Connection", "Connections", "Ended", "NeedsLogin", "Probes"]
