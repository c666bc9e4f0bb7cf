import json

from agents import Agent, ModelResponse, Runner, Usage, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp
from agents.models.interface import Model
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

set_tracing_disabled(True)


class Scripted(Model):
    def __init__(self, calls):
        self.calls, self.read = calls, []

    async def get_response(self, system_instructions, input, model_settings, tools, *_, **__):
        assert NAME in [tool.name for tool in tools]
        given = (
            [i for i in input if isinstance(i, dict) and i.get("type") == "function_call_output"]
            if isinstance(input, list)
            else []
        )
        self.read = [str(item["output"]) for item in given]
        if len(self.read) < self.calls:
            call = ResponseFunctionToolCall(
                type="function_call",
                call_id=f"c{len(self.read)}",
                name=NAME,
                arguments=json.dumps(ARGUMENTS),
            )
            return ModelResponse([call], Usage(), None)
        text = ResponseOutputText(type="output_text", text="done", annotations=[])
        message = ResponseOutputMessage(
            id="m", type="message", role="assistant", status="completed", content=[text]
        )
        return ModelResponse([message], Usage(), None)

    def stream_response(self, *args, **kwargs):
        raise NotImplementedError


async def ask(calls):
    model = Scripted(calls)
    async with MCPServerStreamableHttp(**tools.mcp.openai_agents()) as server:
        agent = Agent("Assistant", mcp_servers=[server], model=model)
        shown.extend([server, agent, await Runner.run(agent, "Which issues are open?")])
    return model.read
