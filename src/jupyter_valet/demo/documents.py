"""The OpenAPI documents of the demo's three APIs, with the addresses that they have right now."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from . import metadata, scopes


def tracker(issuer: str) -> dict[str, Any]:
    """Return the issue tracker's: read and written with a sign-in (OpenAPI 3.1, OAuth 2.0)."""
    found = _read("tracker", issuer)
    found["components"]["securitySchemes"]["tidewater"]["flows"] = {
        "authorizationCode": {
            "authorizationUrl": issuer + metadata.AUTHORIZE,
            "tokenUrl": issuer + metadata.TOKEN,
            "refreshUrl": issuer + metadata.TOKEN,
            "scopes": dict(scopes.WORDS),
        }
    }
    return found


def weather(server: str) -> dict[str, Any]:
    """Return the weather stations': read with an API key in a header."""
    return _read("weather", server)


def tides(server: str) -> dict[str, Any]:
    """Return the tide tables': open to everybody."""
    return _read("tides", server)


def _read(name: str, server: str) -> dict[str, Any]:
    text = resources.files(__package__).joinpath(f"{name}_api.json").read_text("utf-8")
    return {**json.loads(text), "servers": [{"url": server}]}
