"""What becomes of notebooks, as the server's contents manager tells it: grants follow or end.

A script of the notebook page may post any event, so an event is only the reason to look: what was
renamed must be there, and no longer where it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_events import EventLogger
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import ensure_async

from ..wire.errors import ValetError

if TYPE_CHECKING:
    from .process import Log
    from .supervisor import Supervisor


def root_of(server: ServerApp) -> str:
    """Return the folder below which the notebooks of `server` are, as the broker knows it."""
    return os.path.realpath(server.root_dir)


class Notebooks:
    """Listens to the contents manager.

    Every deed is told to the broker, which is started for it: the grants lie in its vault. Where
    there is no vault yet, there are none.
    """

    def __init__(
        self, server: ServerApp, supervisor: Callable[[], Supervisor], vault: Path, log: Log
    ) -> None:
        self._server = server
        self._supervisor = supervisor
        self._vault = vault
        self._log = log

    def follow(self) -> None:
        """Hear of every rename and deletion from now on."""
        logger, contents = self._server.event_logger, self._server.contents_manager
        if logger is not None:
            logger.add_listener(schema_id=contents.event_schema_id, listener=self._heard)

    async def _heard(self, logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        path = str(data.get("path", "")).strip("/")
        old = str(data.get("source_path", "")).strip("/")
        match data.get("action"):
            case "rename" if old and path and await self._is(path) and not await self._is(old):
                await self._tell(old, path)
            case "delete" if path and not await self._is(path):
                await self._tell(path, "")

    async def _is(self, path: str) -> bool:
        contents: Any = self._server.contents_manager
        return bool(await ensure_async(contents.exists(path)))

    async def _tell(self, old: str, new: str) -> None:
        if not self._vault.exists():
            return
        try:
            await self._supervisor().moved(root_of(self._server), old, new)
        except (ValetError, OSError) as error:
            self._log.warning("The grants of %r stay behind: %s", old, error)
