"""Programs that tests of the vault run as processes of their own, to be killed or to race.

Run as `python vault_programs.py NAME STATE_DIR [ARGUMENT ...]`; each prints a line for everything
that the vault has promised to keep. The vault is in the database that the environment names, as a
broker is told of it, or else in the folder.
"""

from __future__ import annotations

import itertools
import os
import resource
import signal
import sys
import time
from pathlib import Path

import anyio

from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Conflict, Vault, open_vault
from jupyter_valet.wire.errors import ValetError


def say(*words: object) -> None:
    print(*words, flush=True)


def opened(state_dir: Path) -> Vault:
    """Open the vault where the environment says."""
    if "JUPYTER_VALET_DATABASE_URL" not in os.environ:
        return open_vault(state_dir, "file")
    from jupyter_valet.broker.vault.postgres import Database, database_url, open_shared_vault

    url = database_url(os.environ)
    assert url is not None
    return open_shared_vault(Database(url), state_dir.name, state_dir)


def write(vault: Vault, name: str) -> None:
    """Write records for ever, and say so after each."""
    for number in itertools.count():
        vault.put("connection", name, {"number": number}, Secret(f"{name} {number}"))
        say(number)


def persist(vault: Vault) -> None:
    """Write one record after another whatever happens, and say what was told of each."""
    for number in itertools.count():
        try:
            vault.put("connection", f"{number}", {}, Secret(f"token {number}"))
            say("kept", number)
        except ValetError as error:
            say(error.code, number)


def rotate(vault: Vault) -> None:
    """Rotate for ever."""
    while True:
        say(vault.rotate())


def count(vault: Vault, times: str) -> None:
    """Add one to the same record, many times, by compare and swap."""
    done = 0
    while done < int(times):
        found = vault.get("counter", "shared")
        number = found.meta["number"] if found else 0
        try:
            revision = found.revision if found else 0
            vault.put("counter", "shared", {"number": number + 1}, Secret("x"), expect=revision)
            done += 1
        except Conflict:
            continue
    say(done)


def count_locked(vault: Vault, times: str) -> None:
    """Add one to the same record, many times, under the vault's lock."""

    async def run() -> None:
        for _ in range(int(times)):
            async with vault.lock("counter"):
                found = vault.get("counter", "shared")
                number = found.meta["number"] if found else 0
                vault.put("counter", "shared", {"number": number + 1}, Secret("x"))

    anyio.run(run)
    say(times)


def redeem(vault: Vault, times: str) -> None:
    """Redeem the same tokens as everybody else, and say which were ours."""
    for number in range(int(times)):
        if vault.redeem(f"token {number}", time.time() + 600):
            say(number)


def hold(vault: Vault) -> None:
    """Hold a lock until killed."""

    async def run() -> None:
        async with vault.lock("held"):
            say("held")
            await anyio.sleep_forever()

    anyio.run(run)


def fill(vault: Vault, limit: str) -> None:
    """Write until the disk is full, say how that was told, then check what is still there."""
    if int(limit):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    kept = 0
    try:
        for kept in itertools.count():
            vault.put("blob", f"{kept}", {}, Secret(b"x" * 20_000))
    except ValetError as error:
        say(error.code, kept, len(vault.list("blob")))


PROGRAMS = {
    program.__name__: program
    for program in (write, persist, rotate, count, count_locked, redeem, hold, fill)
}

if __name__ == "__main__":
    name, state_dir, *arguments = sys.argv[1:]
    if name == "make":
        opened(Path(state_dir)).close()
        say("made")
    else:
        PROGRAMS[name](opened(Path(state_dir)), *arguments)
