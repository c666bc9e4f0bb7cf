from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StreamableHTTPConnectionParams
from google.genai import types


class Scripted(BaseLlm):
    model: str = "scripted"
    calls: int
    read: list = []

    async def generate_content_async(self, llm_request, stream=False):
        assert NAME in llm_request.tools_dict
        parts = [p for content in llm_request.contents for p in content.parts or []]
        self.read[:] = [str(p.function_response.response) for p in parts if p.function_response]
        if len(self.read) < self.calls:
            part = types.Part(function_call=types.FunctionCall(name=NAME, args=ARGUMENTS))
        else:
            part = types.Part(text="done")
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


async def ask(calls):
    parameters = StreamableHTTPConnectionParams(**tools.mcp.adk())
    toolset = McpToolset(connection_params=parameters, elicitation_callback=elicit)
    model = Scripted(calls=calls, read=[])
    agent = LlmAgent(name="assistant", model=model, tools=[toolset])
    runner = InMemoryRunner(agent)
    shown.extend([parameters, toolset, agent, runner])
    shown.append(await runner.run_debug("Which issues are open?", quiet=True))
    await toolset.close()
    return model.read
