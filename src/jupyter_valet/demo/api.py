"""The REST API: a bearer with the right scope, or the answer that RFC 6750 prescribes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from .answers import problem
from .grants import Access, Grants
from .tracker import Invalid, NotFound, Tracker

Operation = Callable[[web.Request, Access], Awaitable[web.Response]]


def _challenge(**parameters: str) -> dict[str, str]:
    fields = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return {"WWW_Authenticate": f"Bearer {fields}"}


class Api:
    """Operations on the tracker, each behind the scope that it needs."""

    def __init__(self, grants: Grants, tracker: Tracker) -> None:
        self._grants = grants
        self._tracker = tracker

    def routes(self) -> list[web.RouteDef]:
        """Return the API's routes."""
        issues = "/api/projects/{project}/issues"
        one = issues + r"/{number:\d{1,9}}"
        return [
            web.get("/api/me", self._with("profile", self.me)),
            web.get("/userinfo", self._with("", self.userinfo)),
            web.get("/api/projects", self._with("issues:read", self.projects)),
            web.get(issues, self._with("issues:read", self.issues)),
            web.get(one, self._with("issues:read", self.issue)),
            web.post(issues, self._with("issues:write", self.create)),
            web.patch(one, self._with("issues:write", self.update)),
        ]

    def _with(self, scope: str, operation: Operation) -> Callable[[web.Request], Any]:
        """Guard `operation`: 401 without a live token, 403 without `scope` (RFC 6750 §3.1)."""

        async def guarded(request: web.Request) -> web.Response:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not token:
                return problem(401, "A bearer token is needed.", **_challenge(realm="tidewater"))
            access = self._grants.access(token.strip())
            if access is None:
                return _invalid_token()
            if scope and scope not in access.scopes:
                return _insufficient(scope)
            return await self._answer(operation, request, access)

        return guarded

    async def _answer(
        self, operation: Operation, request: web.Request, access: Access
    ) -> web.Response:
        try:
            return await operation(request, access)
        except NotFound as missing:
            return problem(404, f"There is no {missing}.")
        except Invalid as invalid:
            return problem(422, f"{invalid}.")

    async def me(self, request: web.Request, access: Access) -> web.Response:
        """GET /api/me."""
        person = self._tracker.people[access.person]
        return web.json_response(
            {
                "login": person.login,
                "name": person.name,
                "email": person.email,
                "role": person.role,
            }
        )

    async def userinfo(self, request: web.Request, access: Access) -> web.Response:
        """GET /userinfo: `sub` always, the rest with `profile` (OpenID Connect Core §5.3)."""
        person = self._tracker.people[access.person]
        claims = {"sub": person.login}
        if "profile" in access.scopes:
            claims |= {
                "name": person.name,
                "preferred_username": person.login,
                "email": person.email,
            }
        return web.json_response(claims)

    async def projects(self, request: web.Request, access: Access) -> web.Response:
        """GET /api/projects."""
        return web.json_response(self._tracker.projects())

    async def issues(self, request: web.Request, access: Access) -> web.Response:
        """GET /api/projects/{project}/issues."""
        limit = request.query.get("limit", "30")
        if not (limit.isascii() and limit.isdigit() and len(limit) < 5):
            raise Invalid("limit must be a number")
        state = request.query.get("state", "open")
        return web.json_response(
            self._tracker.issues(request.match_info["project"], state, int(limit))
        )

    async def issue(self, request: web.Request, access: Access) -> web.Response:
        """GET /api/projects/{project}/issues/{number}."""
        where = request.match_info
        return web.json_response(self._tracker.issue(where["project"], int(where["number"])))

    async def create(self, request: web.Request, access: Access) -> web.Response:
        """POST /api/projects/{project}/issues."""
        values = await _values(request)
        issue = self._tracker.create(request.match_info["project"], access.person, values)
        headers = {"Location": f"{request.path}/{issue['number']}"}
        return web.json_response(issue, status=201, headers=headers)

    async def update(self, request: web.Request, access: Access) -> web.Response:
        """PATCH /api/projects/{project}/issues/{number}."""
        where = request.match_info
        values = await _values(request)
        return web.json_response(
            self._tracker.update(where["project"], int(where["number"]), values)
        )


async def _values(request: web.Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        raise Invalid("the body must be JSON") from None


def _invalid_token() -> web.Response:
    words = "The token has expired or was revoked."
    challenge = _challenge(realm="tidewater", error="invalid_token", error_description=words)
    return problem(401, words, **challenge)


def _insufficient(scope: str) -> web.Response:
    challenge = _challenge(realm="tidewater", error="insufficient_scope", scope=scope)
    return problem(403, f"The token lacks the scope {scope}.", **challenge)
