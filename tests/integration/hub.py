"""A real JupyterHub with its proxy, whose people have servers with the extension active.

Everything is started and asked as in a deployment: logins by the Hub's own form, servers by its
API, kernels and pages through the proxy. No root is needed, and none is in the way.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from free_ports import free_port
from oauth_harness import REPOSITORY, npm_folder

PASSWORD = "of-everybody-in-the-tests"
SHIPPED = REPOSITORY / "jupyter_config"
"""Stands for what the wheel puts into `etc/jupyter`."""

_CONFIG = """
import os

told = {told!r}
c.JupyterHub.bind_url = told["bind_url"]
c.JupyterHub.hub_bind_url = told["hub_url"]
c.JupyterHub.db_url = f"sqlite:///{{told['home']}}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{{told['home']}}/cookie_secret"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
c.JupyterHub.ssl_cert = c.JupyterHub.ssl_key = told["certificate"]
c.ConfigurableHTTPProxy.command = told["proxy"]
c.ConfigurableHTTPProxy.api_url = told["proxy_api_url"]
c.ConfigurableHTTPProxy.auth_token = told["proxy_token"]
c.ConfigurableHTTPProxy.pid_file = f"{{told['home']}}/proxy.pid"

c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = told["password"]
c.Authenticator.allow_all = True

c.JupyterHub.services = [{{"name": "test", "api_token": told["token"]}}]
c.JupyterHub.load_roles = [
    {{"name": "test", "services": ["test"],
      "scopes": ["admin:users", "admin:servers", "tokens", "access:servers"]}},
    {{"name": "guest", "users": ["guest"], "scopes": ["self", "access:servers!user=jane"]}},
]

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = told["home"] + "/people/{{username}}"
c.Spawner.cmd = told["server"]
c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
c.Spawner.notebook_dir = "~/work"
c.Spawner.environment = told["environment"]
servers_log = os.open(told["home"] + "/people/servers.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
c.LocalProcessSpawner.popen_kwargs = {{"stdout": servers_log, "stderr": servers_log}}
c.Spawner.start_timeout = c.Spawner.http_timeout = 90
c.Spawner.pre_spawn_hook = lambda spawner: os.makedirs(
    os.path.join(told["home"], "people", spawner.user.name, "work"), exist_ok=True)
"""

_SERVERS = """
c.ValetExtension.key_source = "file"
c.ValetExtension.sandbox_closed_ports = [{proxy_api_port}]
"""

PLAIN = """
c.ServerApp.jpserver_extensions = {
    "jupyter_valet": True, "jupyterlab": False, "jupyter_lsp": False, "notebook": False,
    "notebook_shim": False, "jupyter_server_terminals": False, "jupyter_server_proxy": False,
}
"""
"""Servers without a front end: they start in half the time."""


@dataclass
class Hub:
    """A running JupyterHub. `url` is what people type: the proxy's origin with a slash."""

    url: str
    hub_url: str
    proxy_api_url: str
    home: Path
    token: str
    proxy_token: str
    process: subprocess.Popen[bytes] = field(init=False, repr=False)
    verify: Any = True
    clients: list[httpx2.Client] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """The origin that browsers see."""
        return self.url.rstrip("/")

    @property
    def log(self) -> str:
        """What the Hub and its proxy have written."""
        return (self.home / "hub.log").read_text(errors="replace")

    @property
    def servers_log(self) -> str:
        """What all servers have written."""
        return (self.home / "people" / "servers.log").read_text(errors="replace")

    def home_of(self, name: str) -> Path:
        """Return a person's home folder."""
        return self.home / "people" / name

    def state_of(self, name: str) -> Path:
        """Return the folder of a person's vault."""
        return self.home_of(name) / ".local/share/jupyter/valet"

    def server_environment(self, name: str) -> tuple[int, dict[str, str]]:
        """Return the process of a person's server and its environment, as a terminal has it."""
        facts = self.server_facts(name)
        pairs = Path(f"/proc/{facts['pid']}/environ").read_text().split("\0")
        return int(facts["pid"]), dict(pair.split("=", 1) for pair in pairs if "=" in pair)

    def server_facts(self, name: str) -> dict[str, Any]:
        """Return what a person's server wrote down of itself."""
        runtime = self.home_of(name) / ".local/share/jupyter/runtime"
        found = [json.loads(file.read_text()) for file in runtime.glob("jpserver-*.json")]
        return next(facts for facts in found if facts["base_url"] == f"/user/{name}/")

    def command(
        self, name: str, *arguments: str, said: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run `jupyter valet` as in a terminal of a person's server; `said` is its input."""
        return subprocess.run(
            [sys.executable, "-m", "jupyter_valet.cli", *arguments],
            cwd=self.home_of(name) / "work",
            env=self.server_environment(name)[1],
            input=said,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def client(self) -> httpx2.Client:
        """Return an HTTP client that follows nothing by itself; closed with the Hub."""
        client = httpx2.Client(timeout=60, verify=self.verify, trust_env=False)
        self.clients.append(client)
        return client

    def api(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """Call the Hub's API as an administrator's service, or with `token`; it must go well."""
        answer = self.clients[0].request(
            method,
            f"{self.url}hub/api/{path}",
            json=body,
            headers={"Authorization": f"token {token or self.token}"},
        )
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def start(self, name: str, server: str = "") -> None:
        """Begin to start a person's server; `up` waits for it."""
        if name not in [user["name"] for user in self.api("GET", "users")]:
            self.api("POST", f"users/{name}")
        self.api("POST", f"users/{name}/servers/{server}" if server else f"users/{name}/server")

    def up(self, name: str, server: str = "") -> None:
        """Wait until a person's server is ready."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            servers = self.api("GET", f"users/{name}?include_stopped_servers=1")["servers"]
            if servers.get(server, {}).get("ready"):
                return
            assert servers.get(server, {}).get("pending"), (
                "it did not start:\n" + self.servers_log[-4000:]
            )
            time.sleep(0.05)
        raise RuntimeError("it did not start:\n" + self.servers_log[-4000:])

    def stop(self, name: str, server: str = "") -> None:
        """Stop a person's server, as the Hub's culler does, and wait until it has ended."""
        path = f"users/{name}/servers/{server}" if server else f"users/{name}/server"
        self.api("DELETE", path)
        deadline = time.monotonic() + 30
        while server in self.api("GET", f"users/{name}")["servers"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def token_for(self, name: str, *scopes: str) -> str:
        """Return a new API token of a person with these scopes."""
        return str(self.api("POST", f"users/{name}/tokens", {"scopes": [*scopes]})["token"])


@contextlib.contextmanager
def jupyterhub(
    home: Path,
    *,
    server_config: str = PLAIN,
    hub_config: str = "",
    certificate: Path | None = None,
    host: str = "127.0.0.1",
) -> Iterator[Hub]:
    """Run a Hub until the block ends, and all that it started with it.

    `server_config` is what an administrator puts into every server's configuration, `hub_config`
    into the Hub's own. `certificate`, with its key, makes the proxy speak https. `host` is the name
    of this machine at which people know the Hub.
    """
    config = home / "etc"
    config.mkdir(parents=True)
    (home / "people").mkdir()
    modules = npm_folder() / "node_modules"
    scheme = "https" if certificate else "http"
    hub = Hub(
        url=f"{scheme}://{host}:{free_port()}/",
        hub_url=f"http://127.0.0.1:{free_port()}",
        proxy_api_url=f"http://127.0.0.1:{free_port()}",
        home=home,
        token=secrets.token_hex(16),
        proxy_token=secrets.token_hex(16),
        verify=certificate is None,
    )
    told = {
        **{name: getattr(hub, name) for name in ("url", "hub_url", "proxy_api_url", "token")},
        "bind_url": hub.url.replace(host, "127.0.0.1"),
        "home": str(home),
        "proxy_token": hub.proxy_token,
        "certificate": str(certificate or ""),
        "password": PASSWORD,
        "proxy": [
            str(modules / "node/bin/node"),
            str(modules / "configurable-http-proxy/bin/configurable-http-proxy"),
        ],
        "server": [sys.executable, "-I", "-m", "jupyterhub.singleuser"],
        "environment": {"JUPYTER_CONFIG_PATH": os.pathsep.join([str(config), str(SHIPPED)])},
    }
    (home / "jupyterhub_config.py").write_text(_CONFIG.format(told=told) + hub_config)
    ours = _SERVERS.format(proxy_api_port=urlsplit(hub.proxy_api_url).port)
    (config / "jupyter_server_config.py").write_text(ours + server_config)
    hub.client()
    with (home / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"],
            cwd=home,
            env=_environment(home),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        hub.process = process
        _wait(process, hub)
        yield hub
    finally:
        _stop(process)
        for client in hub.clients:
            client.close()


def _environment(home: Path) -> dict[str, str]:
    names = ("JUPYTER", "JPY_", "DBUS", "CONFIGPROXY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    return {**kept, "HOME": str(home)}


def _wait(process: subprocess.Popen[bytes], hub: Hub) -> None:
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx2.HTTPError):
            if hub.clients[0].get(f"{hub.url}hub/api/").status_code == 200:
                return
        time.sleep(0.05)
    raise RuntimeError("JupyterHub did not start:\n" + hub.log[-4000:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the Hub; it ends its proxy and its people's servers."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
