"""What only a database of many vaults has: tenants, connections that die, and no file."""

from __future__ import annotations

import contextlib
import logging
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from cut_wire import AFTER, BEFORE, CutWire, cut_wire
from psycopg import Error, errors
from psycopg_pool import PoolTimeout
from vault_worlds import PostgresWorld, in_postgres

from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import (
    Conflict,
    Vault,
    VaultDamaged,
    VaultUnreachable,
    VaultUnsure,
    VaultUnwritable,
)
from jupyter_valet.broker.vault.locks import Busy
from jupyter_valet.broker.vault.postgres import (
    Database,
    accept_older,
    database,
    database_url,
    open_shared_vault,
    store,
)
from jupyter_valet.broker.vault.postgres.address import FILE_VARIABLE, VARIABLE, parameters
from jupyter_valet.broker.vault.postgres.commits import Mark, happened
from jupyter_valet.broker.vault.postgres.faults import in_words
from jupyter_valet.broker.vault.rows import statements
from jupyter_valet.wire.errors import ValetError

pytestmark = in_postgres

# Several people in one database ----------------------------------------------------------------


@pytest.fixture
def ann(world: PostgresWorld) -> Vault:
    return world.open()


@pytest.fixture
def bob(world: PostgresWorld, tmp_path: Path) -> Vault:
    return world.open(folder=tmp_path / "bob")


def test_many_people_share_few_connections(world: PostgresWorld, tmp_path: Path) -> None:
    with contextlib.closing(Database(world.server.url(), most=2)) as few:
        vaults = [open_shared_vault(few, f"p{n}", tmp_path / f"p{n}") for n in range(8)]

        def write(vault: Vault) -> None:
            for number in range(10):
                vault.put("connection", f"{number}", {}, Secret("t"))

        threads = [threading.Thread(target=write, args=(vault,)) for vault in vaults]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(vault.list("connection")) for vault in vaults] == [10] * 8
        for vault in vaults:
            vault.close()


def test_who_waited_in_vain_says_so_for_the_next(
    world: PostgresWorld, wire: CutWire, wired: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event loop that asks for many people must not wait for each of them."""
    monkeypatch.setattr(wired._opened().store._database._pool, "timeout", 0.5)
    wire.end_all()
    begin = time.monotonic()
    for _ in range(60):
        with pytest.raises(VaultUnreachable):
            wired.get("connection", "1")
    assert time.monotonic() - begin < 60 * 0.5 / 2


def test_two_people_do_not_see_each_other(ann: Vault, bob: Vault) -> None:
    ann.put("connection", "1", {}, Secret("ann's"))
    bob.put("connection", "1", {}, Secret("bob's"), expect=0)
    assert reveal(ann.get("connection", "1").payload) == "ann's"
    assert ann.redeem("token", 4e9)
    assert bob.redeem("token", 4e9)
    bob.delete("connection", "1")
    bob.rotate()
    assert [reveal(record.payload) for record in ann.list("connection")] == ["ann's"]
    assert ann.key("audit") != bob.key("audit")


def test_what_one_person_writes_is_no_news_for_another(ann: Vault, bob: Vault) -> None:
    before = bob.data_version()
    ann.put("connection", "1", {}, Secret("t"))
    assert bob.data_version() == before


@pytest.mark.parametrize("text", astuple(statements("%s", "vault")))
def test_every_statement_names_its_vault(world: PostgresWorld, text: str) -> None:
    assert "WHERE vault = %s" in text or ("INSERT INTO" in text and "(vault, " in text)


def test_a_vault_that_is_given_to_another_person_is_refused(
    world: PostgresWorld, ann: Vault, bob: Vault, tmp_path: Path
) -> None:
    """Whoever can write rows must not sign a person in to somebody else's accounts."""
    ann.put("connection", "1", {}, Secret("ann's"))
    for vault in (ann, bob):
        vault.close()
    world.sql("UPDATE vault SET owner = 'mallory' WHERE owner = 'state'")
    with pytest.raises(VaultDamaged, match="another vault's"):
        world.open(owner="mallory")


def test_a_record_of_another_person_is_refused(
    world: PostgresWorld, ann: Vault, bob: Vault
) -> None:
    """R165."""
    ann.put("connection", "1", {}, Secret("ann's"))
    world.sql("UPDATE record SET vault = (SELECT id FROM vault WHERE owner = 'bob')")
    with pytest.raises(VaultDamaged):
        bob.put("connection", "2", {}, Secret("t"))


@pytest.mark.parametrize("owner", ["", "a\nb", "x" * 513, "a\0"])
def test_an_owner_has_a_plain_name(world: PostgresWorld, owner: str) -> None:
    with pytest.raises(ValetError, match="owner"):
        open_shared_vault(world.database(), owner, world.folder)


def test_no_secret_is_in_any_row(world: PostgresWorld, filled: Path) -> None:
    rows = [row for table in world.snapshot().values() for row in table]
    assert len(rows) >= 5
    assert not any(b"token-" in bytes(v) for row in rows for v in row if isinstance(v, bytes))
    assert not any("token-" in str(value) for row in rows for value in row)


def test_a_personal_vault_moves_into_the_database(world: PostgresWorld, tmp_path: Path) -> None:
    from jupyter_valet.broker.vault import open_vault

    own = open_vault(tmp_path / "own", "file")
    own.put("connection", "1", {"scopes": ["a"]}, Secret("token"))
    own.key("audit")
    own.redeem("used", 4e9)
    shared = world.open()
    assert shared.adopt(own) == 2
    assert shared.get("connection", "1").meta == {"scopes": ["a"]}
    assert reveal(shared.get("connection", "1").payload) == "token"
    assert shared.key("audit") == own.key("audit")
    assert shared.redeem("used", 4e9) is False
    with pytest.raises(Conflict):
        shared.adopt(own)
    own.close()
    shared.close()
    assert len(world.open().list("connection")) == 1


# A vault that is gone, or older ------------------------------------------------------------------


def test_a_vault_that_was_deleted_is_no_new_beginning(world: PostgresWorld, filled: Path) -> None:
    """R169."""
    world.sql("DELETE FROM vault")
    with pytest.raises(VaultDamaged, match="row in the database is missing"):
        world.open()
    assert world.sql("SELECT * FROM vault") == []


def test_a_vault_that_is_deleted_while_in_use_is_noticed(world: PostgresWorld, ann: Vault) -> None:
    ann.put("connection", "1", {}, Secret("t"))
    world.sql("DELETE FROM vault")
    with pytest.raises(VaultDamaged, match="no longer in the database"):
        ann.get("connection", "1")
    with pytest.raises(VaultDamaged, match="no longer in the database"):
        ann.put("connection", "1", {}, Secret("t"))


def test_a_backup_of_the_database_opens_after_a_person_accepted_it(
    world: PostgresWorld, filled: Path
) -> None:
    backup = world.snapshot()
    vault = world.open()
    vault.delete("connection", "one")
    vault.close()
    world.restore(backup)
    with pytest.raises(VaultDamaged, match="rolled back"):
        world.open()
    accept_older(world.database(), world.owner, world.folder)
    assert reveal(world.open().get("connection", "one").payload) == "token-one"


def test_a_vault_that_was_begun_and_has_no_key_is_begun_again(world: PostgresWorld) -> None:
    world.open().close()
    world.sql("UPDATE vault SET finished = false")
    for path in (world.folder / "keys").iterdir():
        path.unlink()
    world.open().put("connection", "1", {}, Secret("t"))
    assert len(world.sql("SELECT * FROM vault")) == 1


# Connections that die ----------------------------------------------------------------------------


def end_connections(world: PostgresWorld) -> None:
    world.sql(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'jupyter-valet'"
    )


def test_connections_that_died_meanwhile_are_replaced(world: PostgresWorld, ann: Vault) -> None:
    ann.put("connection", "1", {}, Secret("t"))
    end_connections(world)
    assert ann.get("connection", "1") is not None
    end_connections(world)
    ann.put("connection", "2", {}, Secret("t"))


def test_a_connection_that_dies_in_a_write_leaves_nothing_of_it(
    world: PostgresWorld, ann: Vault
) -> None:
    engine = ann._opened()
    with pytest.raises(VaultUnreachable), engine.changing() as change:  # noqa: PT012
        end_connections(world)
        change.redeem(b"x", 4e9)
    assert ann.redeem("token", 4e9)
    assert len(world.sql("SELECT * FROM redeemed")) == 1


@pytest.mark.anyio
async def test_a_lock_is_taken_back_when_its_session_was_lost(
    world: PostgresWorld, ann: Vault
) -> None:
    """Unless somebody else was quicker; what it guards is written by compare and set as well."""
    other = world.open()
    lock = other._opening.locks
    async with ann.lock("refresh"):
        end_connections(world)
        async with ann.lock("another"):  # the session is made anew, and takes back the first
            with pytest.raises(Busy), lock.held("refresh", 0):
                raise AssertionError("held twice")
    with lock.held("refresh", 1):
        pass


@pytest.fixture
def wire(world: PostgresWorld) -> Iterator[CutWire]:
    with cut_wire(world.server) as wire:
        yield wire


@pytest.fixture
def wired(world: PostgresWorld, wire: CutWire) -> Iterator[Vault]:
    """A vault behind a wire that can be cut."""
    with (
        contextlib.closing(Database(wire.url)) as wired,
        contextlib.closing(open_shared_vault(wired, world.owner, world.folder)) as vault,
    ):
        vault.put("connection", "1", {}, Secret("before"))
        yield vault


def test_a_commit_that_did_not_arrive_is_reported(
    world: PostgresWorld, wire: CutWire, wired: Vault
) -> None:
    wire.cut = BEFORE
    with pytest.raises(VaultUnreachable, match="nothing was stored"):
        wired.put("connection", "1", {}, Secret("after"))
    assert reveal(wired.get("connection", "1").payload) == "before"
    assert reveal(world.open().get("connection", "1").payload) == "before"
    wired.put("connection", "1", {}, Secret("again"))


def test_a_commit_whose_answer_was_lost_is_known_to_have_happened(
    world: PostgresWorld, wire: CutWire, wired: Vault
) -> None:
    wire.cut = AFTER
    record = wired.put("connection", "1", {}, Secret("after"))
    assert reveal(world.open().get("connection", "1").payload) == "after"
    wired.put("connection", "1", {}, Secret("next"), expect=record.revision)


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_a_commit_that_nobody_can_tell_of_is_said_to_be_unsure(
    world: PostgresWorld, wire: CutWire, wired: Vault, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never silent: the caller is told, and what is read next is what is true."""
    monkeypatch.setattr(store, "_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(database, "_SILENCE_SECONDS", 0)
    monkeypatch.setattr(wired._opened().store._database._pool, "timeout", 0.2)
    wire.cut, wire.open = when, False
    with pytest.raises(VaultUnsure):
        wired.put("connection", "1", {}, Secret("after"))
    with pytest.raises(VaultUnreachable):
        wired.get("connection", "1")
    wire.open = True
    monkeypatch.setattr(wired._opened().store._database._pool, "timeout", 5.0)
    true = {BEFORE: "before", AFTER: "after"}[when]
    assert reveal(wired.get("connection", "1").payload) == true
    assert reveal(world.open().get("connection", "1").payload) == true


OURS = Mark("7", 10, 1)


@pytest.mark.parametrize(
    ("status", "generation", "version", "answer"),
    [
        ("committed", 10, 1, True),
        (None, 10, 1, True),
        ("aborted", 9, 0, False),
        ("committed", 9, 0, False),  # a server that took over, without our commit
        ("aborted", 10, 2, False),
        ("committed", 10, 2, False),
        ("committed", 11, 3, True),
        ("aborted", 11, 3, False),
        ("in progress", 9, 0, None),
        (None, 11, 3, None),
    ],
)
def test_what_is_known_of_a_lost_commit(
    world: PostgresWorld, status: str | None, generation: int, version: int, answer: bool | None
) -> None:
    assert happened(OURS, status, generation, version) is answer


# The database itself -----------------------------------------------------------------------------


def test_a_commit_waits_for_the_disk_whatever_the_default(world: PostgresWorld) -> None:
    name = world.server.new_database()
    world.sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with contextlib.closing(Database(world.server.url(name))) as lax:
        assert lax.ask("SHOW synchronous_commit", ()) == [("on",)]


def test_no_function_of_the_schema_stands_for_one_of_the_system(
    world: PostgresWorld, ann: Vault
) -> None:
    """Who owns the schema runs nothing in our sessions."""
    ann.put("connection", "1", {}, Secret("t"))
    world.sql("CREATE FUNCTION length(bytea) RETURNS int LANGUAGE sql AS 'SELECT 1/0'")
    try:
        end_connections(world)
        ann.put("connection", "2", {}, Secret("t"))
    finally:
        world.sql("DROP FUNCTION jupyter_valet.length(bytea)")


def test_nobody_waits_for_ever_for_who_was_stopped(world: PostgresWorld) -> None:
    known = world.database()
    assert known.ask("SHOW lock_timeout", ()) == [("10s",)]
    assert known.ask("SHOW idle_in_transaction_session_timeout", ()) == [("1min",)]


def test_a_vault_that_another_process_holds_is_said_to_be_held(
    world: PostgresWorld, ann: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_SETTINGS", database._SETTINGS.replace("'10s'", "'50ms'"))
    hasty = open_shared_vault(Database(world.server.url()), world.owner, world.folder)
    with world.server.connect() as holder, holder.transaction():
        holder.execute("SELECT * FROM state FOR UPDATE")
        with pytest.raises(VaultUnwritable, match="another process holds it"):
            hasty.put("connection", "1", {}, Secret("t"))
    hasty.put("connection", "1", {}, Secret("t"))
    hasty._opened().store._database.close()


def test_a_name_that_is_too_long_for_an_index_is_told_and_harms_nothing(ann: Vault) -> None:
    chance = random.Random(1)
    kind, name = (
        "".join(chr(chance.randrange(0x20000, 0x2A000)) for _ in range(512)) for _ in "ab"
    )
    with pytest.raises(VaultUnwritable, match="too long"):
        ann.put(kind, name, {}, Secret("t"))
    ann.put("connection", name, {}, Secret("t"))


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (errors.DiskFull, "vault_unwritable", "disk is full"),
        (errors.ReadOnlySqlTransaction, "vault_unwritable", "read-only"),
        (errors.InsufficientPrivilege, "vault_unwritable", "role"),
        (errors.QueryCanceled, "vault_unwritable", "too long"),
        (errors.DataCorrupted, "vault_damaged", "damaged"),
        (errors.UndefinedTable, "vault_damaged", "table"),
        (errors.TooManyConnections, "vault_unreachable", "too many"),
        (errors.AdminShutdown, "vault_unreachable", "lost"),
        (errors.SyntaxError, "vault_unwritable", "refuses"),
        (PoolTimeout, "vault_unreachable", "not answer"),
    ],
)
def test_a_fault_of_the_database_is_told_in_words(
    world: PostgresWorld, fault: type[Error], code: str, words: str
) -> None:
    """And never in the database's own, which may repeat what it was given."""
    told = in_words(fault("the database's own words"))
    assert told.code == code
    assert words in told.message
    assert "own words" not in told.message


def test_a_database_that_does_not_wait_for_its_disk_is_refused(world: PostgresWorld) -> None:
    world.sql("ALTER SYSTEM SET fsync = off")
    try:
        world.sql("SELECT pg_reload_conf(), pg_sleep(0.2)")
        with pytest.raises(VaultUnwritable, match="fsync"):
            Database(world.server.url())
    finally:
        world.sql("ALTER SYSTEM RESET fsync")
        world.sql("SELECT pg_reload_conf(), pg_sleep(0.2)")


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE jupyter_valet.other (a int)",
        "ALTER TABLE jupyter_valet.record ADD copy bytea",
        "DROP TABLE jupyter_valet.redeemed",
        "CREATE RULE spy AS ON INSERT TO jupyter_valet.record DO ALSO DELETE FROM ring",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER spy AFTER INSERT ON jupyter_valet.record EXECUTE FUNCTION f()",
    ],
)
def test_tables_that_are_not_ours_are_refused(world: PostgresWorld, change: str) -> None:
    world.database()  # they are made
    with world.server.connect(world.server.new_database()) as connection:
        name = connection.info.dbname
        Database(world.server.url(name)).close()
        connection.execute("SET search_path = jupyter_valet")
        connection.execute(change.encode())
        with pytest.raises(VaultDamaged):
            Database(world.server.url(name))


def test_a_role_that_may_only_read_and_write_rows_is_enough(world: PostgresWorld) -> None:
    """docs/scaling.md: whoever keeps the vaults need not own the tables."""
    world.database()
    world.sql("DROP ROLE IF EXISTS plain")
    world.sql(f"CREATE ROLE plain LOGIN PASSWORD '{world.server.password}'")
    world.sql("GRANT USAGE ON SCHEMA jupyter_valet TO plain")
    world.sql("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jupyter_valet TO plain")
    url = reveal(world.server.url()).replace("valet:", "plain:", 1)
    try:
        with (
            contextlib.closing(Database(Secret(url))) as plain,
            contextlib.closing(open_shared_vault(plain, world.owner, world.folder)) as vault,
        ):
            vault.put("connection", "1", {}, Secret("t"))
            vault.rotate()
    finally:
        world.sql("DROP OWNED BY plain")
        world.sql("DROP ROLE plain")


# Its address -------------------------------------------------------------------------------------


def test_the_password_is_nowhere(
    world: PostgresWorld, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither when all is well nor when it is wrong."""
    caplog.set_level(logging.DEBUG)
    password = world.server.password
    url = reveal(world.server.url())
    with contextlib.closing(Database(Secret(url))) as known:
        told = [repr(known), repr(known._pool), repr(known.locks), str(vars(known))]
    wrong = url.replace(password, "wrong-" + password)
    for bad in (wrong, url.replace("postgresql://", "postgresql//"), url + "&port=" + password):
        with pytest.raises(ValetError) as caught:
            Database(Secret(bad))
        told += [str(caught.value), repr(caught.value), repr(caught.value.__cause__)]
    out, err = capfd.readouterr()
    assert not any(password in text for text in [*told, caplog.text, out, err])


def url_of(text: str) -> dict[str, Any]:
    return parameters(Secret(text))


@pytest.mark.parametrize("host", ["/run/postgresql", "localhost", "127.0.0.1", "[::1]"])
def test_a_database_on_this_machine_needs_no_tls(world: PostgresWorld, host: str) -> None:
    where = f"@/d?host={host}" if host.startswith("/") else f"@{host}/d"
    assert "sslmode" not in url_of(f"postgresql://me{where}")


@pytest.mark.parametrize(
    "where", ["db.example/d", "localhost,db.example/d", "localhost/d?hostaddr=192.0.2.1"]
)
def test_another_machine_is_spoken_to_under_tls_alone(world: PostgresWorld, where: str) -> None:
    assert url_of(f"postgresql://me@{where}")["sslmode"] == "verify-full"
    with pytest.raises(ValetError, match="verify-full"):
        url_of(f"postgresql://me@{where}{'&' if '?' in where else '?'}sslmode=require")


@pytest.mark.parametrize(
    "url",
    ["", "x", "mysql://a/b", "postgresql://", "postgresql:///d", "postgresql://h/d?service=s"],
)
def test_an_address_that_says_too_little_is_refused(world: PostgresWorld, url: str) -> None:
    with pytest.raises(ValetError) as caught:
        url_of(url)
    assert caught.value.code == "database_refused"


def test_a_standby_is_never_asked(world: PostgresWorld) -> None:
    """It answers with the past, in which what was revoked is still there."""
    said = url_of("postgresql://localhost/d?target_session_attrs=any")
    assert said["target_session_attrs"] == "read-write"


def test_the_address_is_taken_out_of_the_environment(world: PostgresWorld, tmp_path: Path) -> None:
    """What the broker starts, programs of other people among it, must not inherit it."""
    file = tmp_path / "url"
    file.write_text("postgresql://a:b@localhost/file\n")
    file.chmod(0o600)
    environ = {FILE_VARIABLE: str(file), "HOME": "/"}
    url = database_url(environ)
    assert url is not None
    assert reveal(url).endswith("/file")
    environ[VARIABLE] = "postgresql://localhost/d"
    url = database_url(environ)
    assert url is not None
    assert reveal(url).endswith("/d")
    assert environ == {"HOME": "/"}
    assert database_url(environ) is None


def test_a_file_with_the_address_is_private_or_refused(
    world: PostgresWorld, tmp_path: Path
) -> None:
    with pytest.raises(ValetError, match="missing"):
        database_url({FILE_VARIABLE: str(tmp_path / "none")})
    (tmp_path / "url").write_text("postgresql://localhost/d")
    (tmp_path / "url").chmod(0o644)
    with pytest.raises(VaultDamaged, match="other users"):
        database_url({FILE_VARIABLE: str(tmp_path / "url")})


def test_a_vault_in_a_file_loads_no_driver(world: PostgresWorld) -> None:
    code = "import sys, jupyter_valet.broker.vault; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
