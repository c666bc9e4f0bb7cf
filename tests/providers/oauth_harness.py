"""What the OAuth tests share: real authorization servers, a scripted browser, a kept audit."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
from free_ports import free_port

REPOSITORY = Path(__file__).parents[2]
START_SECONDS = 30.0


@dataclass
class Notes:
    """Stands in for the audit log: keeps the events."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def record(self, action: str, **facts: Any) -> None:
        self.events.append({"action": action, **facts})

    def actions(self) -> list[str]:
        return [event["action"] for event in self.events]


@dataclass
class Clock:
    """A clock that a test sets forward."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


# Servers -------------------------------------------------------------------------------------


def npm_folder() -> Path:
    """Where `oidc-provider` and Node.js are: JUPYTER_VALET_TEST_NPM, or what `make dev` built."""
    folder = Path(os.environ.get("JUPYTER_VALET_TEST_NPM") or REPOSITORY / "build/npm")
    if not (folder / "node_modules/oidc-provider").is_dir():
        raise RuntimeError(f"oidc-provider is not in {folder}: run `make dev` first")
    return folder


@contextlib.contextmanager
def oidc_provider(
    folder: Path, redirect_uris: list[str], *, access_ttl: int = 3600
) -> Iterator[str]:
    """Run oidc-provider; `folder` is a scratch one. Yields the issuer."""
    modules = npm_folder() / "node_modules"
    # Node looks for packages beside the script, so the script goes beside the packages.
    (folder / "node_modules").symlink_to(modules, target_is_directory=True)
    script = folder / "server.mjs"
    source = REPOSITORY / "tests/providers/oidc-provider/server.mjs"
    script.write_text(source.read_text())
    port = free_port()
    settings = {"port": port, "redirect_uris": redirect_uris, "access_ttl": access_ttl}
    with running(
        [str(modules / "node/bin/node"), str(script)],
        folder,
        f"http://127.0.0.1:{port}",
        {"SETTINGS": json.dumps(settings)},
    ) as issuer:
        yield issuer


@contextlib.contextmanager
def nanoidp(folder: Path, redirect_uri: str) -> Iterator[str]:
    """Run nanoidp with its OAuth 2.1 profile; `folder` is a scratch one. Yields the issuer."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    config = folder / "config"
    config.mkdir()
    settings = {
        "config_version": 1,
        "server": {"host": "127.0.0.1", "port": port},
        "oauth": {
            "issuer": issuer,
            "audience": "valet",
            "clients": [
                {
                    "client_id": "valet",
                    "client_secret": "nano-secret",
                    "redirect_uris": [redirect_uri],
                }
            ],
        },
    }
    users = {
        "config_version": 1,
        "users": {"jane": {"password": "secret", "email": "jane@example.org"}},
    }
    # JSON is YAML.
    (config / "settings.yaml").write_text(json.dumps(settings))
    (config / "users.yaml").write_text(json.dumps(users))
    program = [sys.executable, "-m", "nanoidp", "--profile", "oauth21", "--config", str(config)]
    with running(program, folder, issuer, {}):
        yield issuer


@contextlib.contextmanager
def running(command: list[str], folder: Path, url: str, env: dict[str, str]) -> Iterator[str]:
    """Run a server until the block ends; yields `url` once it answers there."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _await(url, process, log)
            yield url
        finally:
            process.terminate()
            process.communicate(timeout=10)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    port = urlsplit(url).port
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")


# The browser ---------------------------------------------------------------------------------


class Browser:
    """Goes through an authorization server's pages as a person would; keeps its cookies."""

    def __init__(self, answers: dict[str, str]) -> None:
        """`answers` fills the visible fields of any form by name."""
        self._answers = answers
        self._http = httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=30)

    async def sign_in(self, url: str, redirect_uri: str) -> str:
        """Return the query with which the browser arrives at `redirect_uri`."""
        response = await self._http.get(url)
        for _ in range(20):
            if response.is_redirect:
                url = urljoin(url, response.headers["location"])
                if url.partition("?")[0] == redirect_uri:
                    return url.partition("?")[2]
                response = await self._http.get(url)
            else:
                assert response.status_code == 200, response.text[:500]
                action, fields = self._form(response.text)
                url = urljoin(url, action)
                response = await self._http.post(url, data=fields)
        raise AssertionError("the sign-in does not end")

    async def type_code(self, url: str) -> str:
        """Go through the pages behind a code's address; return the last, which asks nothing."""
        response = await self._http.get(url)
        for _ in range(20):
            if response.is_redirect:
                url = urljoin(url, response.headers["location"])
                response = await self._http.get(url)
            elif "<form" in response.text:
                assert response.status_code == 200, response.text[:500]
                action, fields = self._form(response.text)
                url = urljoin(url, action)
                response = await self._http.post(url, data=fields)
            else:
                return response.text
        raise AssertionError("the pages do not end")

    def _form(self, page: str) -> tuple[str, dict[str, list[str]]]:
        """Return the first form's action and fields, as pressing its first button sends them."""
        form = re.search(r"<form(.*?)>(.*?)</form>", page, re.DOTALL)
        assert form is not None, page[:500]
        action = re.search(r'action="([^"]*)"', form[1])
        fields: dict[str, list[str]] = {}
        for tag in re.findall(r"<input[^>]*>", form[2]) + re.findall(r"<button[^>]*>", form[2])[:1]:
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            unticked = attributes.get("type") == "checkbox" and " checked" not in tag
            name = attributes.get("name", "")
            if name and not unticked and " disabled" not in tag:
                value = self._answers.get(name, unescape(attributes.get("value", "")))
                fields.setdefault(name, []).append(value)
        return unescape(action[1]) if action else "", fields

    async def close(self) -> None:
        await self._http.aclose()
