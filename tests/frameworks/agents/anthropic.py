import json

import httpx2
from anthropic import AsyncAnthropic
from anthropic.lib.tools.mcp import async_mcp_tool


async def ask(calls):
    read = []

    def scripted(request):
        body = json.loads(request.content)
        if "tools" in body:  # a runner that continues a conversation does not repeat them
            assert NAME in [tool["name"] for tool in body["tools"]]
        for message in body["messages"][-1:]:
            for block in message["content"] if isinstance(message["content"], list) else []:
                if block["type"] == "tool_result":
                    content = block["content"]
                    read.append(content if isinstance(content, str) else content[0]["text"])
        if len(read) < calls:
            use = {"type": "tool_use", "id": f"t{len(read)}", "name": NAME, "input": ARGUMENTS}
            content, reason = [use], "tool_use"
        else:
            content, reason = [{"type": "text", "text": "done"}], "end_turn"
        return httpx2.Response(
            200,
            json={
                "id": "m",
                "type": "message",
                "role": "assistant",
                "model": "scripted",
                "content": content,
                "stop_reason": reason,
                "stop_sequence": None,
                "usage": {"input_tokens": 1, "output_tokens": 1},
            },
        )

    transport = httpx2.AsyncClient(transport=httpx2.MockTransport(scripted))
    model = AsyncAnthropic(api_key="none", http_client=transport)
    client = tools.mcp.anthropic()
    found = [async_mcp_tool(tool, client) for tool in (await client.list_tools()).tools]
    runner = model.beta.messages.tool_runner(
        model="scripted",
        max_tokens=100,
        tools=found,
        messages=[{"role": "user", "content": "Which issues are open?"}],
    )
    shown.extend([client, found, await runner.until_done()])
    return read
