"""Programs that signed in with Jupyter: the press that signs one out."""

from __future__ import annotations

from typing import Any

from ...wire import authorization
from ...wire.routes import PAGE_CONNECTIONS
from .connections import PressOnList


class EndProgram(PressOnList):
    """Signs a program out, wherever it runs."""

    method = authorization.PROGRAMS_END

    def facts(self, fields: dict[str, str]) -> dict[str, Any]:
        """Return which program."""
        return {"program": fields.get("program", "")}


HANDLERS = [(f"{PAGE_CONNECTIONS}/program/end", EndProgram)]
