"""A PostgreSQL that is killed in the middle of commits, or put back to where it was."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from postgres_server import PostgresServer, running_server

from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import VaultDamaged, VaultUnreachable
from jupyter_valet.broker.vault.postgres import Database, open_shared_vault
from jupyter_valet.broker.vault.postgres.address import VARIABLE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")

PROGRAMS = Path(__file__).with_name("vault_programs.py")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of one test's own, to be killed."""
    with running_server() as server:
        yield server


def wait_for(said: list[str], *words: str) -> None:
    """Wait until one of these words is said again."""
    before, until = len(said), time.monotonic() + 60
    while not any(line.startswith(words) for line in said[before:]):
        assert time.monotonic() < until, said[-5:]
        time.sleep(0.01)


def test_a_server_that_is_killed_loses_nothing_that_was_promised(
    server: PostgresServer, tmp_path: Path
) -> None:
    """Each write is known to have happened, or known not to; unsure is the only other word."""
    folder = tmp_path / "state"
    environ = {**os.environ, VARIABLE: reveal(server.url())}
    command = [sys.executable, str(PROGRAMS), "persist", str(folder)]
    chance = random.Random(17)
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as writer:
        assert writer.stdout is not None
        listening = threading.Thread(target=said.extend, args=(writer.stdout,))
        listening.start()
        for until in ((), (), ("vault_unreachable", "vault_unsure")):
            wait_for(said, "kept")
            time.sleep(chance.uniform(0.05, 0.15))
            server.kill()
            if until:  # a server that is back at once may cost nobody a write
                wait_for(said, *until)
            server.start()
        wait_for(said, "kept")
        writer.kill()
        listening.join(60)
    told: dict[str, set[str]] = {"kept": set(), "vault_unreachable": set(), "vault_unsure": set()}
    for line in said:
        if not line.endswith("\n"):
            continue  # killed in the middle of it
        word, number = line.split()
        told[word].add(number)
    with (
        closing(Database(server.url())) as database,
        closing(open_shared_vault(database, folder.name, folder)) as vault,
    ):
        there = {record.id for record in vault.list("connection")}
    assert len(told["kept"]) > 20
    assert told["vault_unreachable"] | told["vault_unsure"]
    assert told["kept"] <= there
    assert not told["vault_unreachable"] & there


def when_it_answers(ask: Callable[[], object]) -> None:
    """Ask until the database is reached again."""
    until = time.monotonic() + 60
    while True:
        try:
            ask()
        except VaultUnreachable:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


def test_a_database_that_was_put_back_is_refused(server: PostgresServer, tmp_path: Path) -> None:
    """R167: a snapshot of the whole server, by who had used it and by who uses it."""
    folder = tmp_path / "state"
    with closing(Database(server.url())) as database:
        using = open_shared_vault(database, "ann", folder)
        using.put("connection", "1", {}, Secret("revoked later"))
        server.stop()
        data, copy = server.folder / "data", server.folder / "copy"
        subprocess.run(["cp", "-a", str(data), str(copy)], check=True)
        with pytest.raises(VaultUnreachable):
            using.get("connection", "1")
        server.start()
        when_it_answers(lambda: using.delete("connection", "1"))
        server.stop()
        shutil.rmtree(data)
        copy.rename(data)
        server.start()
        with pytest.raises(VaultDamaged, match="rolled back"):
            when_it_answers(lambda: using.get("connection", "1"))
        with pytest.raises(VaultDamaged, match="rolled back"):
            using.put("connection", "2", {}, Secret("t"))
        with pytest.raises(VaultDamaged, match="rolled back"):
            open_shared_vault(database, "ann", folder)
