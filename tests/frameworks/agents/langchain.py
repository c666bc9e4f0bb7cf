from langchain.agents import create_agent
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient


async def ask(calls):
    model = Scripted(calls=calls, read=[])
    client = MultiServerMCPClient(tools.mcp.langchain(), callbacks=Callbacks(on_elicitation=elicit))
    found = await client.get_tools()
    agent = create_agent(model, found)
    question = {"messages": [{"role": "user", "content": "Which issues are open?"}]}
    shown.extend([client, found, agent, await agent.ainvoke(question)])
    return model.read
