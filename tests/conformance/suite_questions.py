"""The tools of the official suite that ask something in the middle of a call, in either revision.

Our own tools ask by URL alone (ES-01); these ask by form, sampling and roots, too, through the same
dispatchers and under the same seal.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

Result = CallToolResult | InputRequiredResult
Context = ServerRequestContext[Any, Any]

_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


def said(text: str) -> CallToolResult:
    """Return a result of one text."""
    return CallToolResult(content=[TextContent(text=text)])


# What is asked --------------------------------------------------------------------------------


def form(message: str, **properties: Mapping[str, Any]) -> ElicitRequest:
    """Ask for all of `properties`."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


TEXT = {"type": "string"}
_NAME = form("What is your name?", name=TEXT)
_CONFIRM = form("Please confirm", ok={"type": "boolean"})


def _sampling(text: str, tokens: int) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(text=text))
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[message], max_tokens=tokens)
    )


_ROOTS = ListRootsRequest()
_DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
_OPTIONS = ["option1", "option2", "option3"]
_TITLED = [{"const": f"value{n}", "title": f"Option {n}"} for n in (1, 2, 3)]
_ENUMS = {
    "untitledSingle": {"type": "string", "enum": _OPTIONS},
    "titledSingle": {"type": "string", "oneOf": _TITLED},
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
    "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
}


# 2026-07-28: a question is a result -----------------------------------------------------------

_QUESTIONS: Mapping[str, Mapping[str, Any]] = {
    "test_input_required_result_elicitation": {"user_name": _NAME},
    "test_input_required_result_sampling": {
        "capital_question": _sampling("What is the capital of France?", 100)
    },
    "test_input_required_result_list_roots": {"client_roots": _ROOTS},
    "test_input_required_result_request_state": {"confirm": _CONFIRM},
    "test_input_required_result_tampered_state": {"confirm": _CONFIRM},
    "test_input_required_result_multiple_inputs": {
        "user_name": _NAME,
        "greeting": _sampling("Generate a greeting", 50),
        "client_roots": _ROOTS,
    },
    "test_input_required_result_multi_round": {
        "step1": form("Step 1: What is your name?", name=TEXT),
        "step2": form("Step 2: What is your favorite color?", color=TEXT),
    },
    "test_input_required_result_capabilities": {
        "user_name": _NAME,
        "greeting": _sampling("Generate a greeting", 50),
    },
    "test_streaming_elicitation": {"user_name": _NAME},
    "test_missing_capability": {"greeting": _sampling("Generate a greeting", 50)},
}
_STATEFUL = frozenset({"request_state", "tampered_state", "multiple_inputs", "multi_round"})
_NEEDED = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling"}
_ANSWER = {"elicitation/create": ElicitResult, "roots/list": ListRootsResult}


def asked(params: CallToolRequestParams) -> Result:
    """Answer a call of 2026-07-28 to one of these tools.

    Raises `MCPError` (-32021) when the client declares too little for it.
    """
    if params.name in ("test_logging_tool", "test_tool_with_logging"):
        return said("Nobody asked for a log.")
    questions = _declared(params)
    given = {**_before(params), **_given(params, questions)}
    # One question a round, where the rounds are what is tested; else all of them.
    open_ = {key: question for key, question in questions.items() if key not in given}
    if not open_:
        return said(_conclusion(params, given))
    if params.name.endswith("multi_round"):
        open_ = dict([next(iter(open_.items()))])
    stateful = params.name.removeprefix("test_input_required_result_") in _STATEFUL
    state = json.dumps({"given": given}) if stateful else None
    return InputRequiredResult(input_requests=open_, request_state=state)


def _declared(params: CallToolRequestParams) -> dict[str, Any]:
    """Return what may be asked of this client; -32021 when nothing may (ES-03, ES-13)."""
    questions = _QUESTIONS[params.name]
    declared = dict(params.meta or {}).get(_CAPABILITIES) or {}
    may = {
        key: question
        for key, question in questions.items()
        if question.method not in _NEEDED or _NEEDED[question.method] in declared
    }
    if may or params.name == "test_streaming_elicitation":
        return may
    missing = {_NEEDED[question.method]: {} for question in questions.values()}
    raise MCPError(
        code=MISSING_REQUIRED_CLIENT_CAPABILITY,
        message="Missing required client capability",
        data={"requiredCapabilities": missing},
    )


def _before(params: CallToolRequestParams) -> dict[str, str]:
    """Return what earlier rounds brought; the boundary has verified the state (MS-04)."""
    return json.loads(params.request_state)["given"] if params.request_state else {}


def _given(params: CallToolRequestParams, questions: Mapping[str, Any]) -> dict[str, str]:
    """Return the answers that fit their questions; others are ignored, or asked for again."""
    found = {}
    for key, answer in (params.input_responses or {}).items():
        if key not in questions:
            continue
        if isinstance(answer, _ANSWER.get(questions[key].method, CreateMessageResult)):
            found[key] = answer.model_dump_json(by_alias=True, exclude_none=True)
    return found


def _conclusion(params: CallToolRequestParams, given: Mapping[str, str]) -> str:
    sealed = "state-ok " if params.request_state else ""
    return f"{sealed}Hello! {' '.join(given.values())}"


# 2025-11-25: a question is a request ----------------------------------------------------------


async def _elicited(context: Context, message: str, properties: Mapping[str, Any]) -> str:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    answer = await context.session.elicit_form(message, schema, context.request_id)
    return answer.model_dump_json(by_alias=True, exclude_none=True)


async def _on_elicitation(context: Context, params: CallToolRequestParams) -> CallToolResult:
    wanted = {"username": TEXT, "email": TEXT}
    message = str((params.arguments or {}).get("message", ""))
    return said(f"User response: {await _elicited(context, message, wanted)}")


async def _on_defaults(context: Context, params: CallToolRequestParams) -> CallToolResult:
    return said(f"Elicitation completed: {await _elicited(context, 'Check these', _DEFAULTS)}")


async def _on_enums(context: Context, params: CallToolRequestParams) -> CallToolResult:
    return said(f"Elicitation completed: {await _elicited(context, 'Choose', _ENUMS)}")


async def _on_sampling(context: Context, params: CallToolRequestParams) -> CallToolResult:
    request = _sampling(str((params.arguments or {}).get("prompt", "")), 100)
    answer = await context.session.create_message(
        request.params.messages,
        max_tokens=request.params.max_tokens,
        related_request_id=context.request_id,
    )
    return said(f"LLM response: {answer.model_dump_json(by_alias=True, exclude_none=True)}")


async def _on_logging(context: Context, params: CallToolRequestParams) -> CallToolResult:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await context.session.send_log_message("info", words, related_request_id=context.request_id)
        await asyncio.sleep(0.05)
    return said("It has told the log.")


PUSHING: Mapping[str, Callable[[Context, CallToolRequestParams], Awaitable[CallToolResult]]] = {
    "test_elicitation": _on_elicitation,
    "test_elicitation_sep1034_defaults": _on_defaults,
    "test_elicitation_sep1330_enums": _on_enums,
    "test_sampling": _on_sampling,
    "test_tool_with_logging": _on_logging,
}
"""What answers a call of 2025-11-25, by the tool's name."""

ASKING: Mapping[str, str] = {
    **dict.fromkeys(PUSHING, "Asks, or tells, the client in the middle of a call (2025-11-25)."),
    **dict.fromkeys(_QUESTIONS, "Asks for input in its result (2026-07-28)."),
    "test_logging_tool": "Would log, if that were asked for.",
}
"""The tools that are answered here, and how they are described."""
