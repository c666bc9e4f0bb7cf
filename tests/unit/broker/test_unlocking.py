"""Unlocking the vault, which is open to whoever can load a page."""

from __future__ import annotations

import io
import time
from typing import cast

import anyio
import pytest

from jupyter_valet.broker.control import Control
from jupyter_valet.broker.hardening import Hardening
from jupyter_valet.broker.process import Broker
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Vault
from jupyter_valet.wire.errors import ValetError


class Guessed:
    """A locked vault that counts how many guesses are being checked at once."""

    locked = True
    now = most = 0

    def unlock(self, passphrase: Secret) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.05)
        self.now -= 1
        raise ValetError("passphrase_refused", what="it is another one")


@pytest.mark.anyio
async def test_passphrases_are_checked_one_at_a_time() -> None:
    """R39's neighbour: Argon2 takes 64 MiB a guess, so many guesses at once would take them all."""
    hardened = Hardening(undumpable=True, coreless=True, untraced=True, out_of_reach=True)
    broker = Broker(Control(io.BytesIO(), io.BytesIO()), hardened)
    vault = Guessed()
    broker._vault = cast("Vault", vault)

    async def guess() -> None:
        with pytest.raises(ValetError, match="refused"):
            await broker._on_unlock({"form": "passphrase=x"})

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(guess)
    assert vault.most == 1
