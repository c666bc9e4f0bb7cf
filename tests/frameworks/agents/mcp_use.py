import os

os.environ["MCP_USE_ANONYMIZED_TELEMETRY"] = "false"
from mcp_use import MCPAgent, MCPClient


async def ask(calls):
    model = Scripted(calls=calls, read=[])
    client = MCPClient(config=tools.mcp.mcp_use(), elicitation_callback=elicit)
    agent = MCPAgent(llm=model, client=client, max_steps=10)
    shown.extend([client, agent, await agent.run("Which issues are open?")])
    return model.read
