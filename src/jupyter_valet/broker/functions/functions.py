"""The functions of all kernels, as a source of tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ...wire.errors import ValetError
from ...wire.functions import MOST_FUNCTIONS, Calls, Function, Report
from ..audit import Audit
from ..catalogue import Call, Tool, ToolOutcome
from ..egress import Request
from ..kernels import Caller, Kernels
from ..oauth import Profile
from ..policy.access import Access, Use
from .switchboard import Switchboard
from .tool import FunctionTool


@dataclass
class _Notebook:
    """What one kernel declared."""

    caller: Caller
    tools: dict[str, FunctionTool] = field(default_factory=dict)
    listed: tuple[FunctionTool, ...] = ()
    calls: Switchboard = field(default_factory=Switchboard)


class Functions:
    """A kernel sees its own functions; they end with it."""

    def __init__(
        self,
        kernels: Kernels,
        access: Access,
        profiles: Mapping[str, Profile],
        audit: Audit,
    ) -> None:
        self._notebooks: dict[str, _Notebook] = {}
        self._access = access
        self._profiles = profiles
        self._audit = audit
        self.on_change: Callable[[Caller], None] = lambda caller: None
        kernels.on_end(self._ended)

    # What kernels say ------------------------------------------------------------------------

    def declare(self, caller: Caller, functions: Sequence[Function]) -> None:
        """Take a kernel's whole list of functions, in place of the last.

        Raises `ValetError` ("bad_function", "unknown_provider"); then the last list stays.
        """
        if len(functions) > MOST_FUNCTIONS:
            what = f"a notebook may have {MOST_FUNCTIONS}"
            raise ValetError("bad_function", name="One more function", what=what)
        tools = [FunctionTool.declared(caller.kernel_id, caller.notebook, f) for f in functions]
        for tool in tools:
            for provider in tool.connections:
                if provider not in self._profiles:
                    raise ValetError("unknown_provider", provider=provider)
        notebook = self._notebooks.setdefault(caller.kernel_id, _Notebook(caller))
        notebook.tools = {tool.name: tool for tool in tools}
        notebook.listed = tuple(notebook.tools.values())
        self.on_change(caller)

    async def fetch(self, caller: Caller, seconds: float) -> Calls:
        """Return the calls that wait for this kernel, waiting `seconds` for one."""
        notebook = self._notebooks.get(caller.kernel_id)
        return await notebook.calls.fetch(seconds) if notebook else Calls(known=False)

    def report(self, caller: Caller, id: str, report: Report) -> None:
        """Take what this kernel says of one of its own calls."""
        notebook = self._notebooks.get(caller.kernel_id)
        if notebook is not None:
            notebook.calls.report(id, report)

    def _ended(self, kernel_id: str) -> None:
        notebook = self._notebooks.pop(kernel_id, None)
        if notebook is not None:
            notebook.calls.lose()
            self.on_change(notebook.caller)

    # What callers see ------------------------------------------------------------------------

    def find(self, caller: Caller, name: str) -> Tool | None:
        """Return the function of that name in the caller's own kernel."""
        notebook = self._notebooks.get(caller.kernel_id)
        return notebook.tools.get(name) if notebook else None

    def listed(self, caller: Caller) -> Sequence[Tool]:
        """Return the functions of the caller's own kernel."""
        notebook = self._notebooks.get(caller.kernel_id)
        return notebook.listed if notebook else ()

    def everything(self, caller: Caller) -> Sequence[Tool]:
        """Return what `listed` returns: a function that was declared is meant to be seen."""
        return self.listed(caller)

    async def run(self, call: Call) -> ToolOutcome:
        """Have the function called in its kernel, once its connections are there.

        Raises what `Access.connection` raises, and `ValetError` (`function_*`).
        """
        tool = call.tool
        assert isinstance(tool, FunctionTool)
        notebook = self._notebooks.get(tool.kernel_id)
        if notebook is None:
            raise ValetError("function_lost", name=tool.name)
        self._check_connections(notebook.caller, tool)
        outcome = await notebook.calls.call(tool.name, call.arguments, call.progress)
        self._audit.record(
            "function.called",
            principal=call.caller.principal,
            tool=tool.name,
            kernel=tool.kernel_id,
            notebook=tool.notebook,
            outcome=outcome.error.code if outcome.error else "ok",
        )
        return outcome

    def _check_connections(self, caller: Caller, tool: FunctionTool) -> None:
        """Raise when a connection is missing that the function says it needs.

        It is a courtesy: whatever the function sends later passes the same gate by itself.
        """
        for provider, scopes in tool.connections.items():
            profile = self._profiles[provider]
            request = Request("GET", profile.origins[0], "/")
            asker = f"The function {tool.short_name}"
            self._access.check(caller, profile, Use(tool.name, asker, request, "read", scopes))
