"""The gate that every kernel of this process passes, whoever made its kernel manager.

The server's own kernels, Voilà's and nbconvert's start through the same two methods of
`jupyter_client.KernelManager`: one prepares the start, one launches. Both are watched from the
server's start on; the wall is built when the first kernel comes, and nothing is imported before.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from .wall import Wall


def enforce(build: Callable[[], Wall]) -> Callable[[], None]:
    """Put every kernel that this process starts behind the wall that `build` makes, once.

    A manager that prepares its start in a way of its own is refused at the launch (D4). Returns
    what undoes it, for tests.
    """
    prepare: Callable[..., Awaitable[Any]] = KernelManager._async_pre_start_kernel
    launch: Callable[..., Awaitable[None]] = KernelManager._async_launch_kernel
    wall = functools.cache(build)

    async def prepare_behind(self: KernelManager, **kw: Any) -> Any:
        from .kernel_manager import Walled, walled

        if not isinstance(self, Walled):
            self.__class__ = walled(type(self), wall())
            assert isinstance(self, Walled)
            await self.enter()
        return await prepare(self, **kw)

    async def launch_behind(self: KernelManager, kernel_cmd: list[str], **kw: Any) -> None:
        from .kernel_manager import Refused, Walled

        if not isinstance(self, Walled) and not wall().given_up:
            raise Refused(
                f"{type(self).__name__} would start a kernel outside the sandbox of this server; "
                "see docs/sandbox.md."
            )
        await launch(self, kernel_cmd, **kw)

    def undo() -> None:
        _replace(prepare, launch)

    _replace(prepare_behind, launch_behind)
    return undo


def _replace(prepare: Any, launch: Any) -> None:
    KernelManager._async_pre_start_kernel = prepare  # type: ignore[method-assign]
    KernelManager._async_launch_kernel = launch  # type: ignore[method-assign]
