import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def ask(calls):
    http = httpx2.AsyncClient(**tools.mcp.sdk())
    async with http, Client(streamable_http_client(tools.mcp.url, http_client=http)) as client:
        assert NAME in [tool.name for tool in (await client.list_tools()).tools]
        answers = [await client.call_tool(NAME, ARGUMENTS) for _ in range(calls)]
    shown.extend([http, client, answers])
    return [answer.content[0].text for answer in answers]
