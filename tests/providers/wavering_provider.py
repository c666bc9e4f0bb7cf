"""A small authorization server whose token endpoint does what a test says, and keeps what it got.

Its sign-in page has one link, so a browser stays there as long as a person would. Tokens, codes and
the client's secret begin with `canary-`, so that a search for them cannot miss one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CANARY = "canary-"
CLIENT_ID = "wavering-client"

Form = dict[str, str]


@dataclass
class Wavering:
    """A running provider. `mood` is what the token endpoint does with the next requests."""

    url: str = ""
    mood: str = "well"
    posted: list[tuple[str, Form]] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    polls: list[str] = field(default_factory=list)
    """What the next polls for a device code get: an error code, or `down`."""
    typed: bool = False
    """Whether the person has typed the user code; until then a poll is told to wait."""
    code_answer: dict[str, Any] = field(default_factory=dict)
    """What of the answer with the codes is otherwise than it should be; None: left out."""
    _challenges: dict[str, str] = field(default_factory=dict)

    def profile(self, **more: Any) -> dict[str, Any]:
        """Return what `ValetExtension.providers` says of it: own endpoints, no discovery."""
        return {
            "issuer": self.url,
            "title": "Wavering",
            "loopback": True,
            "client_id": CLIENT_ID,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "revocation_endpoint": f"{self.url}/revoke",
            "device_authorization_endpoint": f"{self.url}/device",
            "scopes": ["read"],
            "token_auth": "none",
            **more,
        }

    def forms(self, path: str) -> list[Form]:
        """Return what was posted to `path`."""
        return [form for where, form in self.posted if where == path]

    def canary(self) -> str:
        self.issued.append(CANARY + secrets.token_urlsafe(24))
        return self.issued[-1]

    def code(self, challenge: str) -> str:
        code = self.canary()
        self._challenges[code] = challenge
        return code

    def codes(self) -> tuple[int, str, str]:
        """Return the answer of the device authorization endpoint (RFC 8628 §3.2)."""
        self.typed = False
        user_code = self.canary()[:20]
        answer = {
            "device_code": self.canary(),
            "user_code": user_code,
            "verification_uri": f"{self.url}/activate",
            "verification_uri_complete": f"{self.url}/activate?user_code={user_code}",
            "expires_in": 600,
            "interval": 1,
            **self.code_answer,
        }
        told = {name: value for name, value in answer.items() if value is not None}
        return 200, "application/json", json.dumps(told)

    def poll(self) -> tuple[int, str, str] | None:
        """Return the refusal of a poll (§3.5), None when it gets its tokens."""
        error = self.polls.pop(0) if self.polls else ""
        if error == "down":
            return 503, "text/plain", "try again later"
        if not error and not self.typed:
            error = "authorization_pending"
        return (400, "application/json", json.dumps({"error": error})) if error else None

    def tokens(self, form: Form) -> tuple[int, str, str]:
        """Return status, content type and body of the token endpoint's answer."""
        match self.mood:
            case "down":
                return 503, "text/plain", "try again later"
            case "html":
                return 200, "text/html", "<h1>Welcome!</h1>"
            case "error":
                return 200, "application/json", '{"error": "server_error"}'
            case "invalid_client":
                return 401, "application/json", '{"error": "invalid_client"}'
            case "slow":
                time.sleep(3)
        if form.get("grant_type") == "authorization_code":
            proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            expected = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
            if self._challenges.pop(form.get("code", ""), None) != expected:
                return 400, "application/json", '{"error": "invalid_grant"}'
        if form.get("grant_type", "").endswith(":device_code") and (refusal := self.poll()):
            return refusal
        answer = {
            "access_token": self.canary(),
            "refresh_token": self.canary(),
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "read",
        }
        return 200, "application/json", json.dumps(answer)


@contextmanager
def wavering_provider() -> Iterator[Wavering]:
    """Run the provider on loopback until the block ends."""
    provider = Wavering()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, text = self.path.partition("?")
            query = {name: values[0] for name, values in parse_qs(text).items()}
            if path == "/authorize":
                self._ask(query)
            elif path == "/activate":
                self._activate(query)
            elif path == "/userinfo":
                self._send(200, "application/json", '{"sub": "7", "preferred_username": "jane"}')
            else:
                self._send(404, "text/plain", "")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            path = urlsplit(self.path).path
            provider.posted.append((path, form))
            answers = {"/token": lambda: provider.tokens(form), "/device": provider.codes}
            self._send(*answers.get(path, lambda: (200, "text/plain", ""))())

        def _ask(self, query: Form) -> None:
            answer = {"code": provider.code(query["code_challenge"]), "state": query["state"]}
            back = escape(f"{query['redirect_uri']}?{urlencode(answer)}")
            self._send(200, "text/html", f"<title>Wavering</title><a href='{back}'>Allow</a>")

        def _activate(self, query: Form) -> None:
            provider.typed = "allow" in query
            link = "<a href='/activate?allow=1'>Allow</a>"
            self._send(200, "text/html", "Allowed" if provider.typed else link)

        def _send(self, status: int, kind: str, body: str) -> None:
            content = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
