"""Which Jupyter server of this person is meant, and how to come in.

Jupyter notes each running server, with its token, in a file that only its user can read; who can
read that file is in the local security context, and needs no other proof (specification,
`basic/authorization`: over stdio, credentials come from the environment).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..wire.clients import PAGE_MCP
from ..wire.errors import ValetError

KEY = "JUPYTER_VALET_KEY"
"""Environment variable with an API key, which is shown instead of Jupyter's token."""


@dataclass(frozen=True)
class Entrance:
    """Where the endpoint is, and the token that opens it."""

    url: str
    token: str = field(repr=False)


def entrance(wanted: str = "", *, environ: Mapping[str, str] = os.environ) -> Entrance:
    """Return the way into the server that is meant: `wanted` is its URL or port, or nothing.

    Raises `ValetError` ("no_jupyter", "several_servers", "no_token").
    """
    from jupyter_server.serverapp import list_running_servers

    running = list(list_running_servers())
    ours = [] if wanted else [server for server in running if _of_the_hub(server, environ)]
    chosen = choose(ours or running, wanted, Path.cwd())
    if found := token(chosen, environ):
        return Entrance(str(chosen["url"]) + PAGE_MCP, found)
    raise ValetError("no_token", url=str(chosen["url"]))


def token(server: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """Return what opens `server`; empty when there is nothing.

    A server of JupyterHub's has its token in the environment of its terminals alone.
    """
    own = environ.get(KEY, "") or str(server.get("token") or "")
    hubs = environ.get("JUPYTERHUB_API_TOKEN", "") if _of_the_hub(server, environ) else ""
    return own or hubs


def _of_the_hub(server: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Tell whether this is a terminal of `server`, which JupyterHub has started."""
    return environ.get("JUPYTERHUB_SERVICE_PREFIX") == server.get("base_url")


def choose(servers: Iterable[Mapping[str, Any]], wanted: str, here: Path) -> Mapping[str, Any]:
    """Return one of the running servers: the one that is named, or the only one, or `here`'s.

    Raises `ValetError` ("no_jupyter", "several_servers").
    """
    known = [server for server in servers if not wanted or _is(server, wanted)]
    if not known:
        raise ValetError("no_jupyter", wanted=f" at {wanted}" if wanted else "")
    known.sort(key=lambda server: len(str(server["root_dir"])), reverse=True)
    around = [server for server in known if here.is_relative_to(str(server["root_dir"]))]
    if len(known) > 1 and not around:
        raise ValetError("several_servers", urls=", ".join(str(s["url"]) for s in known))
    return around[0] if around else known[0]


def _is(server: Mapping[str, Any], wanted: str) -> bool:
    url = str(server["url"])
    return wanted == str(server["port"]) or wanted.rstrip("/") == url.rstrip("/")
