"""The tables. They are made on first use and compared on every later one.

The vault's id stands in front of every key. `sealed` is never compressed: it is noise.
"""

from __future__ import annotations

from psycopg import Connection

from ..errors import VaultDamaged

SCHEMA = "jupyter_valet"

_NAME = 'text COLLATE "C" NOT NULL'
_OF = f"vault {_NAME} REFERENCES vault (id) ON DELETE CASCADE"
_TABLES = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE vault (id {_NAME} PRIMARY KEY, owner {_NAME} UNIQUE, format text NOT NULL,
    key_source text NOT NULL, finished boolean NOT NULL);
CREATE TABLE state ({_OF}, key_version bigint NOT NULL, generation bigint NOT NULL,
    sealed bytea NOT NULL, PRIMARY KEY (vault)) WITH (fillfactor = 50);
CREATE TABLE record ({_OF}, kind {_NAME}, id {_NAME}, key_version bigint NOT NULL,
    revision bigint NOT NULL, updated_at double precision NOT NULL, meta text NOT NULL,
    sealed bytea NOT NULL, PRIMARY KEY (vault, kind, id));
CREATE TABLE redeemed ({_OF}, digest bytea NOT NULL, expires_at double precision NOT NULL,
    PRIMARY KEY (vault, digest));
CREATE TABLE ring ({_OF}, master_version bigint NOT NULL, sealed bytea NOT NULL,
    PRIMARY KEY (vault));
ALTER TABLE record ALTER COLUMN sealed SET STORAGE EXTERNAL;
"""
_COLUMNS = {
    "vault": "id text, owner text, format text, key_source text, finished boolean",
    "state": "vault text, key_version bigint, generation bigint, sealed bytea",
    "record": "vault text, kind text, id text, key_version bigint, revision bigint,"
    " updated_at double precision, meta text, sealed bytea",
    "redeemed": "vault text, digest bytea, expires_at double precision",
    "ring": "vault text, master_version bigint, sealed bytea",
}
_FOUND = """
SELECT relname, string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'p', 'f', 'v', 'm') GROUP BY relname
"""
_ACTING = """
SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND (relhasrules OR EXISTS (
    SELECT 1 FROM pg_trigger WHERE tgrelid = pg_class.oid AND NOT tgisinternal))
"""
_MAKING = 0x4A564C54


def prepare(connection: Connection) -> None:
    """Make the tables when there are none, and check them. The role needs no right to, later.

    Raises `VaultDamaged` when they are others than ours, or something acts on what is written.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
        found = _found(connection)
        if not found:
            connection.execute(_TABLES.encode())
            found = _found(connection)
        if found != _COLUMNS:
            raise VaultDamaged("its tables are not those of this version")
        if connection.execute(_ACTING, (SCHEMA,)).fetchone():
            raise VaultDamaged("a trigger or a rule acts on its tables")


def _found(connection: Connection) -> dict[str, str]:
    rows: list[tuple[str, str]] = connection.execute(_FOUND, (SCHEMA,)).fetchall()
    return dict(rows)
