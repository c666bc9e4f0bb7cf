"""`tools.mcp`: this notebook's MCP endpoint for agents of any framework.

Each method returns a framework's own arguments with what it takes to wait for a person: a client
that gives up early is told to wait, and the endpoint is told how long it does (`wire.held`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...wire import env, routes
from ...wire.held import PATIENCE
from ..desk import desk
from ..session import current
from . import watch
from .hidden import Hidden, Snippet

if TYPE_CHECKING:
    from .client import Client

NAME = "jupyter-valet"

CLIENT_SECONDS = 600.0
"""How long a client waits for an answer: as long as a person has to sign in."""

_HOLD = 590
"""Seconds for which the endpoint may hold a call of such a client."""

_HOLD_OF_PROGRAMS = 50
"""The same for programs: the SDKs that most are made with give up after 60."""


class Endpoint:
    """The MCP endpoint of this notebook, for agents.

    `tools.mcp.url` and `tools.mcp.headers` are all that a client of MCP needs. The methods return
    the arguments of a framework, with the time-outs that leave a person time to sign in: show one
    to see the lines to type.
    """

    @property
    def url(self) -> str:
        """The address. Raises `ValetError("no_server")` where there is none."""
        watch.start(current())
        return os.environ[env.URL].rstrip("/") + routes.MCP

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a client that nothing is known of: its calls are held for four seconds."""
        return self._headers(None)

    def sdk(self) -> Snippet:
        """Return the arguments of the HTTP client of the SDK's own MCP client.

        from mcp.client.streamable_http import streamable_http_client
        http = httpx2.AsyncClient(**tools.mcp.sdk())
        async with http, Client(streamable_http_client(tools.mcp.url, http_client=http)) as client:
            answer = await client.call_tool(name, arguments)
        """
        return _snippet(self.sdk, headers=self._headers(_HOLD), timeout=CLIENT_SECONDS)

    def pydantic_ai(self) -> Snippet:
        """Return the arguments of `MCPToolset`.

        from pydantic_ai.mcp import MCPToolset
        agent = Agent(model, toolsets=[MCPToolset(**tools.mcp.pydantic_ai())])
        """
        return _snippet(
            self.pydantic_ai,
            client=self.url,
            headers=self._headers(_HOLD),
            read_timeout=CLIENT_SECONDS,
            # The model reads why a call failed; by default it is made to try again.
            tool_error_behavior="failed",
        )

    def openai_agents(self) -> Snippet:
        """Return the arguments of `MCPServerStreamableHttp`.

        from agents.mcp import MCPServerStreamableHttp
        async with MCPServerStreamableHttp(**tools.mcp.openai_agents()) as server:
            result = await Runner.run(Agent("Assistant", mcp_servers=[server]), question)
        """
        return _snippet(
            self.openai_agents,
            name=NAME,
            params={"url": self.url, "headers": self._headers(_HOLD)},
            client_session_timeout_seconds=CLIENT_SECONDS,
        )

    def langchain(self) -> Snippet:
        """Return the connections of `MultiServerMCPClient`.

        from langchain_mcp_adapters.client import MultiServerMCPClient
        agent = create_agent(model, await MultiServerMCPClient(tools.mcp.langchain()).get_tools())
        """
        server = {
            "transport": "streamable_http",
            "url": self.url,
            "headers": self._headers(_HOLD),
            "sse_read_timeout": CLIENT_SECONDS,
        }
        return Snippet(_lines(self.langchain), {NAME: server})

    def adk(self) -> Snippet:
        """Return the arguments of `StreamableHTTPConnectionParams`.

        from google.adk.tools.mcp_tool import McpToolset, StreamableHTTPConnectionParams
        toolset = McpToolset(connection_params=StreamableHTTPConnectionParams(**tools.mcp.adk()))
        """
        return _snippet(
            self.adk,
            url=self.url,
            headers=self._headers(_HOLD),
            sse_read_timeout=CLIENT_SECONDS,
        )

    def llama_index(self) -> Snippet:
        """Return the arguments of `BasicMCPClient`.

        from llama_index.tools.mcp import BasicMCPClient, McpToolSpec
        found = await McpToolSpec(BasicMCPClient(**tools.mcp.llama_index())).to_tool_list_async()
        """
        return _snippet(
            self.llama_index,
            command_or_url=self.url,
            headers=self._headers(_HOLD),
            timeout=int(CLIENT_SECONDS),
        )

    def smolagents(self) -> Snippet:
        """Return the arguments of `MCPClient`.

        from smolagents import MCPClient, ToolCallingAgent
        with MCPClient(**tools.mcp.smolagents()) as found:
            ToolCallingAgent(found, model).run(question)
        """
        return _snippet(
            self.smolagents,
            server_parameters={
                "transport": "streamable-http",
                "url": self.url,
                "headers": self._headers(_HOLD),
            },
            adapter_kwargs={"client_session_timeout_seconds": CLIENT_SECONDS},
            structured_output=False,
        )

    def strands(self) -> Snippet:
        """Return the arguments of `MCPClient`.

        from strands.tools.mcp import MCPClient
        agent = Agent(model, tools=[MCPClient(**tools.mcp.strands())])
        """
        return _snippet(self.strands, url=self.url, headers=self._headers(_HOLD))

    def mcp_use(self) -> Snippet:
        """Return the configuration of `MCPClient`.

        from mcp_use import MCPAgent, MCPClient
        agent = MCPAgent(llm=model, client=MCPClient(config=tools.mcp.mcp_use()))
        """
        headers = self._headers(_HOLD)
        # Without it the framework prepares a sign-in of its own, in a folder of the home directory.
        token = Hidden(headers.pop("Authorization").partition(" ")[2])
        server = {"url": self.url, "headers": headers, "auth": token}
        return _snippet(self.mcp_use, mcpServers={NAME: server})

    def anthropic(self) -> Client:
        """Return a client for the MCP helpers of `anthropic`. There is nothing to open or close.

        from anthropic.lib.tools.mcp import async_mcp_tool
        client = tools.mcp.anthropic()
        found = [async_mcp_tool(tool, client) for tool in (await client.list_tools()).tools]
        """
        from .client import Client

        return Client(current())

    def json(self) -> Snippet:
        """Return `mcpServers` for a program that this kernel starts.

        configuration = json.dumps(tools.mcp.json())

        The text has the capability in it, so it belongs into no file that you keep.
        """
        server = {
            "type": "http",
            "url": self.url,
            "headers": self._headers(_HOLD_OF_PROGRAMS),
        }
        return _snippet(self.json, mcpServers={NAME: server})

    def claude_code(self) -> Snippet:
        """Return `mcpServers` for Claude Code in a terminal of this kernel.

        Path(".mcp.json").write_text(json.dumps(tools.mcp.claude_code()))

        Address and capability are read from the environment, so the file holds no secret.
        """
        watch.start(current())
        server = {
            "type": "http",
            "url": f"${{{env.URL}}}{routes.MCP}",
            "headers": {
                "Authorization": f"Bearer ${{{env.CAPABILITY}}}",
                PATIENCE: str(_HOLD_OF_PROGRAMS),
            },
        }
        return _snippet(self.claude_code, mcpServers={NAME: server})

    def __repr__(self) -> str:
        ways = (_lines(getattr(self, name)) for name in FRAMEWORKS)
        return "\n\n".join([f"{self.url}, with tools.mcp.headers", *ways])

    def _headers(self, hold: int | None) -> dict[str, str]:
        current()  # checks that the capability goes to a listener of this machine
        headers: dict[str, str] = {"Authorization": Hidden(f"Bearer {os.environ[env.CAPABILITY]}")}
        if hold is not None:
            # Where nobody can answer, nobody is waited for.
            headers[PATIENCE] = str(hold if desk.attended() else 0)
        return headers


FRAMEWORKS = (
    "pydantic_ai",
    "openai_agents",
    "langchain",
    "adk",
    "llama_index",
    "smolagents",
    "strands",
    "mcp_use",
    "sdk",
    "anthropic",
    "json",
    "claude_code",
)
"""The methods that are for one framework each."""


def _snippet(method: Any, **arguments: Any) -> Snippet:
    return Snippet(_lines(method), arguments)


def _lines(method: Any) -> str:
    """Return the lines to type, which are the second paragraph of the method's help."""
    paragraph: str = method.__doc__.split("\n\n")[1]
    return "\n".join(line.removeprefix(" " * 8) for line in paragraph.rstrip().splitlines())
