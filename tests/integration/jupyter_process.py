"""A real Jupyter server with the extension and a scripted broker, spoken to byte by byte."""

from __future__ import annotations

import contextlib
import http.client
import http.cookies
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
TOKEN = "the-server-tests-token"
BASE = "/a%40b/"

LOADED = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
}
"""What a browser says when a person opens a link of the notebook in a tab."""

PRESSED = {**LOADED, "Sec-Fetch-Site": "cross-site"}
"""What it says when a person presses a link of an isolated page, whose origin is opaque."""

POSTED = {
    **PRESSED,
    "Origin": "null",
    "Content-Type": "application/x-www-form-urlencoded",
}


@dataclass
class Answer:
    """A response, read."""

    status: int
    headers: http.client.HTTPMessage
    body: str

    @property
    def location(self) -> str:
        return self.headers["Location"] or ""

    @property
    def cookies(self) -> dict[str, http.cookies.Morsel[str]]:
        jar: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
        for line in self.headers.get_all("Set-Cookie") or []:
            jar.load(line)
        return dict(jar)


@dataclass
class Server:
    """A running Jupyter server. `cookie` is the login of the person in the browser."""

    process: subprocess.Popen[bytes]
    home: Path
    port: int
    base: str
    record: Path
    cookie: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return (self.home / "server.log").read_text(errors="replace")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base}"

    def asked(self, method: str) -> list[dict[str, Any]]:
        """Return the parameters of all requests of `method` that the fake broker got."""
        if not self.record.exists():
            return []
        lines = [json.loads(line) for line in self.record.read_text().splitlines()]
        return [line["params"] for line in lines if line["method"] == method]

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] = LOADED,
        *,
        body: str | None = None,
        login: bool = True,
        cookie: str = "",
    ) -> Answer:
        """Send exactly this; `path` is below the base URL."""
        cookies = "; ".join(filter(None, [self.cookie if login else "", cookie]))
        sent = {**headers, **self.extra, **({"Cookie": cookies} if cookies else {})}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, self.base + path, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read().decode())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] = LOADED, **how: Any) -> Answer:
        return self.request("GET", path, headers, **how)

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Call Jupyter's own API as a client that holds the token; it must go well."""
        answer = self.call(method, path, body, **headers)
        assert answer.status < 300, answer.body
        return json.loads(answer.body) if answer.body else None

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {"Authorization": f"token {TOKEN}", **headers}
        text = None if body is None else json.dumps(body)
        return self.request(method, path, sent, body=text, login=False)

    def log_in(self) -> None:
        """Get a login cookie, as a browser does that opens the URL with the token."""
        answer = self.get(f"api/status?token={TOKEN}", login=False)
        self.cookie = "; ".join(f"{n}={m.coded_value}" for n, m in answer.cookies.items())


@contextlib.contextmanager
def jupyter_server(
    home: Path,
    *,
    provider: str = "http://localhost:1/authorize",
    config: str = "",
    base: str = BASE,
    fake: bool = True,
    environ: Mapping[str, str] | None = None,
    state: str = "state",
    command: Sequence[str] = (),
    cwd: Path | None = None,
) -> Iterator[Server]:
    """Run `jupyter server` with the extension until the block ends."""
    root, record = home / "work", home / "broker.jsonl"
    for folder in (root, home / "runtime", home / "config"):
        folder.mkdir(parents=True, exist_ok=True)
    broker = [sys.executable, str(HERE / "fake_broker.py"), str(record), provider]
    (home / "config" / "jupyter_server_config.py").write_text(
        f"c.ServerApp.base_url = {base!r}\n"
        f"c.ServerApp.root_dir = {str(root)!r}\n"
        "c.ServerApp.log_level = 'DEBUG'\n"
        "c.ServerApp.jpserver_extensions = {'jupyter_valet': True, 'jupyterlab': False,"
        " 'jupyter_lsp': False, 'notebook': False, 'notebook_shim': False}\n"
        f"c.ValetExtension.state_dir = {str(home / state)!r}\n"
        "c.ValetExtension.key_source = 'file'\n"
        + (f"c.ValetExtension.broker_command = {broker!r}\n" if fake else "")
        + config
    )
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(command or (sys.executable, "-m", "jupyter_server")),
                *("--no-browser", "--allow-root"),
                *("--ServerApp.port=0", "--ServerApp.ip=127.0.0.1"),
            ],
            cwd=cwd or root,
            env=_environment(home, environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        port = _wait_for_port(process, home)
        server = Server(process, home, port, base, record)
        server.log_in()
        yield server
    finally:
        _stop(process)


def _environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY_", "DBUS"))}
    return {
        **kept,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_TOKEN": TOKEN,
        "IPYTHONDIR": str(home / "ipython"),
        **more,
    }


def _wait_for_port(process: subprocess.Popen[bytes], home: Path) -> int:
    file = home / "runtime" / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            port = int(json.loads(file.read_text())["port"])
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return port
        time.sleep(0.02)
    raise RuntimeError("Jupyter did not start:\n" + (home / "server.log").read_text()[-4000:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
