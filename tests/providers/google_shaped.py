"""A strict server in the shape of Google's; each quirk names where it is written down.

[web]       developers.google.com/identity/protocols/oauth2/web-server
[granular]  developers.google.com/identity/protocols/oauth2/resources/granular-permissions
[expiry]    developers.google.com/identity/protocols/oauth2#expiration
[device]    developers.google.com/identity/protocols/oauth2/limited-input-device
[oidc]      developers.google.com/identity/openid-connect/openid-connect
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from aiohttp import web
from local_server import LocalServer

from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.oauth import OAuthApp, Profile, profiles
from jupyter_valet.broker.secret import Secret

CLIENT_ID = "1234.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-client-secret"
REDIRECT_URI = "http://127.0.0.1:8888/valet/callback/google"
LONG = {
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
}


@dataclass
class _Grant:
    """What one account has allowed the app, over all its sign-ins."""

    scopes: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)
    access_tokens: set[str] = field(default_factory=set)


class GoogleShaped(LocalServer):
    def __init__(self) -> None:
        self.account = {"sub": "110169484474386276334", "email": "jane@example.com"}
        self.unticked: set[str] = set()
        self.invalid_grant: dict[str, str] = {}
        """Members of the error answer, once set, to every refresh."""
        self.grants: dict[str, _Grant] = {}
        self.codes: dict[str, tuple[str, str, set[str], bool]] = {}
        self.refreshes = 0
        self.revoked: list[str] = []
        self.asked: dict[str, str] = {}
        self.device_scopes: set[str] = set()
        self.polls: list[str] = []
        """The errors that the next polls get; then the tokens."""

    def routes(self, app: web.Application) -> None:
        app.router.add_get("/o/oauth2/v2/auth", self.authorize)
        app.router.add_post("/token", self.token)
        app.router.add_post("/device/code", self.device_code)
        app.router.add_post("/revoke", self.revoke)
        app.router.add_get("/v1/userinfo", self.userinfo)

    @property
    def profile(self) -> Profile:
        """The built-in profile, at this address."""
        return replace(
            profiles({})["google"],
            issuer=self.url,
            authorization_endpoint=f"{self.url}/o/oauth2/v2/auth",
            token_endpoint=f"{self.url}/token",
            revocation_endpoint=f"{self.url}/revoke",
            userinfo_endpoint=f"{self.url}/v1/userinfo",
            device=replace(profiles({})["google"].device, endpoint=f"{self.url}/device/code"),
            origins=(Origin.parse(self.url),),
            loopback=True,
        )

    @property
    def app(self) -> OAuthApp:
        return OAuthApp("google", self.url, CLIENT_ID, Secret(CLIENT_SECRET))

    async def authorize(self, request: web.Request) -> web.Response:
        query = request.query
        self.asked = dict(query)
        assert query["client_id"] == CLIENT_ID
        assert query["redirect_uri"] == REDIRECT_URI
        assert query["code_challenge_method"] == "S256"
        sub = self.account["sub"]
        grant = self.grants.setdefault(sub, _Grant())
        # [granular] the person may untick any scope but those of sign-in.
        granted = set(query["scope"].split()) - self.unticked
        first = not grant.scopes
        grant.scopes |= granted
        # [web] "include_granted_scopes": the new token has the earlier scopes too.
        if query.get("include_granted_scopes") == "true":
            granted = set(grant.scopes)
        # [web] a refresh token comes with `offline`, at the first consent or after another one.
        offline = query.get("access_type") == "offline"
        with_refresh = offline and (first or "consent" in query.get("prompt", ""))
        code = "4/" + secrets.token_urlsafe(20)
        self.codes[code] = (sub, query["code_challenge"], granted, with_refresh)
        answer = {"state": query["state"], "code": code, "scope": _long(granted)}
        raise web.HTTPFound(f"{REDIRECT_URI}?{urlencode(answer)}")

    async def device_code(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.device_scopes = set(str(form["scope"]).split())
        # [device] "Step 2": the draft's name for the address, and no `…_complete`.
        answer = {
            "device_code": "4/" + secrets.token_urlsafe(20),
            "user_code": "GQVQ-JKEC",
            "verification_url": f"{self.url}/device",
            "expires_in": 1800,
            "interval": 5,
        }
        return web.json_response(answer)

    def _poll(self) -> web.Response:
        # [device] "Step 6": 428 while the person has not answered, 403 when asked too often.
        if self.polls:
            error = self.polls.pop(0)
            return _error(error, status=428 if error == "authorization_pending" else 403)
        sub = self.account["sub"]
        grant = self.grants.setdefault(sub, _Grant())
        answer = self._answer(sub, self.device_scopes)
        answer["refresh_token"] = "1//" + secrets.token_urlsafe(30)
        grant.refresh_tokens.add(str(answer["refresh_token"]))
        return web.json_response(answer)

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return _error("invalid_client", status=401)
        if form.get("grant_type") == "urn:ietf:params:oauth:grant-type:device_code":
            return self._poll()
        if form.get("grant_type") == "refresh_token":
            return self._refresh(str(form["refresh_token"]))
        return self._redeem({name: str(value) for name, value in form.items()})

    def _redeem(self, form: dict[str, str]) -> web.Response:
        found = self.codes.pop(form.get("code", ""), None)
        if found is None or form.get("redirect_uri") != REDIRECT_URI:
            return _error("invalid_grant")
        sub, challenge, granted, with_refresh = found
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge:
            return _error("invalid_grant")
        answer = self._answer(sub, granted)
        if with_refresh:
            answer["refresh_token"] = "1//" + secrets.token_urlsafe(30)
            self.grants[sub].refresh_tokens.add(str(answer["refresh_token"]))
        return web.json_response(answer)

    def _refresh(self, refresh_token: str) -> web.Response:
        self.refreshes += 1
        if self.invalid_grant:
            return _error("invalid_grant", **self.invalid_grant)
        for sub, grant in self.grants.items():
            if refresh_token in grant.refresh_tokens:
                # [web] "Refreshing an access token": the answer holds no refresh token.
                return web.json_response(self._answer(sub, grant.scopes))
        return _error("invalid_grant")

    def _answer(self, sub: str, scopes: set[str]) -> dict[str, object]:
        token = "ya29." + secrets.token_urlsafe(30)
        self.grants[sub].access_tokens.add(token)
        # [oidc] the scopes come back in their long form.
        return {
            "access_token": token,
            "expires_in": 3599,
            "scope": _long(scopes),
            "token_type": "Bearer",
        }

    async def revoke(self, request: web.Request) -> web.Response:
        token = str((await request.post()).get("token"))
        for sub, grant in list(self.grants.items()):
            if token in grant.refresh_tokens | grant.access_tokens:
                # [web] "Revoking a token": either token ends the whole grant.
                del self.grants[sub]
                self.revoked.append(token)
                return web.json_response({})
        return _error("invalid_token")

    async def userinfo(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if any(token in grant.access_tokens for grant in self.grants.values()):
            return web.json_response(self.account)
        return _error("invalid_request", status=401)


def _long(scopes: set[str]) -> str:
    return " ".join(sorted(LONG.get(scope, scope) for scope in scopes))


def _error(code: str, status: int = 400, **more: str) -> web.Response:
    answer = {"error": code, "error_description": "text of upstream that must stay there", **more}
    return web.json_response(answer, status=status)
