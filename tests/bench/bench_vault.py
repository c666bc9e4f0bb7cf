"""What a vault costs on either database, beside the least that a durable write costs there.

On SQLite that is a page written in place and waited for; on PostgreSQL a commit of one row in a
session of its own. Both sides of a ratio take turns, on the disk of the temporary folder.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from figures import median, ratio

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
from postgres_server import PostgresServer, running_server

from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Vault, open_vault
from jupyter_valet.broker.vault.postgres import Database, open_shared_vault

ROUNDS = 300
RECORDS = 100
PEOPLE = 50
WRITERS = 8
TOKENS = Secret("x" * 515)
"""As large as an access and a refresh token with what belongs to them."""

Times = dict[str, list[float]]


def measure() -> list[dict[str, Any]]:
    """Write, read and open on both."""
    with tempfile.TemporaryDirectory() as folder:
        figures = [*_in_a_file(Path(folder))]
        with (
            running_server(on_disk=True) as server,
            contextlib.closing(Database(server.url())) as database,
        ):
            figures += [*_in_postgres(Path(folder), server, database)]
            figures += [*_many(Path(folder), server, database)]
    return figures


def _in_a_file(folder: Path) -> Iterator[dict[str, Any]]:
    page = os.open(folder / "page", os.O_RDWR | os.O_CREAT, 0o600)

    def limit() -> None:
        os.pwrite(page, b"x" * 4096, 0)
        os.fdatasync(page)

    with contextlib.closing(open_vault(folder / "own", "file")) as vault:
        times = _turns(vault, limit)
    os.close(page)
    opening = _opening(lambda: open_vault(folder / "own", "file"))
    yield ratio("vault in SQLite: a write ÷ one page and its flush", *_sides(times), "<= 4")
    yield median("  a record read", times["read"], "<= 40", "µs")
    yield median(f"  opened, with {RECORDS} records", opening, "<= 20")


def _in_postgres(
    folder: Path, server: PostgresServer, database: Database
) -> Iterator[dict[str, Any]]:
    def open_it() -> Vault:
        return open_shared_vault(database, "ann", folder / "ann")

    with contextlib.closing(open_it()) as vault, server.connect() as connection:
        connection.execute("CREATE TABLE public.one (n int)")
        connection.execute("INSERT INTO public.one VALUES (0)")
        times = _turns(vault, lambda: connection.execute("UPDATE public.one SET n = n + 1"))
    opening = _opening(open_it)
    # One exchange against four: the lock with the state, two lists to compare, the commit.
    yield ratio("vault in PostgreSQL: a write ÷ a commit of one row", *_sides(times), "<= 6")
    yield median("  a record read: one question to the database", times["read"], "<= 400", "µs")
    yield median(f"  opened, with {RECORDS} records", opening, "<= 30")


def _many(folder: Path, server: PostgresServer, database: Database) -> Iterator[dict[str, Any]]:
    """Open the vaults of many people in one process, and let several write at once."""
    before = _resident()
    vaults = []
    for number in range(PEOPLE):
        vault = open_shared_vault(database, f"p{number}", folder / f"p{number}")
        for record in range(10):
            vault.put("connection", f"{record}", {"provider": "github"}, TOKENS)
        vaults.append(vault)
    grown = (_resident() - before) / PEOPLE / 1024
    alone = _writes_a_second(vaults[:1])
    together = _writes_a_second(vaults[:WRITERS])
    for vault in vaults:
        vault.close()
    yield _plain(f"  memory of one of {PEOPLE} open vaults, 10 connections each", grown, "KiB")
    yield _plain("  writes a second, one person", alone, "1/s")
    yield _plain(f"  writes a second, {WRITERS} people at once", together, "1/s")


def _writes_a_second(vaults: list[Vault]) -> float:
    def write(vault: Vault) -> None:
        for number in range(ROUNDS // 2):
            vault.put("connection", f"{number % 10}", {}, TOKENS)

    threads = [threading.Thread(target=write, args=(vault,)) for vault in vaults]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(vaults) * (ROUNDS // 2) / (time.perf_counter() - begin)


def _turns(vault: Vault, limit: Callable[[], object]) -> Times:
    for number in range(RECORDS):
        vault.put("connection", f"{number}", {"provider": "github"}, TOKENS)
    times: Times = {"limit": [], "write": [], "read": []}
    for number in range(ROUNDS):
        name = f"{number % RECORDS}"
        times["limit"].append(_seconds(limit))
        times["write"].append(_seconds(partial(vault.put, "connection", name, {}, TOKENS)))
        times["read"].append(_seconds(partial(vault.get, "connection", name)) * 1e6)
    return times


def _sides(times: Times) -> tuple[list[float], list[float]]:
    return times["write"], times["limit"]


def _opening(open_it: Callable[[], Vault]) -> list[float]:
    times = []
    for _ in range(15):
        begin = time.perf_counter()
        vault = open_it()
        times.append(time.perf_counter() - begin)
        vault.close()
    return times


def _resident() -> int:
    return psutil.Process().memory_info().rss


def _plain(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 1), "unit": unit, "goal": ""}


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
