"""`tools`: the one name that a notebook gets. It costs nothing until a toolset is looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .catalogue import Catalogue, Tool, Toolset


class Tools:
    """The tools that this notebook can call, as `tools.<toolset>.<tool>(...)`.

    `tools.github.list_issues(...)` waits for the result, `await tools.github.list_issues.aio(...)`
    leaves the kernel free. When a tool needs a sign-in, a card asks for it in the cell.
    """

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
        return self._catalogue().names(quick=True)

    def _ipython_key_completions_(self) -> list[str]:
        return self.__dir__()

    def __repr__(self) -> str:
        return self._catalogue().text()

    def _repr_html_(self) -> str:
        return self._catalogue().html()

    def _catalogue(self) -> Catalogue:
        from .catalogue import catalogue

        return catalogue()


tools: Any = Tools()
"""The object that `%load_ext jupyter_valet` puts into the notebook."""
