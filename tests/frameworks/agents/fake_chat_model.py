from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult


class Scripted(BaseChatModel):
    calls: int
    read: list

    @property
    def _llm_type(self):
        return "scripted"

    def bind_tools(self, bound, **kwargs):
        assert NAME in [tool.name for tool in bound]
        return self

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        self.read[:] = [_text(m.content) for m in messages if m.type == "tool"]
        if len(self.read) < self.calls:
            call = {"name": NAME, "args": ARGUMENTS, "id": f"t{len(self.read)}"}
            message = AIMessage("", tool_calls=[call])
        else:
            message = AIMessage("done")
        return ChatResult(generations=[ChatGeneration(message=message)])


def _text(content):
    return content if isinstance(content, str) else content[0]["text"]
