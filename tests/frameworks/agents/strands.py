import json

from strands import Agent
from strands.models import Model
from strands.tools.mcp import MCPClient


class Scripted(Model):
    def __init__(self, calls):
        self.calls, self.read = calls, []

    def get_config(self):
        return {}

    def update_config(self, **config):
        pass

    async def structured_output(self, *args, **kwargs):
        raise NotImplementedError
        yield

    async def stream(self, messages, tool_specs=None, system_prompt=None, **kwargs):
        assert NAME in [spec["name"] for spec in tool_specs]
        blocks = [block for message in messages for block in message["content"]]
        self.read = [b["toolResult"]["content"][0]["text"] for b in blocks if "toolResult" in b]
        yield {"messageStart": {"role": "assistant"}}
        if len(self.read) < self.calls:
            use = {"name": NAME, "toolUseId": f"t{len(self.read)}"}
            yield {"contentBlockStart": {"start": {"toolUse": use}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(ARGUMENTS)}}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "tool_use"}}
        else:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": "done"}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "end_turn"}}


async def ask(calls):
    model = Scripted(calls)
    client = MCPClient(**tools.mcp.strands(), elicitation_callback=elicit)
    agent = Agent(model, tools=[client], callback_handler=None)
    shown.extend([client, agent, await agent.invoke_async("Which issues are open?")])
    agent.cleanup()
    return model.read
