"""The rounds of one call: what a server asks in its middle is answered, until it is done.

2026-07-28 asks with `InputRequiredResult` and is called again (MC-01 … MC-04), 2025-11-25 asks
while the call is under way, or refuses with -32042 and is called again.
"""

from __future__ import annotations

from typing import Any

import anyio
from mcp.shared.exceptions import MCPError, UrlElicitationRequiredError
from mcp_types import (
    URL_ELICITATION_REQUIRED,
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    InputRequiredResult,
)
from pydantic import ValidationError

from ...wire.errors import ValetError
from ..catalogue.source import Progress
from .questions import Elicits
from .session import Session
from .settings import Server

_MOST_ROUNDS = 200
"""With the waits below, about a quarter of an hour: a person is in a browser meanwhile."""

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 5.0


async def rounds(
    session: Session,
    server: Server,
    params: CallToolRequestParams,
    progress: Progress,
    elicits: Elicits,
) -> CallToolResult:
    """Call, and answer what `server` asks. Raises as `Session.call` does."""
    opened: set[str] = set()
    wait = _FIRST_WAIT
    for _ in range(_MOST_ROUNDS):
        try:
            result = await session.call(params, progress, elicits)
        except MCPError as error:
            if error.error.code != URL_ELICITATION_REQUIRED or session.modern:
                raise
            if await _opened(error, opened, elicits):
                wait = _FIRST_WAIT
        else:
            if not isinstance(result, InputRequiredResult):
                return result
            answers = await _answers(server, result, elicits)
            if answers is not None:
                wait = _FIRST_WAIT
            params = params.model_copy(
                update={"input_responses": answers, "request_state": result.request_state}
            )
            if answers is not None:
                continue
        await anyio.sleep(wait)  # it is not ready yet: do not press it
        wait = min(wait * 2, _LONGEST_WAIT)
    raise ValetError("upstream_protocol", provider=server.words, what="it asks without end")


async def _answers(
    server: Server, result: InputRequiredResult, elicits: Elicits
) -> dict[str, Any] | None:
    """Answer one question after the other; what was not offered is not answered (EC-02)."""
    if not result.input_requests:
        return None
    answers = {}
    for key, asked in result.input_requests.items():
        if not isinstance(asked, ElicitRequest):
            raise ValetError(
                "upstream_protocol", provider=server.words, what="it asks for what is not offered"
            )
        answers[key] = await elicits(asked.params)
    return answers


async def _opened(error: MCPError, opened: set[str], elicits: Elicits) -> bool:
    """Have the pages opened that a -32042 names (ES-09); tell whether there was a new one.

    Raises `error` when the person does not want to, and when it names none.
    """
    try:
        asked = UrlElicitationRequiredError.from_error(error.error).elicitations
    except (ValidationError, ValueError, KeyError, TypeError):
        raise error from None
    new = [one for one in asked if one.url not in opened]
    if not asked:
        raise error
    for one in new:
        opened.add(one.url)
        if (await elicits(one)).action != "accept":
            raise error
    return bool(new)
