from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


async def ask(calls):
    read = []

    def scripted(messages, **kwargs):
        read[:] = [str(m.content) for m in messages if m.role == "tool"]
        if len(read) < calls:
            call = ToolCallBlock(
                tool_call_id=f"t{len(read)}", tool_name=NAME, tool_kwargs=ARGUMENTS
            )
            return ChatMessage(role="assistant", blocks=[call])
        return ChatMessage(role="assistant", blocks=[TextBlock(text="done")])

    client = BasicMCPClient(**tools.mcp.llama_index())
    found = await McpToolSpec(client).to_tool_list_async()
    assert NAME in [tool.metadata.name for tool in found]
    model = MockFunctionCallingLLM(response_generator=scripted, is_chat_model=True)
    agent = FunctionAgent(tools=found, llm=model, streaming=False)
    shown.extend([client, found, agent, await agent.run("Which issues are open?")])
    return read
