"""A person at a JupyterHub, with a browser by hand: cookies, redirects, and honest Sec-Fetch."""

from __future__ import annotations

import contextlib
import html
import json
import re
import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import websocket
from hub import PASSWORD, Hub

_LINK = re.compile(r"https?://[^\s\"'<>\\]+/valet/connect/[\w-]+")
_REFRESH = re.compile(r'http-equiv="refresh" content="0; ?url=([^"]+)"')
_AUTHORIZE = ">Authorize</button>"
_HOPS = 20


class Person:
    """Somebody with an account at the Hub and a browser of their own."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub = hub
        self.name = name
        self.browser = hub.client()
        self.url = ""
        """Where the browser is."""

    def log_in(self) -> None:
        """Log in by the Hub's form."""
        page = self.open(f"{self.hub.url}hub/login").text
        form = {"username": self.name, "password": PASSWORD, "_xsrf": field(page, "_xsrf")}
        self.load(f"{self.hub.url}hub/login", form=form)
        assert "/hub/login" not in self.url, "the Hub let nobody in"

    def log_out(self) -> None:
        """Log out at the Hub."""
        self.open(f"{self.hub.url}hub/logout")

    def open(self, url: str) -> httpx2.Response:
        """Follow a link of a notebook or type an address; return the page that it ends at."""
        return self.load(url)

    def press(self, page: httpx2.Response, element: str) -> httpx2.Response:
        """Press a link of an isolated page, whose origin is opaque."""
        found = re.search(rf'<a [^>]*id="{element}"[^>]*href="([^"]+)"', page.text)
        assert found, page.text
        return self.load(urljoin(str(page.url), html.unescape(found[1])), site="cross-site")

    def load(
        self,
        url: str,
        *,
        site: str = "same-origin",
        form: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        away: str = "",
    ) -> httpx2.Response:
        """Load a page as a browser does, through redirects and pages that go on by themselves.

        `headers` are what no browser sends by itself. A redirect to `away` is returned itself.
        """
        for _ in range(_HOPS):
            answer = self.browser.request(
                "GET" if form is None else "POST",
                url,
                data=form,
                headers={**self._says(site), **(headers or {})},
            )
            self.url = url
            onward = answer.headers.get("location", "")
            if away and onward.startswith(away):
                return answer
            if not answer.is_redirect:
                refresh = _REFRESH.search(answer.text)
                if refresh is None:
                    return self._authorize(answer) if _AUTHORIZE in answer.text else answer
                onward, site = html.unescape(refresh[1]), "same-origin"
            before, url, form = url, urljoin(url, onward), None
            site = _farther(site, before, url)
        raise AssertionError(f"no page after {_HOPS} redirects: {url}")

    def _authorize(self, page: httpx2.Response) -> httpx2.Response:
        """Let a server that is somebody else's know who this is: the Hub asks for it once."""
        form = {"_xsrf": field(page.text, "_xsrf"), "scopes": values(page.text, "scopes")}
        return self.load(str(page.url), form=form)

    def _says(self, site: str) -> dict[str, str]:
        return {
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Sec-Fetch-Site": site,
            "Sec-Fetch-User": "?1",
        }

    def at_demo(self, page: httpx2.Response, who: str = "amara") -> httpx2.Response:
        """Sign in at the demo provider and agree; return the page that the callback ends at."""
        issuer = "{0.scheme}://{0.netloc}".format(urlsplit(str(page.url)))
        if "/authorize/person" in page.text:
            chosen = {"request": field(page.text, "request"), "person": who}
            page = self.load(f"{issuer}/authorize/person", form=chosen)
        agreed = {
            "request": field(page.text, "request"),
            "decision": "allow",
            "scope": values(page.text, "scope"),
        }
        return self.load(f"{issuer}/authorize/consent", form=agreed)


class Kernel:
    """A kernel that a person started on a server, through the proxy, as a front end does."""

    def __init__(self, hub: Hub, base: str, token: str, notebook: str = "") -> None:
        self.hub = hub
        self.server = hub.url + base
        self.token = token
        self._client = hub.client()
        self._cells: dict[str, Cell] = {}
        self.id = str(self._begin(notebook)["id"])
        options = {} if hub.verify else {"sslopt": {"cert_reqs": ssl.CERT_NONE}}
        self._channel = websocket.create_connection(
            self.server.replace("http", "ws", 1) + f"api/kernels/{self.id}/channels",
            header=[f"Authorization: token {token}"],
            origin=hub.origin,
            timeout=180,
            **options,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _begin(self, notebook: str) -> dict[str, Any]:
        if not notebook:
            return dict(self.call("POST", "api/kernels", {}))
        body = {"path": notebook, "name": notebook, "type": "notebook", "kernel": {}}
        return dict(self.call("POST", "api/sessions", body)["kernel"])

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the server's API with the token of the page, as JupyterLab does."""
        headers = {"Authorization": f"token {self.token}", "Origin": self.hub.origin}
        answer = self._client.request(method, self.server + path, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def run(self, code: str) -> str:
        """Run a cell to its end; return what it printed, or its error."""
        return self._execute(code).text()

    @contextmanager
    def asking(self, code: str) -> Iterator[Cell]:
        """Run a cell during the block; it is interrupted when it has not ended by then."""
        cell = self._execute(code)
        try:
            yield cell
        finally:
            if not cell.ended.is_set():
                self.call("POST", f"api/kernels/{self.id}/interrupt")
                cell.ended.wait(30)

    def _execute(self, code: str) -> Cell:
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "test"}
        message = {
            "channel": "shell",
            "header": {**header, "username": "", "version": "5.3"},
            "parent_header": {},
            "metadata": {"cellId": "test"},
            "content": {"code": code, "silent": False, "store_history": False, "allow_stdin": True},
        }
        cell = self._cells[header["msg_id"]] = Cell()
        self._channel.send(json.dumps(message))
        return cell

    def _read(self) -> None:
        with contextlib.suppress(websocket.WebSocketException, OSError):
            while text := self._channel.recv():
                message = json.loads(text)
                cell = self._cells.get(message["parent_header"].get("msg_id", ""))
                if cell is not None:
                    cell.take(message["header"]["msg_type"], message["content"])

    def end(self) -> None:
        """End the kernel, if its server has not."""
        with contextlib.suppress(AssertionError, httpx2.HTTPError):
            self.call("DELETE", f"api/kernels/{self.id}")
        self._channel.close()
        self._reader.join(20)


class Cell:
    """What a front end sees of one cell while it runs."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self._asked = threading.Event()
        self._printed: list[str] = []
        self._links: list[str] = []

    def link(self) -> str:
        """Wait for the link of its newest card, and return it."""
        assert self._asked.wait(60), "nothing happened"
        assert self._links, "".join(self._printed)
        return self._links[-1]

    def text(self) -> str:
        """Wait until it has ended; return what it printed and its results."""
        assert self.ended.wait(90), "the cell did not end"
        return "".join(self._printed).strip()

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Take a message of the kernel that belongs to this cell."""
        if links := _LINK.findall(json.dumps(content)):
            self._links += links
            self._asked.set()
        elif kind == "stream":
            self._printed.append(content["text"])
        elif kind == "execute_result":
            self._printed.append(content["data"].get("text/plain", ""))
        elif kind == "error":
            self._printed.append("\n".join(content["traceback"]))
        elif kind == "status" and content["execution_state"] == "idle":
            self.ended.set()
            self._asked.set()


def field(page: str, name: str) -> str:
    """Return the value of the one field of a name."""
    [value] = set(values(page, name))
    return value


def values(page: str, name: str) -> list[str]:
    """Return the values of all fields of a name."""
    tags = [tag for tag in re.findall(r"<input[^>]*>", page) if f'name="{name}"' in tag]
    return [html.unescape(value) for tag in tags for value in re.findall(r'value="([^"]*)"', tag)]


def _farther(site: str, before: str, after: str) -> str:
    """Return `Sec-Fetch-Site` after a redirect: once away from home, it stays so (§2.3)."""
    old, new = urlsplit(before), urlsplit(after)
    if (old.scheme, old.netloc) == (new.scheme, new.netloc) or site == "cross-site":
        return site
    return "same-site" if (old.scheme, old.hostname) == (new.scheme, new.hostname) else "cross-site"
