"""A real MCP server as a program: the official SDK's, over its standard streams.

`SECRET_KEY` is a key it was given; `argv[1]`, when there is one, is a file to note its process in.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

TOOLS = ("where", "environment", "leak", "die")


async def listed(context: Any, params: Any) -> ListToolsResult:
    schema = {"type": "object"}
    return ListToolsResult(tools=[Tool(name=name, input_schema=schema) for name in TOOLS])


async def called(context: Any, params: Any) -> CallToolResult:
    if params.name == "die":
        os._exit(3)
    said = {
        "where": str(Path.cwd()),
        "environment": json.dumps(sorted(os.environ)),
        "leak": f"it is {os.environ.get('SECRET_KEY', 'nothing')}",
    }[params.name]
    return CallToolResult(content=[TextContent(text=said)])


async def main() -> None:
    server: Server[Any] = Server("program", on_list_tools=listed, on_call_tool=called)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with Path(sys.argv[1]).open("a") as note:
            note.write(f"{os.getpid()}\n")
    print("started", file=sys.stderr)
    asyncio.run(main())
