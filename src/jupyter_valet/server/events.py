"""Audit events of the broker, told to `jupyter_events`."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

from jupyter_events import EventLogger

from ..wire.control import EVENT_AUDIT
from .process import Log


class Events:
    """Registers the schemas of `jupyter_valet.wire.events` when the first event comes.

    Not before: reading a schema costs more than the rest of the extension's start.
    """

    def __init__(self, logger: EventLogger, log: Log) -> None:
        self._logger = logger
        self._log = log
        self._registered = False

    def take(self, name: str, params: dict[str, Any]) -> None:
        """Take an event from the broker; what is not known is dropped, never guessed at."""
        if name != EVENT_AUDIT:
            return
        self._register()
        try:
            self._logger.emit(schema_id=str(params["schema_id"]), data=params["data"])
        except Exception as error:
            # An event that does not fit its schema must not break what it tells about.
            self._log.warning("An audit event was not emitted: %s", type(error).__name__)

    def _register(self) -> None:
        if self._registered:
            return
        self._registered = True
        folder = files("jupyter_valet.wire") / "events"
        if not folder.is_dir():
            return
        for schema in folder.iterdir():
            if schema.name.endswith(".yaml"):
                with as_file(schema) as path:
                    self._logger.register_event_schema(path)
