"""What goes into Jupyter's access log and metrics: every line that somebody gets, every number."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, cast

import pytest
from jupyter_server.log import log_request
from prometheus_client import REGISTRY
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, RequestHandler

from jupyter_valet.server.mcp import access_log
from jupyter_valet.server.mcp.access_log import AccessLog, is_heard
from jupyter_valet.server.mcp.answer import Answer
from jupyter_valet.server.mcp.handler import McpHandler


class Lines(logging.Handler):
    """Keeps what it gets."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.got: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.got.append(record.getMessage())


class Connection:
    """What a handler needs of Tornado's."""

    def set_close_callback(self, callback: Any) -> None:
        pass


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """Return a logger as Jupyter's: it takes every level, whatever its handlers take.

    It is in no tree of loggers, where pytest would add handlers that take everything.
    """
    logger = logging.Logger("jupyters", logging.DEBUG)
    monkeypatch.setattr(access_log, "jupyters_log", lambda: logger)
    monkeypatch.setattr(McpHandler, "log", logger)
    return logger


def answered(application: Application, status: int) -> Answer:
    line = RequestStartLine("POST", "/valet/mcp", "HTTP/1.1")
    request = HTTPServerRequest(
        start_line=line, headers=HTTPHeaders(Host="x"), connection=cast("Any", Connection())
    )
    answer = Answer(request, partial(McpHandler, application, request, gone=lambda: None))
    answer.status = status
    return answer


def counted(status: int) -> float:
    labels = {"method": "POST", "status_code": str(status)}
    labels["handler"] = "jupyter_valet.server.mcp.handler.McpHandler"
    return REGISTRY.get_sample_value("http_request_duration_seconds_count", labels) or 0.0


@pytest.mark.parametrize(
    ("status", "level", "lines"),
    [
        (200, logging.INFO, 0),
        (202, logging.INFO, 0),
        (200, logging.DEBUG, 1),
        (403, logging.INFO, 1),
        (503, logging.INFO, 1),
    ],
)
def test_jupyter_s_log_gets_the_lines_that_it_would_keep_and_its_metrics_all(
    log: logging.Logger, status: int, level: int, lines: int
) -> None:
    keeps = Lines(level)
    log.addHandler(keeps)
    application = Application(log_function=partial(log_request, record_prometheus_metrics=True))
    before = counted(status)
    answer = answered(application, status)
    AccessLog(application).note(answer)
    assert ("handler" in vars(answer)) == bool(lines), "nothing is made for a line that is not"
    assert sum(line.startswith(f"{status} POST /valet/mcp") for line in keeps.got) == lines
    assert bool(keeps.got) == bool(lines)
    assert counted(status) == before + 1


def test_a_line_that_is_left_out_is_none_that_jupyter_would_have_kept(log: logging.Logger) -> None:
    """Should Jupyter note at another level what went well, this must be known here."""
    keeps = Lines(logging.INFO)
    log.addHandler(keeps)
    application = Application()
    for status in (200, 202):
        answer = answered(application, status)
        answer.handler.set_status(status)
        log_request(answer.handler)  # type: ignore[no-untyped-call]
    assert keeps.got == []


def test_an_administrator_who_wants_no_metrics_gets_none(log: logging.Logger) -> None:
    log.addHandler(Lines(logging.INFO))
    application = Application(log_function=partial(log_request, record_prometheus_metrics=False))
    before = counted(200)
    AccessLog(application).note(answered(application, 200))
    assert counted(200) == before


def test_a_log_function_of_somebody_s_own_gets_all(log: logging.Logger) -> None:
    """JupyterHub's, for one, notes at level INFO what went well."""
    got = []
    application = Application(log_function=lambda handler: got.append(handler.get_status()))
    for status in (200, 500):
        AccessLog(application).note(answered(application, status))
    assert got == [200, 500]


def test_an_application_of_somebody_s_own_gets_all(log: logging.Logger) -> None:
    """Tornado names `Application.log_request` as what to override."""
    got = []

    class Own(Application):
        def log_request(self, handler: RequestHandler) -> None:
            got.append(handler.get_status())

    AccessLog(Own(log_function=partial(log_request))).note(answered(Own(), 200))
    assert got == [200]


def test_a_handler_further_up_is_heard(log: logging.Logger) -> None:
    log.addHandler(Lines(logging.WARNING))
    assert not is_heard(log, logging.DEBUG)
    below = logging.Logger("below", logging.DEBUG)
    below.parent = log
    assert not is_heard(below, logging.DEBUG)
    log.addHandler(Lines(logging.DEBUG))
    assert is_heard(below, logging.DEBUG)
    assert is_heard(logging.LoggerAdapter(below), logging.DEBUG)
    assert is_heard(logging.LoggerAdapter(logging.LoggerAdapter(below)), logging.DEBUG)
    assert is_heard(object(), logging.DEBUG), "nobody knows who hears it"
    below.propagate = False
    assert not is_heard(logging.LoggerAdapter(logging.LoggerAdapter(below)), logging.DEBUG)
    assert not is_heard(below, logging.DEBUG)
    reticent = logging.Logger("reticent", logging.INFO)
    reticent.addHandler(Lines(logging.DEBUG))
    assert not is_heard(reticent, logging.DEBUG)
