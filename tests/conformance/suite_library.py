"""Prompts, resources and completions of the official suite, added to the endpoint's SDK server.

The product offers tools alone; here its server, its door and its seal carry the other methods, too.
"""

from __future__ import annotations

import json
import re
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    ElicitResult,
    EmbeddedResource,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    ImageContent,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from suite_questions import TEXT, form
from suite_tools import PNG

Context = ServerRequestContext[Any, Any]
Page = PaginatedRequestParams | None

_TEMPLATE = re.compile(r"test://template/([^/]+)/data")
_CONTEXT = form("What context should the prompt use?", context=TEXT)


def add_library(server: Server[Any]) -> None:
    """Give `server` what the suite wants besides tools."""
    add = server.add_request_handler
    add("prompts/list", PaginatedRequestParams, _prompts)
    add("prompts/get", GetPromptRequestParams, _prompt)
    add("resources/list", PaginatedRequestParams, _resources)
    add("resources/templates/list", PaginatedRequestParams, _templates)
    add("resources/read", ReadResourceRequestParams, _read)
    add("resources/subscribe", SubscribeRequestParams, _nothing)
    add("resources/unsubscribe", UnsubscribeRequestParams, _nothing)
    add("completion/complete", CompleteRequestParams, _complete)
    add("logging/setLevel", SetLevelRequestParams, _nothing)


async def _nothing(context: Context, params: Any) -> EmptyResult:
    return EmptyResult()


async def _complete(context: Context, params: CompleteRequestParams) -> CompleteResult:
    return CompleteResult(completion=Completion(values=["paris", "park"], total=2, has_more=False))


# Prompts --------------------------------------------------------------------------------------

_ARGUMENTS = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}


async def _prompts(context: Context, params: Page) -> ListPromptsResult:
    return ListPromptsResult(
        prompts=[
            Prompt(
                name=name,
                description=f"{name.replace('_', ' ')}.",
                arguments=[PromptArgument(name=one, required=True) for one in arguments],
            )
            for name, arguments in _ARGUMENTS.items()
        ]
    )


async def _prompt(
    context: Context, params: GetPromptRequestParams
) -> GetPromptResult | InputRequiredResult:
    given = params.arguments or {}
    match params.name:
        case "test_simple_prompt":
            return _told(TextContent(text="This is a simple prompt for testing."))
        case "test_prompt_with_arguments":
            arguments = ", ".join(f"{name}='{given[name]}'" for name in ("arg1", "arg2"))
            return _told(TextContent(text=f"Prompt with arguments: {arguments}"))
        case "test_prompt_with_embedded_resource":
            return _told(_embedded(given["resourceUri"]), TextContent(text="Please process it."))
        case "test_prompt_with_image":
            image = ImageContent(data=PNG, mime_type="image/png")
            return _told(image, TextContent(text="Please analyze the image above."))
        case "test_input_required_result_prompt":
            answer = (params.input_responses or {}).get("user_context")
            if isinstance(answer, ElicitResult):
                return _told(TextContent(text=json.dumps(answer.content)))
            return InputRequiredResult(input_requests={"user_context": _CONTEXT})
    raise MCPError(code=INVALID_PARAMS, message="Unknown prompt")


def _told(*content: Any) -> GetPromptResult:
    return GetPromptResult(messages=[PromptMessage(role="user", content=one) for one in content])


def _embedded(uri: str) -> EmbeddedResource:
    text = "Embedded resource content for testing."
    return EmbeddedResource(
        resource=TextResourceContents(uri=uri, mime_type="text/plain", text=text)
    )


# Resources ------------------------------------------------------------------------------------

_KINDS = {
    "test://static-text": "text/plain",
    "test://static-binary": "image/png",
    "test://watched-resource": "text/plain",
}


async def _resources(context: Context, params: Page) -> ListResourcesResult:
    return ListResourcesResult(
        resources=[
            Resource(uri=uri, name=uri.rpartition("/")[2], description="A file.", mime_type=kind)
            for uri, kind in _KINDS.items()
        ]
    )


async def _templates(context: Context, params: Page) -> ListResourceTemplatesResult:
    template = ResourceTemplate(
        uri_template="test://template/{id}/data",
        name="template",
        description="Data by id.",
        mime_type="application/json",
    )
    return ListResourceTemplatesResult(resource_templates=[template])


async def _read(context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    uri = str(params.uri)
    if template := _TEMPLATE.fullmatch(uri):
        data = json.dumps({"id": template[1], "templateTest": True})
        return _text(uri, "application/json", data)
    if uri == "test://static-binary":
        blob = BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
        return ReadResourceResult(contents=[blob])
    if uri in _KINDS:
        return _text(uri, _KINDS[uri], "This is the content of the static text resource.")
    raise MCPError(code=INVALID_PARAMS, message="Resource not found", data={"uri": uri})


def _text(uri: str, kind: str, text: str) -> ReadResourceResult:
    contents = TextResourceContents(uri=uri, mime_type=kind, text=text)
    return ReadResourceResult(contents=[contents])
