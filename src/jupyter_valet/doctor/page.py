"""What a script in an output can have the server do with the person's login: one check a row.

Each returns what an attack in a kernel would: text that begins with `CONTROL` for a foothold.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from . import snippet
from .patient import Patient
from .server import Kernel, Server

_LANGUAGE_SERVER_SECONDS = 10.0


def terminal(patient: Patient) -> str:
    """R74: a terminal is opened, and closed again."""
    server = patient.server
    status, text = server.call("POST", "api/terminals", {})
    if status != 200:
        return ""
    server.call("DELETE", f"api/terminals/{json.loads(text)['name']}")
    return "CONTROL a terminal was opened"


def kernel(patient: Patient) -> str:
    """R75: a kernel without a notebook, which reads what no walled kernel reads."""
    server = patient.server
    status, text = server.call("POST", "api/kernels", {})
    if status != 201:
        return ""
    other = Kernel(server, str(json.loads(text)["id"]))
    try:
        got = snippet.read(other.run(snippet.program("files:chosen", patient.target)))
    finally:
        server.call("DELETE", f"api/kernels/{other.id}")
    return got.text if not got.kinds else ""


_TEMPLATE = """{{%- set out = cycler.__init__.__globals__.os.getpid() -%}}{mark}{{{{ out }}}}"""
_MARK = "valet-doctor-pid-"


def template(patient: Patient) -> str:
    """R90: a template of the project, which says in which process it ran."""
    server, folder = patient.server, Path(patient.target["root"], "lab")
    folder.mkdir(exist_ok=True)
    (folder / "index.html.j2").write_text(_TEMPLATE.format(mark=_MARK), encoding="utf-8")
    try:
        _, text = server.call("GET", "nbconvert/html/doctor.ipynb")
    finally:
        shutil.rmtree(folder)
    ran = re.search(rf"{_MARK}(\d+)", text)
    return "CONTROL a template of the project ran in the server" if ran else ""


def extensions(patient: Patient) -> str:
    """R91: the manager is asked to install; a `pip.py` of the project shows whether it ran that.

    It is asked for a version that there is not, so that the real pip installs nothing.
    """
    root, mark = Path(patient.target["root"]), Path(patient.target["mark"])
    (root / "pip.py").write_text(patient.target["payload"], encoding="utf-8")
    wanted = {"cmd": "install", "extension_name": "jupyter-valet", "extension_version": "0"}
    try:
        patient.server.call("POST", "lab/api/extensions", wanted)
    finally:
        (root / "pip.py").unlink()
    if mark.exists():
        return "CONTROL a pip.py of the project ran outside the sandbox"
    return "CONTROL the extension manager installs" if _installs(patient.server) else ""


def _installs(server: Server) -> bool:
    _, text = server.call("GET", "lab")
    found = re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', text, re.DOTALL)
    config = json.loads(found[1]) if found else {}
    return bool((config.get("extensionManager") or {}).get("can_install"))


def language_servers(patient: Patient) -> str:
    """R66: the one that lies in the project's node_modules is asked for."""
    server, mark = patient.server, Path(patient.target["mark"])
    if server.call("GET", "lsp/status")[0] != 200:
        return ""
    if shutil.which("node") is None:
        raise FileNotFoundError("language servers are offered, and node is not here to run one")
    with contextlib.closing(server.socket("lsp/ws/pyright")):
        deadline = time.monotonic() + _LANGUAGE_SERVER_SECONDS
        while time.monotonic() < deadline and not mark.exists():
            time.sleep(0.1)
    return "CONTROL a program of the project ran outside the sandbox" if mark.exists() else ""


_LISTEN = """
import socket as _socket, threading as _threading
_heard = []
_listener = _socket.socket(); _listener.bind(("127.0.0.1", 0)); _listener.listen()
def _hear():
    while True:
        peer, _ = _listener.accept()
        _heard.append(peer.recv(9000).decode(errors="replace"))
        peer.sendall(b"HTTP/1.0 204 No Content\r\n\r\n"); peer.close()
_threading.Thread(target=_hear, daemon=True).start()
print("at", *_listener.getsockname())
"""


def proxy(patient: Patient) -> str:
    """R54: a port of the kernel's is asked for through the server; what arrives there?"""
    said = patient.kernel.run(_LISTEN)
    found = re.search(r"at (\S+) (\d+)", said)
    host, port = found.groups() if found else ("127.0.0.1", "1")
    answers = [
        patient.server.call("GET", f"proxy/{there}/x")[0] for there in (port, f"{host}:{port}")
    ]
    heard = patient.kernel.run("print(*_heard)") if found else ""
    if patient.server.token in heard:
        return "CONTROL the login came along to the kernel's port"
    return "" if set(answers) <= {403, 404} else "CONTROL ports are offered"


CHECKS: dict[str, Callable[[Patient], str]] = {
    check.__name__: check
    for check in (terminal, kernel, template, extensions, language_servers, proxy)
}
