"""`tools`: the one name that a notebook gets. It costs nothing until a toolset is looked up."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agents.calls import Caller
    from .agents.endpoint import Endpoint
    from .catalogue import Catalogue, Tool, Toolset


class Tools:
    """The tools that this notebook can call, as `tools.<toolset>.<tool>(...)`.

    `tools.github.list_issues(...)` waits for the result, `await tools.github.list_issues.aio(...)`
    leaves the kernel free. When a tool needs a sign-in, a card asks for it in the cell.

    For agents: `tools.mcp` has the MCP endpoint in the words of each framework, `tools.to_openai()`
    and `tools.to_anthropic()` describe tools to a model, `tools.call(name, arguments)` makes its
    calls. A toolset of one of these names is `tools["name"]`.
    """

    @property
    def mcp(self) -> Endpoint:
        """The MCP endpoint of this notebook, in the words of each framework."""
        from .agents.endpoint import Endpoint

        return Endpoint()

    @property
    def call(self) -> Caller:
        """`tools.call(name, arguments)` makes the call that a model asks for."""
        from .agents.calls import Caller
        from .session import current

        return Caller(current())

    def to_openai(self, *names: str, api: str = "chat") -> list[dict[str, Any]]:
        """Return tools as OpenAI's APIs take them; `api` is `chat` or `responses`.

        `names` are toolsets (`"github"`) or tools (`"github.list_issues"`); without any, what every
        agent is shown. Raises `ValetError`.
        """
        from .agents.calls import to_openai
        from .session import current

        return to_openai(current(), names, api)

    def to_anthropic(self, *names: str) -> list[dict[str, Any]]:
        """Return tools as Anthropic's Messages API takes them; `names` as in `to_openai`."""
        from .agents.calls import to_anthropic
        from .session import current

        return to_anthropic(current(), names)

    def __getattr__(self, name: str) -> Toolset:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._catalogue().toolset(name)

    def __getitem__(self, name: str) -> Toolset | Tool:
        """Return a toolset, or with `toolset.tool` a tool."""
        toolset, dot, tool = name.partition(".")
        found = self._catalogue().toolset(toolset)
        return found[tool] if dot else found

    def __dir__(self) -> list[str]:
        return [*_FOR_AGENTS, *self._ipython_key_completions_()]

    def _ipython_key_completions_(self) -> list[str]:
        return self._catalogue().names(quick=True)

    def __repr__(self) -> str:
        return self._catalogue().text()

    def _repr_html_(self) -> str:
        return self._catalogue().html()

    def _catalogue(self) -> Catalogue:
        return _finder()()


@cache
def _finder() -> Callable[[], Catalogue]:
    """Load what finds the catalogue, once: a call takes no notice of it."""
    from .catalogue import catalogue

    return catalogue


_FOR_AGENTS = ("call", "mcp", "to_anthropic", "to_openai")

tools: Any = Tools()
"""The object that `%load_ext jupyter_valet` puts into the notebook."""
