"""What JupyterHub told this single-user server, by its environment (`Spawner.get_env`).

Programs that a person starts in a terminal of such a server inherit the same variables; a Jupyter
server among them is none of the Hub's, and serves another path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, urlsplit

from .origin import is_loopback

PREFIX = "JUPYTERHUB_SERVICE_PREFIX"
USER = "JUPYTERHUB_USER"
_PUBLIC_URL = "JUPYTERHUB_PUBLIC_URL"
_API_URL = "JUPYTERHUB_API_URL"
_KEY_FILE = "JUPYTERHUB_SSL_KEYFILE"

PROXY_API_PORT = 8001
"""Where configurable-http-proxy takes orders by default; the Hub tells no server of it."""

_OF_THE_WEB = {"http": 80, "https": 443}
"""Closing these would close the internet: Landlock's rules name ports, not hosts."""


def runs(base_url: str, environ: Mapping[str, str]) -> bool:
    """Tell whether the Hub of `environ` runs the server at `base_url`."""
    return bool(environ.get(PREFIX)) and environ[PREFIX] == base_url


def public_url(base_url: str, environ: Mapping[str, str]) -> str:
    """Return the address at which people reach the server at `base_url`, if the Hub says so.

    JupyterHub leaves it empty unless its own `public_url` is configured.
    """
    return environ.get(_PUBLIC_URL, "") if runs(base_url, environ) else ""


def ports(environ: Mapping[str, str]) -> frozenset[int]:
    """Return the TCP ports by which the Hub and its proxy are administered.

    Both want a token that no kernel has, and no kernel has business there. A Hub whose API is on
    the web's own ports is not closed.
    """
    return frozenset(_ports(urlsplit(environ.get(_API_URL, ""))))


def _ports(api: SplitResult) -> Iterator[int]:
    try:
        port = api.port
    except ValueError:
        return
    if port is not None and port not in _OF_THE_WEB.values():
        yield port
    if is_loopback(api.netloc):
        yield PROXY_API_PORT


def keys(environ: Mapping[str, str]) -> list[str]:
    """Return the file of the key by which this server proves itself to the Hub (`internal_ssl`)."""
    return [path for path in [environ.get(_KEY_FILE, "")] if path]
