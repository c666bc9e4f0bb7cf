"""The listener's routes for APIs and servers that a notebook adds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ...wire.errors import ValetError
from ...wire.toolsets import MAX_DOCUMENT, AddRequest, ServerRequest
from ..kernels import Caller
from ..upstream import Upstreams
from .additions import Additions

MAX_BODY = MAX_DOCUMENT + MAX_DOCUMENT // 4
"""A document in JSON's quotes is somewhat longer."""

R = TypeVar("R", AddRequest, ServerRequest)


@dataclass(frozen=True)
class ToolsetRoutes:
    """What a notebook asks about what it added."""

    additions: Additions
    upstreams: Upstreams
    caller: Caller

    async def answer(self, method: str, path: Sequence[str], body: bytes) -> dict[str, Any]:
        """Do what the request asks. Raises `ValetError`."""
        match method, list(path):
            case "GET", []:
                return {"toolsets": [view.to_json() for view in self.additions.views(self.caller)]}
            case "POST", []:
                asked = _read(AddRequest, body)
                return (await self.additions.add(self.caller, asked)).to_json()
            case "POST", ["servers"]:
                server = _read(ServerRequest, body)
                self.upstreams.add(self.caller, server.name, server.url)
                return {}
            case "DELETE", [name]:
                if not self.upstreams.remove(self.caller, name):
                    self.additions.remove(self.caller, name)
                return {}
        raise ValetError("not_found", what="route")


def _read(kind: type[R], body: bytes) -> R:
    try:
        asked = kind.from_json(json.loads(body))
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise ValetError("bad_request", what="the body adds nothing") from None
    for name, value in asked.to_json().items():
        if type(value) is not (dict if name == "overrides" else str) or not _is_text(value):
            raise ValetError("bad_request", what="the body adds nothing")
    return asked


def _is_text(value: str | dict[str, Any]) -> bool:
    """Tell whether it can be written down: JSON may hold half a character, and UTF-8 none."""
    try:
        (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True
