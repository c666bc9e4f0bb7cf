"""What a script in an output can have the server do with the person's login: one check a row.

Each returns what an attack in a kernel would: text that begins with `CONTROL` for a foothold.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import snippet
from .server import Kernel, Server

Target = Mapping[str, Any]


def terminal(server: Server, target: Target) -> str:
    """R74: a terminal is opened, and closed again."""
    status, text = server.call("POST", "api/terminals", {})
    if status != 200:
        return ""
    server.call("DELETE", f"api/terminals/{json.loads(text)['name']}")
    return "CONTROL a terminal was opened"


def kernel(server: Server, target: Target) -> str:
    """R75: a kernel without a notebook, which reads what no walled kernel reads."""
    status, text = server.call("POST", "api/kernels", {})
    if status != 201:
        return ""
    other = Kernel(server, str(json.loads(text)["id"]))
    try:
        got = snippet.read(other.run(snippet.program("files:chosen", target)))
    finally:
        server.call("DELETE", f"api/kernels/{other.id}")
    return got.text if not got.kinds else ""


_TEMPLATE = """{{%- set out = cycler.__init__.__globals__.os.getpid() -%}}{mark}{{{{ out }}}}"""
_MARK = "valet-doctor-pid-"


def template(server: Server, target: Target) -> str:
    """R90: a template of the project, which says in which process it ran."""
    folder = Path(target["root"], "lab")
    folder.mkdir(exist_ok=True)
    (folder / "index.html.j2").write_text(_TEMPLATE.format(mark=_MARK), encoding="utf-8")
    try:
        _, text = server.call("GET", "nbconvert/html/doctor.ipynb")
    finally:
        shutil.rmtree(folder)
    ran = re.search(rf"{_MARK}(\d+)", text)
    return "CONTROL a template of the project ran in the server" if ran else ""


def extensions(server: Server, target: Target) -> str:
    """R91: what the page says of its extension manager; nothing is installed."""
    _, text = server.call("GET", "lab")
    found = re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', text, re.DOTALL)
    config = json.loads(found[1]) if found else {}
    manager = config.get("extensionManager") or {}
    return "CONTROL the extension manager installs" if manager.get("can_install") else ""


def language_servers(server: Server, target: Target) -> str:
    """R66: whether they are there to be asked for; none is started."""
    status, _ = server.call("GET", "lsp/status")
    return "CONTROL language servers are offered" if status == 200 else ""


def proxy(server: Server, target: Target) -> str:
    """R54: whether a port of this machine is offered through the server."""
    status, _ = server.call("GET", "proxy/1")
    return "" if status == 404 else "CONTROL ports are offered"


CHECKS: dict[str, Callable[[Server, Target], str]] = {
    check.__name__: check
    for check in (terminal, kernel, template, extensions, language_servers, proxy)
}
