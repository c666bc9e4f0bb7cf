"""The listener's routes for functions: JSON in, a kernel's own functions, JSON out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...wire.errors import ValetError
from ...wire.functions import POLL_SECONDS, Function, Report
from ..kernels import Caller
from .functions import Functions


@dataclass(frozen=True)
class FunctionRoutes:
    """What a kernel asks about its functions."""

    functions: Functions
    caller: Caller

    async def answer(
        self, method: str, path: Sequence[str], query: Mapping[str, str], body: bytes
    ) -> dict[str, Any]:
        """Do what the request asks. Raises `ValetError`."""
        match method, list(path):
            case "PUT", []:
                self.functions.declare(self.caller, _declared(_object(body)))
                return {}
            case "GET", ["calls"]:
                calls = await self.functions.fetch(self.caller, _seconds(query.get("wait", "0")))
                return calls.to_json()
            case "POST", ["calls", id]:
                self.functions.report(self.caller, id, _report(_object(body)))
                return {}
        raise ValetError("not_found", what="route")


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise ValetError("bad_request", what="the body is not a JSON object")
    return data


def _declared(data: dict[str, Any]) -> list[Function]:
    try:
        return [Function.from_json(function) for function in data["functions"]]
    except (KeyError, TypeError, AttributeError):
        raise ValetError("bad_request", what="the body declares no functions") from None


def _report(data: dict[str, Any]) -> Report:
    try:
        report = Report.from_json(data)
    except TypeError:
        raise ValetError("bad_request", what="the body is no report of a call") from None
    numbers = (report.progress, 0.0 if report.total is None else report.total)
    if not (
        isinstance(report.done, bool)
        and isinstance(report.error, str)
        and isinstance(report.message, str)
        and all(isinstance(n, int | float) for n in numbers)
        and isinstance(report.content, list)
        and all(isinstance(block, dict) for block in report.content)
    ):
        raise ValetError("bad_request", what="the body is no report of a call")
    return report


def _seconds(text: str) -> float:
    try:
        return min(max(float(text), 0.0), POLL_SECONDS)
    except ValueError:
        raise ValetError("bad_request", what="wait is a number of seconds") from None
