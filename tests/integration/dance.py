"""Programs that sign in with Jupyter: byte by byte, and by the SDK; and the person at the page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
from jupyter_process import LOADED, PRESSED, Answer, Server
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import AuthorizationCodeResult
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

ISSUER = "valet/oauth"
FORM = "application/x-www-form-urlencoded"
VERIFIER = "the-verifier-of-the-tests-which-is-long-enough"
REDIRECT = "http://127.0.0.1:33418/callback"

OPENED = {**LOADED, "Sec-Fetch-Site": "none"}
"""What a browser says when another program opens a page in it."""


def challenge(verifier: str = VERIFIER) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


# The program, byte by byte -----------------------------------------------------------------------


def post(server: Server, path: str, body: str, kind: str = FORM, **headers: str) -> Answer:
    """Post to an endpoint of the issuer, without any cookie."""
    sent = {"Content-Type": kind, **headers}
    return server.request("POST", f"{ISSUER}/{path}", sent, body=body, login=False)


def register(server: Server, *redirects: str, **metadata: Any) -> Answer:
    said = {"client_name": "Editor", "redirect_uris": list(redirects or [REDIRECT]), **metadata}
    return post(server, "register", json.dumps(said), "application/json")


def registered(server: Server, *redirects: str, **metadata: Any) -> str:
    answer = register(server, *redirects, **metadata)
    assert answer.status == 201, answer.body
    return str(json.loads(answer.body)["client_id"])


def request(server: Server, client_id: str, **changes: str | None) -> str:
    """Return the path of an authorization request; a change to None leaves a parameter out."""
    usual: dict[str, str | None] = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT,
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
        "state": "the-state",
        "scope": "tools:read",
        "resource": f"{server.url}valet/mcp",
        **changes,
    }
    given = {name: value for name, value in usual.items() if value is not None}
    return f"{ISSUER}/authorize?{urlencode(given)}"


def token(server: Server, **fields: str) -> Answer:
    return post(server, "token", urlencode(fields))


def redeem(server: Server, client_id: str, code: str, **changes: str) -> Answer:
    return token(
        server,
        **{
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            **changes,
        },
    )


def refresh(server: Server, client_id: str, refresh_token: str, **changes: str) -> Answer:
    fields = {"client_id": client_id, "refresh_token": refresh_token, **changes}
    return token(server, grant_type="refresh_token", **fields)


def signed_in(server: Server, client_id: str, scope: str = "tools:read") -> dict[str, Any]:
    """Do the whole dance; return the token endpoint's answer."""
    location = allow(server, server.get(request(server, client_id, scope=scope), OPENED)).location
    answer = redeem(server, client_id, answered(location)["code"])
    assert answer.status == 200, answer.body
    return dict(json.loads(answer.body))


def answered(location: str) -> dict[str, str]:
    """Return the parameters of a redirect."""
    return {name: value for name, [value] in parse_qs(urlsplit(location).query).items()}


# The person --------------------------------------------------------------------------------------


def boxes(page: Answer) -> dict[str, str]:
    """Return the ticked boxes of a page, as a form sends them."""
    return dict(re.findall(r'type="checkbox" name="(\w+)" value="([^"]+)" checked', page.body))


def allow(server: Server, page: Answer, scopes: Sequence[str] = (), **more: str) -> Answer:
    """Press *Allow*, with other boxes ticked if `scopes` says so."""
    form = re.search(r'<form method="get" action="([^"]+)">', page.body)
    auth = re.search(r'name="auth" value="([^"]+)"', page.body)
    assert form, page.body
    assert auth
    ticked = {f"scope{i}": scope for i, scope in enumerate(scopes)} or boxes(page)
    path = form[1].removeprefix(server.base)
    return server.get(f"{path}?{urlencode({'auth': auth[1], **ticked, **more})}", PRESSED)


def decline(server: Server, page: Answer) -> Answer:
    link = re.search(r'id="decline"[^>]* href="([^"]+)"', page.body)
    assert link, page.body
    return server.get(unescape(link[1]).removeprefix(server.base), PRESSED)


# The program, by the SDK -------------------------------------------------------------------------


@dataclass
class Storage:
    """Where the SDK keeps what it has."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class Program:
    """The SDK's client of the dance, whose browser is the person of `server`."""

    server: Server
    storage: Storage = field(default_factory=Storage)
    asked: list[Mapping[str, str]] = field(default_factory=list)
    """The parameters of each authorization request."""
    location: str = ""

    @cached_property
    def auth(self) -> OAuthClientProvider:
        metadata = OAuthClientMetadata(
            redirect_uris=[REDIRECT], client_name="SDK program", token_endpoint_auth_method="none"
        )
        url = f"{self.server.url}valet/mcp"
        return OAuthClientProvider(url, metadata, self.storage, self._opens, self._came_back)

    async def _opens(self, url: str) -> None:
        self.asked.append(answered(url))
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}".removeprefix(self.server.base)
        page = self.server.get(path, OPENED)
        assert page.status == 200, page.body
        self.location = allow(self.server, page).location

    async def _came_back(self) -> AuthorizationCodeResult:
        back = answered(self.location)
        return AuthorizationCodeResult(code=back["code"], state=back["state"], iss=back["iss"])

    @property
    def http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(auth=self.auth, timeout=60)
