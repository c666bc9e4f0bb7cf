"""The event schema and what is emitted: the same list, checked by `jupyter_events` itself."""

from __future__ import annotations

import logging
from importlib.resources import as_file, files
from typing import Any

import pytest
from jupyter_events import EventLogger

from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.audit.facts import ACTIONS, FACTS
from jupyter_valet.wire.events import CONNECTION

EXAMPLES: dict[Any, Any] = {str: "text", int: 7, (int, float): 1.5}
FIELDS = ("provider", "connection", "account", "tool", "kernel", "notebook")


class Sink(logging.Handler):
    """Keeps what was emitted; without a handler `jupyter_events` emits nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append(record.msg)


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def logger(sink: Sink) -> EventLogger:
    logger = EventLogger(handlers=[sink])
    with as_file(files("jupyter_valet.wire.events") / "connection.yaml") as schema:
        logger.register_event_schema(schema)
    return logger


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_with_every_fact_fits_the_schema(
    path, key, logger: EventLogger, sink: Sink, action: str
) -> None:
    audit = Audit(path, key, lambda schema_id, data: logger.emit(schema_id=schema_id, data=data))
    facts = {name: EXAMPLES[kind] for name, kind in FACTS.items()}
    audit.record(action, principal="owner", **dict.fromkeys(FIELDS, "x" * 300), **facts)
    audit.record(action, principal="")
    audit.close()
    assert [event["action"] for event in sink.events] == [action, action]
    assert sink.events[0]["__schema__"] == CONNECTION


def test_the_schema_lists_what_the_audit_lists(logger: EventLogger) -> None:
    schema = logger.schemas.get(CONNECTION)._schema
    fixed = {"action", "principal", "outcome", *FIELDS}
    assert set(schema["properties"]["action"]["enum"]) == ACTIONS
    assert set(schema["properties"]) == fixed | FACTS.keys()


def test_anything_else_does_not_fit_the_schema(logger: EventLogger) -> None:
    event = {"action": "connection.used", "principal": "owner", "outcome": "ok", "token": "x"}
    with pytest.raises(Exception, match="Additional properties"):
        logger.emit(schema_id=CONNECTION, data=event)
