"""A passphrase: Argon2id turns it into the key that wraps the ring.

The parameters are stored beside the wrapped ring and authenticated with it, and cheaper ones than
ours are refused before anything is computed, so nobody can make guessing cheap (security notes,
section 5). The tag of the seal alone tells whether the passphrase was right.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...secret import Secret
from ..errors import PassphraseRefused, VaultDamaged, VaultLocked
from ..files import identity, read_private, replace_private
from ..ring import KeyRing
from ..sealing import Cost, Facts, Kek, Unsealable, canonical, is_short, stretch

FILE_NAME = "key-ring-sealed"

_FORMAT = "jupyter-valet/sealed-key-ring/1"
_SALT_BYTES = 16
_LEAST_BYTES = 8
"""NIST SP 800-63B-4, 3.1.1.2: the least where a second thing, here the file, is needed too."""
_CEILING = Cost(passes=32, memory=4 * 1024 * 1024, lanes=64)


@dataclass(frozen=True, slots=True)
class _Slot:
    """The sealed ring as it lies in the file."""

    vault_id: str
    salt: bytes
    cost: Cost
    sealed: bytes = b""

    def facts(self) -> Facts:
        meta = {"salt": self.salt.hex(), "cost": _numbers(self.cost)}
        return Facts(self.vault_id, "valet.key_ring", "", 0, 0, 0.0, canonical(meta))

    def to_bytes(self) -> bytes:
        sealed = base64.b64encode(self.sealed).decode()
        slot = {"format": _FORMAT, "vault": self.vault_id, "salt": self.salt.hex()}
        return canonical({**slot, "cost": _numbers(self.cost), "sealed": sealed}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> _Slot:
        try:
            slot = json.loads(data)
            if slot["format"] != _FORMAT:
                raise ValueError("another format")
            passes, memory, lanes = (int(number) for number in slot["cost"])
            sealed = base64.b64decode(slot["sealed"], validate=True)
            return cls(
                str(slot["vault"]), bytes.fromhex(slot["salt"]), Cost(passes, memory, lanes), sealed
            )
        except (ValueError, KeyError, TypeError):
            raise VaultDamaged("its sealed key is damaged") from None


class PassphraseSource:
    """The ring, sealed by what a person types; the passphrase itself is not kept."""

    name = "passphrase"
    words = "a passphrase; without it the files are worthless even to programs that run as you"
    apart = False
    travels = False

    def __init__(
        self, folder: Path, prompt: Callable[[], Secret] | None = None, cost: Cost | None = None
    ) -> None:
        self._path = folder / FILE_NAME
        self._prompt = prompt
        self._cost = cost or Cost()
        self._floor = self._cost
        self._offered: Secret | None = None
        self._kek: tuple[bytes, Cost, Kek] | None = None

    @property
    def exists(self) -> bool:
        """Whether a passphrase has been chosen."""
        return identity(self._path) is not None

    def offer(self, passphrase: Secret) -> None:
        """Take what the person typed; the next `load` or `store` uses it up."""
        self._offered = passphrase

    def check(self) -> None:
        """Nothing to check: a person can always be asked."""

    def load(self, vault_id: str) -> KeyRing | None:
        """Open the ring. Takes the time of one guess (`Cost`) the first time.

        Raises `VaultLocked` when nobody typed a passphrase, `PassphraseRefused` when it is wrong,
        `VaultDamaged` when the parameters were made cheap or the file is damaged.
        """
        data = read_private(self._path)
        if data is None:
            return None
        slot = _Slot.from_bytes(data)
        if slot.vault_id != vault_id:
            raise VaultDamaged("the sealed key is another vault's")
        self._check_cost(slot)
        kek = self._kek_for(slot)
        try:
            ring = KeyRing.from_bytes(kek.open_bytes(slot.facts(), slot.sealed))
        except Unsealable:
            raise PassphraseRefused("it does not open this vault") from None
        except ValueError:
            raise VaultDamaged("its sealed key is damaged") from None
        self._kek = (slot.salt, slot.cost, kek)
        return ring

    def store(self, ring: KeyRing) -> None:
        """Seal and replace the ring; the first time under a passphrase that was just chosen."""
        if self._kek is None:
            self._kek = self._choose()
        salt, cost, kek = self._kek
        slot = _Slot(ring.vault_id, salt, cost)
        sealed = kek.seal_bytes(slot.facts(), ring.to_bytes())
        replace_private(self._path, _Slot(ring.vault_id, salt, cost, sealed).to_bytes())

    def forget(self, vault_id: str) -> None:
        """Delete the sealed ring."""
        if self.exists:
            self._path.unlink()

    def _kek_for(self, slot: _Slot) -> Kek:
        if self._kek is not None and self._kek[:2] == (slot.salt, slot.cost):
            return self._kek[2]
        return Kek(stretch(self._take(), slot.salt, slot.cost))

    def _choose(self) -> tuple[bytes, Cost, Kek]:
        passphrase = self._take()
        if is_short(passphrase, _LEAST_BYTES):
            raise PassphraseRefused(f"it needs at least {_LEAST_BYTES} characters")
        salt = os.urandom(_SALT_BYTES)
        return salt, self._cost, Kek(stretch(passphrase, salt, self._cost))

    def _take(self) -> Secret:
        if self._offered is None and self._prompt is not None:
            self._offered = self._prompt()
        if self._offered is None:
            raise VaultLocked
        passphrase, self._offered = self._offered, None
        return passphrase

    def _check_cost(self, slot: _Slot) -> None:
        if not slot.cost.at_least(self._floor) or len(slot.salt) < _SALT_BYTES:
            raise VaultDamaged("its passphrase parameters were weakened")
        if not _CEILING.at_least(slot.cost) or slot.cost.lanes > _CEILING.lanes:
            raise VaultDamaged("its passphrase parameters are absurd")


def _numbers(cost: Cost) -> list[int]:
    return [cost.passes, cost.memory, cost.lanes]
