"""The tools that the official suite calls by name, as a source of the broker's catalogue.

What a tool answers goes through `Calls`, `results` and either dispatcher, as any answer does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jupyter_valet.broker.catalogue import Call, Tool, ToolOutcome
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.wire.errors import ValetError

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmM"
    "IQAAAABJRU5ErkJggg=="
)
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="

Schema = Mapping[str, Any]
NOTHING: Schema = {"type": "object", "properties": {}}

EVERY_KEYWORD: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
"""The schema of the scenario `json-schema-2020-12`, word for word (SEP-1613, SEP-2106)."""

_REGION: Schema = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
}


@dataclass(frozen=True)
class SuiteTool:
    """A tool of the suite; those that ask are answered by `suite_questions`."""

    name: str
    description: str
    input_schema: Schema = field(default_factory=lambda: NOTHING)
    toolset: str = "suite"
    provider: str = ""
    access: Literal["read"] = "read"
    destructive: bool = False
    idempotent: bool = True

    @property
    def short_name(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")

    def check(self, arguments: Mapping[str, Any]) -> None:
        """The suite's scenarios are about the protocol: any argument will do."""


def _text(text: str) -> Mapping[str, Any]:
    return {"type": "text", "text": text}


def _resource(uri: str, kind: str, text: str) -> Mapping[str, Any]:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": text}}


_IMAGE = {"type": "image", "data": PNG, "mimeType": "image/png"}

_ANSWERS: Mapping[str, tuple[str, Sequence[Mapping[str, Any]]]] = {
    "test_simple_text": (
        "Returns a simple text.",
        [_text("This is a simple text response for testing.")],
    ),
    "test_image_content": ("Returns an image.", [_IMAGE]),
    "test_audio_content": (
        "Returns a sound.",
        [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}],
    ),
    "test_embedded_resource": (
        "Returns a resource.",
        [_resource("test://embedded-resource", "text/plain", "This is an embedded resource.")],
    ),
    "test_multiple_content_types": (
        "Returns contents of several types.",
        [
            _text("Multiple content types test:"),
            _IMAGE,
            _resource(
                "test://mixed-content-resource", "application/json", '{"test":"data","value":123}'
            ),
        ],
    ),
    "json_schema_2020_12_tool": (
        "Tool with JSON Schema 2020-12 features",
        [_text("Its schema is what it is for.")],
    ),
    "test_custom_header": ("Has an argument that is a header, too.", [_text("The header agrees.")]),
}
_SCHEMAS = {"json_schema_2020_12_tool": EVERY_KEYWORD, "test_custom_header": _REGION}


class SuiteSource:
    """The tools of the suite. `asking` describes those that are answered elsewhere."""

    def __init__(
        self,
        asking: Mapping[str, str],
        tools_changed: Callable[[], None],
        prompts_changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._tools_changed = tools_changed
        self._prompts_changed = prompts_changed
        self._running: Mapping[str, tuple[str, Callable[[Call], Awaitable[ToolOutcome]]]] = {
            "test_error_handling": ("Fails.", self._fail),
            "test_tool_with_progress": ("Tells how far it is.", self._progress),
            "test_trigger_tool_change": ("Says that the list of tools has changed.", self._change),
            "test_trigger_prompt_change": ("Says the same of the prompts.", self._change_prompts),
        }
        described = {name: words for name, (words, _) in _ANSWERS.items()}
        described |= {name: words for name, (words, _) in self._running.items()}
        described |= asking
        self._tools: tuple[Tool, ...] = tuple(
            SuiteTool(name, words, _SCHEMAS.get(name, NOTHING)) for name, words in described.items()
        )

    def find(self, caller: Caller, name: str) -> Tool | None:
        return next((tool for tool in self._tools if tool.name == name), None)

    def listed(self, caller: Caller) -> Sequence[Tool]:
        return self._tools

    def everything(self, caller: Caller) -> Sequence[Tool]:
        return self._tools

    async def run(self, call: Call) -> ToolOutcome:
        if call.tool.name in self._running:
            return await self._running[call.tool.name][1](call)
        return ToolOutcome(None, None, _ANSWERS[call.tool.name][1])

    async def _fail(self, call: Call) -> ToolOutcome:
        raise ValetError("upstream_error", provider="the suite", status=500)

    async def _progress(self, call: Call) -> ToolOutcome:
        for done in (0, 50, 100):
            await call.progress(done, 100, f"{done} of 100")
            await asyncio.sleep(0.05)
        return ToolOutcome("It is done.")

    async def _change(self, call: Call) -> ToolOutcome:
        self._tools_changed()
        return ToolOutcome("They know.")

    async def _change_prompts(self, call: Call) -> ToolOutcome:
        await self._prompts_changed()
        return ToolOutcome("They know.")
