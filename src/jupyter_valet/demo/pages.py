"""The demo provider's pages: who signs in, what is allowed, what went wrong."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import jinja2
from aiohttp import web

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader(__package__, "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _headers(redirect_uri: str) -> dict[str, str]:
    """Return headers that let a page be shown, alone, and its form end at `redirect_uri`.

    Chromium applies `form-action` to the redirect after a form too, hence the client's origin.
    """
    parts = urlsplit(redirect_uri)
    back = f" {parts.scheme}://{parts.netloc}" if redirect_uri else ""
    policy = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self'{back}"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def page(name: str, *, status: int = 200, redirect_uri: str = "", **facts: Any) -> web.Response:
    """Return the page `name`.html filled with `facts`, all of them escaped."""
    text = _TEMPLATES.get_template(f"{name}.html").render(**facts)
    return web.Response(
        text=text, status=status, content_type="text/html", headers=_headers(redirect_uri)
    )


def stylesheet() -> web.Response:
    """Return the one style sheet of all pages."""
    source, _, _ = _TEMPLATES.loader.get_source(_TEMPLATES, "style.css")  # type: ignore[union-attr]
    return web.Response(text=source, content_type="text/css")
