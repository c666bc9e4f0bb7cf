import json


async def ask(calls):
    """Any SDK: here the shapes of OpenAI's chat and Anthropic's messages, written out."""
    chat, messages = tools.to_openai("demo"), tools.to_anthropic("demo")
    assert NAME in [tool["function"]["name"] for tool in chat]
    assert NAME in [tool["name"] for tool in messages]
    shown.extend([chat, messages, tools.call])
    read = [tools.call(NAME, json.dumps(ARGUMENTS))]
    while len(read) < calls:
        read.append(await tools.call.aio(NAME, ARGUMENTS))
    return read
