"""The profile on a real JupyterLab, each against a server without it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from jupyter_process import REPOSITORY, Server, jupyter_server

PROFILE = (REPOSITORY / "jupyter_config" / "lockdown" / "jupyter_server_config.py").read_text()
OPEN = (
    "c.ServerApp.jpserver_extensions = {'jupyter_valet': True, 'jupyterlab': True,"
    " 'jupyter_server_proxy': True, 'jupyter_lsp': False}\n"
    "c.ValetExtension.sandbox = 'off'\n"
)
LOCKED = PROFILE + (
    "c.ServerApp.jpserver_extensions = {**c.ServerApp.jpserver_extensions, 'jupyterlab': True}\n"
    "c.ValetExtension.sandbox = 'off'\n"
)
SETTINGS = "lab/api/settings/@jupyterlab/"
SANITIZER = SETTINGS + "apputils-extension:sanitizer"


@pytest.fixture(scope="module")
def unlocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with jupyter_server(tmp_path_factory.mktemp("open"), config=OPEN) as server:
        yield server


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with jupyter_server(tmp_path_factory.mktemp("locked"), config=LOCKED) as server:
        yield server


def _write(server: Server, path: str, raw: str = "{}") -> tuple[int, str]:
    answer = server.call("PUT", path, {"raw": raw})
    return answer.status, answer.body


def test_an_output_s_script_cannot_weaken_the_sanitizer(unlocked: Server, locked: Server) -> None:
    """R92, and every other spelling that JupyterLab would take for the same file."""
    weak = json.dumps({"allowNamedProperties": True, "allowedSchemes": ["javascript"]})
    other = SETTINGS.rstrip("/") + ":apputils-extension/sanitizer"
    assert _write(unlocked, SANITIZER, weak)[0] == 204
    assert _write(unlocked, other, weak)[0] == 204
    for path in (SANITIZER, other, SANITIZER.replace("@", "%40"), SETTINGS + "x/../" + SANITIZER):
        status, body = _write(locked, path, weak)
        assert status == 403
        assert "locked_settings" in body
    assert json.loads(locked.call("GET", SANITIZER).body)["raw"] == "{}"


def test_other_settings_can_be_written(locked: Server) -> None:
    themes = SETTINGS + "apputils-extension:themes"
    assert _write(locked, themes, '{"theme": "JupyterLab Dark"}')[0] == 204
    assert "Dark" in json.loads(locked.call("GET", themes).body)["raw"]


def test_who_is_not_logged_in_learns_nothing(locked: Server) -> None:
    assert locked.request("PUT", SANITIZER, {}, body="{}", login=False).status == 403


def test_an_output_s_script_cannot_turn_a_plugin_off(unlocked: Server, locked: Server) -> None:
    """R92: the plugin that sanitizes is one, too. The control only asks: it would be written."""
    asked = {"cmd": "disable", "plugin_name": "@jupyterlab/apputils-extension:sanitizer"}
    assert json.loads(unlocked.call("GET", "lab/api/plugins").body)["allLocked"] is False
    told = json.loads(locked.call("POST", "lab/api/plugins", asked).body)
    assert told["status"] == "error"
    assert "locked" in told["message"]


class _Kernels(http.server.BaseHTTPRequestHandler):
    """What a kernel serves on a port of its own."""

    def do_GET(self) -> None:
        self.server.cookies.append(self.headers["Cookie"] or "")  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_the_login_is_not_handed_to_what_a_kernel_serves(unlocked: Server, locked: Server) -> None:
    """R54, with jupyter-server-proxy itself: it passes the person's cookie on."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Kernels) as listener:
        cookies = listener.cookies = []  # type: ignore[attr-defined]
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        for route in (f"proxy/{listener.server_port}/", f"proxy/127.0.0.1:{listener.server_port}/"):
            assert unlocked.get(route).status == 200
            assert unlocked.cookie in cookies.pop()
            assert locked.get(route.rstrip("/")).status == 404
            assert cookies == []
        listener.shutdown()
