"""`@valet.tool`: the one name of this folder that people write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, overload

from ...wire.errors import ValetError
from ...wire.functions import TOOLSET
from ..session import current
from .runner import runner
from .tool import ToolFunction, Wanted


@overload
def tool(function: Callable[..., Any], /) -> ToolFunction: ...


@overload
def tool(
    *,
    name: str = ...,
    description: str = ...,
    toolset: str = ...,
    connections: Mapping[str, Sequence[str]] | None = ...,
    access: Literal["read", "write"] = ...,
    timeout: float | None = ...,
) -> Callable[[Callable[..., Any]], ToolFunction]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    description: str = "",
    toolset: str = TOOLSET,
    connections: Mapping[str, Sequence[str]] | None = None,
    access: Literal["read", "write"] = "write",
    timeout: float | None = None,
) -> ToolFunction | Callable[[Callable[..., Any]], ToolFunction]:
    """Make a function of this notebook a tool, beside those of APIs.

    Its schema comes from the type hints, its words from the docstring. `connections` names the
    scopes that it needs by provider; a parameter of a provider's name gets an authorized client
    (`httpx.Client`, `httpx.AsyncClient` or `requests.Session`, as its annotation says) that holds
    no credential. A parameter with the annotation `Progress` reports progress. `access="read"` says
    that it changes nothing. `timeout` is in seconds.

    The function stays what it was for whoever calls it in the notebook. Without a Jupyter server it
    is nothing more. Raises `ValetError` ("bad_function", "unknown_provider").
    """
    wanted = Wanted(name, description, toolset, connections or {}, access, timeout)

    def declare(function: Callable[..., Any]) -> ToolFunction:
        made = ToolFunction(function, wanted)
        made.declaration()  # what is wrong with it is said here, with or without a server
        try:
            session = current()
        except ValetError:
            return made
        runner(session).add(made)
        return made

    return declare if function is None else declare(function)
