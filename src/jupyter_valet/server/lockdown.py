"""What is missing of the server's lockdown, read from the running server (D6, the B and P rows).

A notebook's output acts with the person's Jupyter login, so what the server offers to that login is
a way around the wall. What counts is what the server would do, not which file asked for it: routes
are looked up where requests are, settings where they are used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_core.paths import jupyter_path
from jupyter_server.serverapp import ServerApp
from tornado.httputil import HTTPServerRequest

from . import hub_tokens

_NOWHERE = "valet-no-such-page"


@dataclass(frozen=True)
class Facts:
    """The settings that count, as this server has them."""

    terminals: bool = False
    language_servers: bool = False
    proxy: bool = False
    installs_extensions: bool = False
    nbconvert: bool = False
    templates: Sequence[str] = ()
    """Folders that kernels write to and nbconvert takes templates from."""
    kernels_apart: bool = False
    """Whether what a kernel says is encrypted, or out of every other kernel's reach."""
    cwd: str = ""
    """The server's working directory, if kernels write to it."""
    code: Sequence[str] = ()
    """Folders that the server imports from and that kernels write to."""
    argv: Sequence[str] = ()
    hub_tokens: bool = False
    """Whether JupyterHub's tokens are in this server's pages."""
    secrets: Sequence[str] = ()
    """The token and the password's hash: what must not be on the command line."""


def missing(facts: Facts) -> list[str]:
    """Return in words what is missing; nothing when the lockdown is in force."""
    return list(_missing(facts))


def _missing(facts: Facts) -> Iterator[str]:
    if facts.terminals:
        yield "terminals are on (R22, R74)"
    if facts.nbconvert and facts.templates:
        yield f"nbconvert runs templates from {facts.templates[0]} (R27, R90)"
    if facts.installs_extensions:
        yield "the extension manager installs packages (R91)"
    if facts.language_servers:
        yield "language servers run programs of the project (R66)"
    if facts.proxy:
        yield "jupyter-server-proxy hands your login to kernels (R54)"
    if not facts.kernels_apart:
        yield "the traffic with kernels is not encrypted (R34)"
    if facts.cwd:
        yield "the server runs in a folder that kernels write to (R62, R91)"
    if facts.code:
        yield f"the server imports from {facts.code[0]}, where kernels write (R28)"
    if facts.hub_tokens:
        yield "JupyterHub's tokens are in the pages (X04)"
    if any(secret and secret in word for secret in facts.secrets for word in facts.argv):
        yield "the token is on the command line (R18)"


def look(server: ServerApp, *, writable: Callable[[str], bool], kernels_apart: bool) -> Facts:
    """Read the facts from a running server.

    `writable` tells of a real path whether kernels write there.
    """
    cwd = os.path.realpath(os.curdir)
    manager = getattr(_handler(server, "lab/api/extensions"), "handler_kwargs", {}).get("manager")
    templates = (os.path.realpath(path) for path in _templates(server))
    code = (os.path.realpath(path) for path in sys.path)
    return Facts(
        terminals=_serves(server, "api/terminals")
        or bool(server.web_app.settings.get("terminals_available")),
        language_servers=_serves(server, "lsp/ws/pyright"),
        proxy=_serves(server, "proxy/1"),
        installs_extensions=bool(getattr(getattr(manager, "metadata", None), "can_install", False)),
        nbconvert=_serves(server, "nbconvert/html/a.ipynb"),
        templates=tuple(path for path in templates if writable(path)),
        kernels_apart=kernels_apart,
        cwd=cwd if writable(cwd) else "",
        code=tuple(path for path in code if writable(path)),
        argv=tuple(sys.orig_argv),
        hub_tokens=hub_tokens.in_pages(server),
        secrets=_secrets(server),
    )


def _secrets(server: ServerApp) -> tuple[str, ...]:
    identity = server.identity_provider
    names = ("token", "hashed_password")
    return tuple(str(getattr(identity, name, "") or "") for name in names)


def _handler(server: ServerApp, path: str) -> Any:
    """Return what tornado would answer `path` with."""
    request = HTTPServerRequest("GET", server.base_url + path, headers=None)
    return server.web_app.find_handler(request)


def _serves(server: ServerApp, path: str) -> bool:
    """Tell whether a page of its own is at `path`, and not what is at every unknown path."""
    nowhere = f"api/{_NOWHERE}" if path.startswith("api/") else _NOWHERE
    found, unknown = (
        getattr(_handler(server, where), "handler_class", None) for where in (path, nowhere)
    )
    return found is not None and found is not unknown


def _templates(server: ServerApp) -> list[str]:
    """Return where nbconvert looks: as configured, and in the working directory by default."""
    told = server.config.get("TemplateExporter", {})
    found = list(told.get("extra_template_basedirs", [os.curdir]))
    found += [*told.get("extra_template_paths", []), *told.get("template_paths", [])]
    return [*found, *jupyter_path("nbconvert", "templates")]
