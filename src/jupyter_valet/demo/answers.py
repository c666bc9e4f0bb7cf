"""What the demo's APIs have in common: errors as problem documents, and the hosts they are at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

HOST = "127.0.0.1"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def problem(status: int, detail: str, **headers: str) -> web.Response:
    """Return an error as a problem document (RFC 9457)."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return web.json_response(
        {**body, "detail": detail},
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        content_type="application/problem+json",
    )


@web.middleware
async def only_this_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse names that merely resolve to loopback (DNS rebinding)."""
    port = request.get_extra_info("sockname", ("", 0))[1]
    if request.host not in (f"{HOST}:{port}", f"localhost:{port}"):
        return problem(421, "This host is not served here.")
    return await handler(request)


def number(request: web.Request, name: str, usual: int, most: int) -> int | None:
    """Return a whole number of the query from 1 to `most`, or None when it is something else."""
    text = request.query.get(name, str(usual))
    plain = text.isascii() and text.isdigit() and len(text) < 5
    return int(text) if plain and 1 <= int(text) <= most else None
