from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel


async def ask(calls):
    read = []

    def scripted(messages, info):
        assert NAME in [tool.name for tool in info.function_tools]
        given = [p for p in messages[-1].parts if p.part_kind in ("tool-return", "retry-prompt")]
        read.extend(str(part.content) for part in given)
        if len(read) < calls:
            return ModelResponse(parts=[ToolCallPart(NAME, ARGUMENTS)])
        return ModelResponse(parts=[TextPart("done")])

    toolset = MCPToolset(**tools.mcp.pydantic_ai(), elicitation_handler=elicit)
    agent = Agent(FunctionModel(scripted), toolsets=[toolset])
    shown.extend([toolset, agent, await agent.run("Which issues are open?")])
    return read
