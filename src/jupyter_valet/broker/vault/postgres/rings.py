"""The key source `service`: each vault's ring lies beside it, sealed under the service's own key.

The service's key is a ring as well: a private file that every broker of the service is given. Who
has the database alone has nothing; who has a broker's file as well has every vault, so that file
belongs where no other program reads it (docs/scaling.md).
"""

# ruff: noqa: S608  (each word of these texts is ours; values are bound)
from __future__ import annotations

from pathlib import Path

from ..errors import KeyUnavailable, VaultDamaged, VaultUnwritable
from ..files import create_private, read_private
from ..ring import KeyRing
from ..sealing import TAG_BYTES, Facts, Unsealable
from .database import Database

_SERVICE = "valet.service"
_KIND = "valet.ring"

_LOAD = "SELECT master_version, sealed FROM ring WHERE vault = %s"
_FIRST = "INSERT INTO ring VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING vault"
_NEXT = (
    "UPDATE ring SET master_version = %s, sealed = %s WHERE vault = %s"
    f" AND substr(sealed, length(sealed) - {TAG_BYTES - 1}) = %s RETURNING vault"
)
_FORGET = "DELETE FROM ring WHERE vault = %s"
_OLDER = "SELECT vault FROM ring WHERE master_version <> %s"


def make_master_key(path: Path) -> None:
    """Make the service's key. Raises `FileExistsError` when there is a file already."""
    create_private(path, KeyRing.new(_SERVICE).to_bytes())


def read_master_key(path: Path) -> KeyRing:
    """Return the service's key. Raises `KeyUnavailable` or `VaultDamaged`."""
    data = read_private(path)
    if data is None:
        raise KeyUnavailable("the file with the service's key is missing")
    try:
        ring = KeyRing.from_bytes(data)
    except ValueError:
        raise VaultDamaged("the file with the service's key is damaged") from None
    if ring.vault_id != _SERVICE:
        raise VaultDamaged("the service's key is a vault's")
    return ring


class SealedRings:
    """Rings in the database. One is replaced only by whoever read the newest before."""

    name = "service"
    words = "a key of the service that keeps the vaults; it protects the database and its backups"
    apart = False
    travels = True

    def __init__(self, database: Database, master: KeyRing) -> None:
        self._database = database
        self._master = master
        self._seen: dict[str, bytes] = {}

    def check(self) -> None:
        """Nothing to check: the service's key is here."""

    def load(self, vault_id: str) -> KeyRing | None:
        """Return the ring of a vault, or None when there is none."""
        rows = self._database.ask(_LOAD, (vault_id,))
        if not rows:
            return None
        version, sealed = rows[0]
        if version not in self._master.keys:
            raise KeyUnavailable(f"version {version} of the service's key is not here")
        try:
            opened = self._master.kek(version).open_bytes(_facts(vault_id, version), sealed)
            ring = KeyRing.from_bytes(opened)
        except (Unsealable, ValueError):
            raise VaultDamaged("its sealed key was changed, or is another service's") from None
        self._seen[vault_id] = sealed[-TAG_BYTES:]
        return ring

    def store(self, ring: KeyRing) -> None:
        """Replace the ring that was loaded, or store the first one.

        Raises `VaultUnwritable` when somebody else has replaced it, `VaultUnsure` as any write.
        """
        version, vault_id = self._master.newest, ring.vault_id
        facts = _facts(vault_id, version)
        sealed = self._master.kek(version).seal_bytes(facts, ring.to_bytes())
        seen = self._seen.get(vault_id)
        if seen is None:
            done = self._database.change((_FIRST, (vault_id, version, sealed)))
        else:
            done = self._database.change((_NEXT, (version, sealed, vault_id, seen)))
        if not done:
            raise VaultUnwritable("another broker turned its key meanwhile")
        self._seen[vault_id] = sealed[-TAG_BYTES:]

    def forget(self, vault_id: str) -> None:
        """Delete the ring: nobody can open the vault any more, whoever has a copy of it."""
        self._database.change((_FORGET, (vault_id,)))
        self._seen.pop(vault_id, None)

    def reseal(self) -> int:
        """Seal every ring under the newest version of the service's key; return how many were not.

        Then the older versions may go from the file. It may be cut short and run again.
        """
        older = [vault_id for (vault_id,) in self._database.ask(_OLDER, (self._master.newest,))]
        for vault_id in older:
            ring = self.load(vault_id)
            if ring is not None:
                self.store(ring)
        return len(older)


def _facts(vault_id: str, version: int) -> Facts:
    return Facts(vault_id, _KIND, "", version, 0, 0.0, "")
