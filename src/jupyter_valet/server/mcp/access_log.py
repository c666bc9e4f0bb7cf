"""Jupyter's access log and its metrics, for requests that no handler of Tornado's answers."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import log as jupyters_log
from jupyter_server.log import log_request
from jupyter_server.prometheus.metrics import HTTP_REQUEST_DURATION_SECONDS
from tornado.web import Application

from .handler import McpHandler

if TYPE_CHECKING:
    from .answer import Answer

_NAME = f"{McpHandler.__module__}.{McpHandler.__qualname__}"


class AccessLog:
    """Leaves out the lines that nobody would get.

    Jupyter notes at level DEBUG what went well, and its logger takes every level, whatever
    `log_level` says: the line and its record are made before each handler of the log declines
    them, for a good part of what it takes to pass a small answer on. What such a request leaves
    is its place in the metrics.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    def note(self, answer: Answer) -> None:
        """Write the answer to a request into the log, and count it."""
        function: Any = self._application.settings.get("log_function")
        is_jupyters = (
            type(self._application).log_request is Application.log_request
            and isinstance(function, partial)
            and function.func is log_request
        )
        # No query means anything here, and what somebody took for a place for a token is no line.
        answer.request.uri = answer.request.path
        if not is_jupyters or answer.status >= 300 or is_heard(jupyters_log(), logging.DEBUG):
            handler = answer.handler
            handler.set_status(answer.status)
            if answer.user is not None:
                handler.take(answer.user)
            self._application.log_request(handler)
        elif function.keywords.get("record_prometheus_metrics", True):
            labels = {
                "method": answer.request.method,
                "handler": _NAME,
                "status_code": answer.status,
            }
            HTTP_REQUEST_DURATION_SECONDS.labels(**labels).observe(answer.request.request_time())


def is_heard(log: Any, level: int) -> bool:
    """Tell whether any handler of a log takes what is said at a level."""
    logger = log
    while isinstance(logger, logging.LoggerAdapter):
        logger = logger.logger
    if not isinstance(logger, logging.Logger):
        return True  # nobody knows
    if not logger.isEnabledFor(level):
        return False
    above: logging.Logger | None = logger
    while above is not None:
        if any(handler.level <= level for handler in above.handlers):
            return True
        above = above.parent if above.propagate else None
    return False
