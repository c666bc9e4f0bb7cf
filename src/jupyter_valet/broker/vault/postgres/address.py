"""Where the database is: a URL that may hold a password, so it is a `Secret` and nobody prints it.

It comes from the broker's environment or from a private file, never from a command line, which
other users can read.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

from psycopg import Error
from psycopg.conninfo import conninfo_to_dict

from ....wire.errors import ValetError
from ...reveal import reveal
from ...secret import Secret
from ..files import read_private

VARIABLE = "JUPYTER_VALET_DATABASE_URL"
FILE_VARIABLE = "JUPYTER_VALET_DATABASE_URL_FILE"

_OURS: dict[str, Any] = {
    "application_name": "jupyter-valet",
    # A standby answers with the past: what was revoked would be there again.
    "target_session_attrs": "read-write",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A connection to a machine that fell silent is known to be dead in some ten seconds."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def database_url(environ: MutableMapping[str, str]) -> Secret | None:
    """Take the URL out of the environment, or read it from the private file that is named there.

    What the broker starts inherits neither. Returns None when no database is configured. Raises
    `VaultDamaged` when others can open the file, `ValetError` ("database_refused") when there is
    none.
    """
    url, path = environ.pop(VARIABLE, ""), environ.pop(FILE_VARIABLE, "")
    if url:
        return Secret(url)
    if not path:
        return None
    data = read_private(Path(path))
    if data is None:
        raise ValetError("database_refused", what=f"the file of {FILE_VARIABLE} is missing")
    return Secret(data.strip())


def parameters(url: Secret) -> dict[str, Any]:
    """Return how to connect: what the URL says, and what we insist on.

    A database on another machine is spoken to under TLS with a verified name, or not at all.
    Raises `ValetError` ("database_refused"), which repeats nothing of the URL.
    """
    try:
        said = dict(conninfo_to_dict(reveal(url)))
    except (Error, UnicodeDecodeError):
        raise ValetError("database_refused", what="it is no postgresql:// URL") from None
    if not said.get("host") or not said.get("dbname"):
        raise ValetError("database_refused", what="it must name a host and a database")
    if "service" in said:
        raise ValetError("database_refused", what="it must not name a service file")
    local = all(map(_is_local, _places(said)))
    if not local and said.setdefault("sslmode", "verify-full") != "verify-full":
        raise ValetError("database_refused", what="to another machine, sslmode must be verify-full")
    return {**said, **_OURS}


def _places(said: dict[str, Any]) -> Iterator[str]:
    for name in ("host", "hostaddr"):
        if said.get(name):
            yield from str(said[name]).split(",")


def _is_local(place: str) -> bool:
    return place.startswith(("/", "@")) or place in _LOOPBACK
