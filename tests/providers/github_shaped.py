"""A strict server in the shape of GitHub's OAuth apps; each quirk names where it is written down.

[apps]    docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
[errors]  docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/
          troubleshooting-oauth-app-access-token-request-errors
[scopes]  docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
[rest]    docs.github.com/en/rest/apps/oauth-applications
[pkce]    github.blog/changelog/2025-07-14-pkce-support-for-oauth-and-github-app-authentication
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from aiohttp import web
from local_server import LocalServer

from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.oauth import DeviceFlow, OAuthApp, Profile, Revocation, profiles
from jupyter_valet.broker.secret import Secret

CLIENT_ID = "Ov23liTestClient"
CLIENT_SECRET = "github-client-secret"
REDIRECT_URI = "http://127.0.0.1:8888/valet/callback/github"


@dataclass
class _Code:
    challenge: str
    scopes: list[str]
    user: dict[str, object]


class GitHubShaped(LocalServer):
    def __init__(self) -> None:
        self.user: dict[str, object] = {"id": 583231, "login": "octocat", "name": "The Octocat"}
        self.granted_instead: list[str] | None = None
        """What the server grants whatever was asked for: "edited scopes" [scopes]."""
        self.always_form = False
        self.deny = False
        self.codes: dict[str, _Code] = {}
        self.tokens: dict[str, dict[str, object]] = {}
        self.accepts: list[str] = []
        self.device_flow = True
        """Whether the app's settings allow the device flow [apps, "Device flow"]."""
        self.device_codes: dict[str, list[str]] = {}
        """Scopes by device code."""
        self.polls: list[str] = []
        """The errors that the next polls get; then the tokens."""

    def routes(self, app: web.Application) -> None:
        app.router.add_get("/login/oauth/authorize", self.authorize)
        app.router.add_post("/login/oauth/access_token", self.access_token)
        app.router.add_post("/login/device/code", self.device_code)
        app.router.add_get("/user", self.identity)
        app.router.add_delete("/applications/{client_id}/grant", self.delete_grant)

    @property
    def profile(self) -> Profile:
        """The built-in profile, at this address."""
        real = profiles({})["github"]
        return replace(
            real,
            issuer=f"{self.url}/login/oauth",
            authorization_endpoint=f"{self.url}/login/oauth/authorize",
            token_endpoint=f"{self.url}/login/oauth/access_token",
            userinfo_endpoint=f"{self.url}/user",
            revocation=Revocation(
                real.revocation.style, f"{self.url}/applications/{{client_id}}/grant"
            ),
            device=DeviceFlow(endpoint=f"{self.url}/login/device/code"),
            origins=(Origin.parse(self.url),),
            loopback=True,
        )

    @property
    def app(self) -> OAuthApp:
        return OAuthApp("github", self.profile.issuer, CLIENT_ID, Secret(CLIENT_SECRET))

    async def authorize(self, request: web.Request) -> web.Response:
        query = request.query
        # [pkce] S256 is the only method.
        assert query["code_challenge_method"] == "S256"
        assert query["client_id"] == CLIENT_ID
        assert query["redirect_uri"] == REDIRECT_URI
        if self.deny:
            # [errors for the authorization request] the description is free text.
            answer = {
                "error": "access_denied",
                "error_description": "<script>alert(1)</script>",
                "state": query["state"],
            }
        else:
            # [apps] scopes are separated by spaces in the request.
            scopes = self.granted_instead
            if scopes is None:
                scopes = query.get("scope", "").split(" ")
            code = secrets.token_hex(10)
            self.codes[code] = _Code(query["code_challenge"], _normalized(scopes), self.user)
            answer = {"code": code, "state": query["state"]}
        raise web.HTTPFound(f"{query['redirect_uri']}?{urlencode(answer)}")

    async def access_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.accepts.append(request.headers.get("Accept", ""))
        answer = self._token_answer({name: str(value) for name, value in form.items()})
        # [apps] form-encoded unless JSON is asked for; [errors] come with status 200.
        if "application/json" in request.headers.get("Accept", "") and not self.always_form:
            return web.json_response(answer)
        return web.Response(
            text=urlencode(answer), content_type="application/x-www-form-urlencoded"
        )

    async def device_code(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form.get("client_id") == CLIENT_ID
        if not self.device_flow:
            return web.json_response(_error("device_flow_disabled"))
        code = secrets.token_hex(20)
        self.device_codes[code] = str(form.get("scope", "")).split(" ")
        answer = {
            "device_code": code,
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.url}/login/device",
            "expires_in": 900,
            "interval": 5,
        }
        return web.json_response(answer)

    def _poll(self, form: dict[str, str]) -> dict[str, object]:
        # [apps] "the client secret is not needed"; the errors come with status 200, and `slow_down`
        # with the new interval.
        if self.polls:
            error = self.polls.pop(0)
            return {**_error(error), **({"interval": 10} if error == "slow_down" else {})}
        scopes = _normalized(self.device_codes.pop(form["device_code"]))
        token = "gho_" + secrets.token_hex(18)
        self.tokens[token] = self.user
        return {"access_token": token, "scope": ",".join(scopes), "token_type": "bearer"}

    def _token_answer(self, form: dict[str, str]) -> dict[str, object]:
        if form.get("grant_type") == "urn:ietf:params:oauth:grant-type:device_code":
            return self._poll(form)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return _error("incorrect_client_credentials")
        if form.get("redirect_uri") != REDIRECT_URI:
            return _error("redirect_uri_mismatch")
        code = self.codes.pop(form.get("code", ""), None)  # [apps] single use
        if code is None or _s256(form.get("code_verifier", "")) != code.challenge:
            return _error("bad_verification_code")
        token = "gho_" + secrets.token_hex(18)
        self.tokens[token] = code.user
        # [apps] comma-separated in the answer; no refresh token and no expiry for OAuth apps.
        return {"access_token": token, "scope": ",".join(code.scopes), "token_type": "bearer"}

    async def identity(self, request: web.Request) -> web.Response:
        # docs.github.com/en/rest/using-the-rest-api: a User-Agent is required.
        if not request.headers.get("User-Agent"):
            return web.Response(status=403)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        user = self.tokens.get(token)
        if user is None:
            return web.json_response({"message": "Bad credentials"}, status=401)
        return web.json_response(user)

    async def delete_grant(self, request: web.Request) -> web.Response:
        # [rest] "Delete an app authorization": Basic authentication with the app's id and secret.
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return web.json_response({"message": "Not Found"}, status=404)
        token = (await request.json())["access_token"]
        if token not in self.tokens:
            return web.json_response({"message": "Not Found"}, status=404)
        self.tokens.clear()  # the authorization ends with all its tokens
        return web.Response(status=204)


def _normalized(scopes: list[str]) -> list[str]:
    # [scopes] "Normalized scopes": `user,gist,user:email` is granted as `user,gist`.
    if "user" in scopes:
        scopes = [s for s in scopes if s not in ("read:user", "user:email", "user:follow")]
    return sorted(set(scopes) - {""})


def _error(code: str) -> dict[str, object]:
    return {
        "error": code,
        "error_description": "text of upstream that must stay there",
        "error_uri": "https://docs.github.com/apps",
    }


def _s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
