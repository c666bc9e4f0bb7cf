"""An issuer of access tokens: metadata, keys that rotate, introspection, and bad days."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from local_server import LocalServer

CLIENT_ID = "the resource server"
CLIENT_SECRET = "canary-introspection-secret"


class TokenIssuer(LocalServer):
    """`asked` counts requests by path; `down` answers all of them with 503."""

    def __init__(self) -> None:
        self.keys: list[Key] = [new_key("RS256", "first")]
        self.asked: Counter[str] = Counter()
        self.down = False
        self.metadata: dict[str, Any] = {}
        self.active: dict[str, dict[str, Any]] = {}
        self.looked_up: list[str] = []
        self.more_keys: list[dict[str, Any]] = []

    def routes(self, app: web.Application) -> None:
        app.router.add_get("/.well-known/oauth-authorization-server", self._metadata)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_post("/introspect", self._introspect)

    async def _metadata(self, request: web.Request) -> web.Response:
        document = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "introspection_endpoint": f"{self.url}/introspect",
        }
        return self._answer(request, {**document, **self.metadata})

    async def _jwks(self, request: web.Request) -> web.Response:
        keys = [{**key.as_dict(private=False)} for key in self.keys]
        return self._answer(request, {"keys": [*self.more_keys, *keys]})

    async def _introspect(self, request: web.Request) -> web.Response:
        scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
        user, _, secret = base64.b64decode(pair).decode().partition(":")
        if (scheme, user, secret) != ("Basic", CLIENT_ID.replace(" ", "+"), CLIENT_SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        token = str((await request.post())["token"])
        self.looked_up.append(token)
        found = self.active.get(token)
        return self._answer(request, {"active": True, **found} if found else {"active": False})

    def _answer(self, request: web.Request, document: Any) -> web.Response:
        self.asked[request.path] += 1
        if self.down:
            return web.Response(status=503)
        return web.json_response(document)

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Return claims of RFC 9068, good for a minute; one that is None is left out."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "sub": "jane",
            "client_id": "editor-1",
            "aud": "https://jupyter.example.org/valet/mcp",
            "scope": "tools:read",
            "iat": now,
            "exp": now + 60,
            "jti": "1",
        }
        return {name: value for name, value in {**usual, **changed}.items() if value is not None}

    def token(self, key: Key | None = None, header: Any = None, **changed: Any) -> str:
        """Return a signed token with these claims changed."""
        key = key or self.keys[0]
        head = {"alg": key.get("alg"), "kid": key.kid, "typ": "at+jwt", **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        return jwt.encode(head, self.claims(**changed), key, [head["alg"]], default_type=None)


def new_key(algorithm: str, kid: str) -> Key:
    """Return a new private key for an algorithm."""
    named: Any = {"kid": kid, "alg": algorithm, "use": "sig"}
    match algorithm[:2]:
        case "RS" | "PS":
            return RSAKey.generate_key(2048, named)
        case "ES":
            curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm]
            return ECKey.generate_key(curve, named)
        case "HS":
            return OctKey.generate_key(256, named)
    return OKPKey.generate_key("Ed25519", named)


@contextlib.contextmanager
def running(issuer: TokenIssuer) -> Iterator[TokenIssuer]:
    """Serve from a thread, for tests whose own loop is another's."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(issuer.__aenter__(), loop).result(20)
        yield issuer
    finally:
        asyncio.run_coroutine_threadsafe(issuer.__aexit__(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
