"""Many vaults in one PostgreSQL database, for a broker that several people share.

What a vault is and how it is checked is above; here lies how its rows are read and written, and
what holds between processes. It needs the extra `postgres`; docs/scaling.md says what it is for.
"""

from __future__ import annotations

from .address import database_url
from .database import Database
from .opening import accept_older, open_shared_vault
from .rings import SealedRings, make_master_key, read_master_key

__all__ = [
    "Database",
    "SealedRings",
    "accept_older",
    "database_url",
    "make_master_key",
    "open_shared_vault",
    "read_master_key",
]
