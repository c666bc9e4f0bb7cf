"""Your agent gets the valet key, never the master key.

This package imports nothing heavy: the hooks below load the side that is asked for, and only it.
"""

from __future__ import annotations

from ._version import __version__

TYPE_CHECKING = False  # the launcher of kernels comes by here, and has no need of `typing`
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from .kernel.additions import add_api, add_server, remove
    from .kernel.clients import async_client, client, env, libraries, session
    from .kernel.functions.decorator import tool
    from .kernel.functions.tool import Progress, ToolError
    from .kernel.tools import Tools

    tools: Tools

__all__ = [
    "Progress",
    "ToolError",
    "__version__",
    "add_api",
    "add_server",
    "async_client",
    "client",
    "env",
    "libraries",
    "load_ipython_extension",
    "remove",
    "session",
    "tool",
    "tools",
    "unload_ipython_extension",
]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext jupyter_valet`: register the magics and put `tools` into the notebook."""
    from .kernel.extension import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext jupyter_valet`: take back what `load_ipython_extension` put there."""
    from .kernel.extension import unload

    unload(shell)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server where the extension application is."""
    from .server.app import ValetExtension

    return [{"module": "jupyter_valet", "app": ValetExtension}]


_LAZY = {
    "tools": "tools",
    "tool": "functions.decorator",
    "Progress": "functions.tool",
    "ToolError": "functions.tool",
    "client": "clients",
    "async_client": "clients",
    "session": "clients",
    "env": "clients",
    "libraries": "clients",
    "add_api": "additions",
    "add_server": "additions",
    "remove": "additions",
}
"""Public names of the kernel side, and where they are."""


def __getattr__(name: str) -> Any:
    """Load the public names of the kernel side when they are first used (PEP 562)."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.kernel.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'jupyter_valet' has no attribute {name!r}")
