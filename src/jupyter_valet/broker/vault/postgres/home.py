"""Where one person's vault lies in the database, or will."""

from __future__ import annotations

from ..errors import VaultDamaged
from ..folder import Place
from ..locks import FileLocks
from ..sealing import FORMAT
from ..store import Header, StateRow
from .database import Database
from .locks import AdvisoryLocks
from .store import PostgresStore

_FIND = "SELECT id, key_source, format FROM vault WHERE owner = %s AND finished = %s"
_ABANDON = "DELETE FROM vault WHERE owner = %s AND NOT finished"
_BEGIN = "INSERT INTO vault VALUES (%s, %s, %s, %s, false)"
_FIRST_STATE = "INSERT INTO state VALUES (%s, %s, %s, %s)"
_FINISH = "UPDATE vault SET finished = true WHERE owner = %s"


class PostgresHome:
    """The rows of one owner; the keys and the witness are in a folder of this machine."""

    what = "its row in the database"

    def __init__(self, database: Database, owner: str, place: Place) -> None:
        self.owner = owner
        self.locks = AdvisoryLocks(database.locks, owner, FileLocks(place.locks))
        self._database = database

    def exists(self) -> bool:
        """Whether the owner has a vault."""
        return self.header() is not None

    def header(self) -> Header | None:
        """Return the owner's vault, or None when there is none."""
        return self._find(finished=True)

    def unfinished(self) -> Header | None:
        """Return the vault that was begun and is not finished."""
        return self._find(finished=False)

    def begin(self, header: Header, state: StateRow) -> None:
        """Write a new vault in the place of one that is unfinished."""
        row = (header.vault_id, self.owner, FORMAT, header.key_source)
        first = (header.vault_id, state.key_version, state.generation, state.sealed)
        self._database.change((_ABANDON, (self.owner,)), (_BEGIN, row), (_FIRST_STATE, first))

    def abandon(self) -> None:
        """Remove the unfinished vault."""
        self._database.change((_ABANDON, (self.owner,)))

    def finish(self) -> None:
        """Let it be found, durably."""
        self._database.change((_FINISH, (self.owner,)))

    def open(self) -> PostgresStore:
        """Open the owner's vault."""
        header = self.header()
        if header is None:
            raise VaultDamaged("it is no longer in the database")
        return PostgresStore(self._database, header)

    def _find(self, *, finished: bool) -> Header | None:
        rows = self._database.ask(_FIND, (self.owner, finished))
        if not rows:
            return None
        vault_id, key_source, format = rows[0]
        if format != FORMAT:
            raise VaultDamaged("it was written by another version of jupyter-valet")
        return Header(vault_id, key_source, self.owner)
