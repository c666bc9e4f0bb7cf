"""Requests, answers and events of the control channel."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

import pytest

from jupyter_valet.server.channel import Channel, Exchange
from jupyter_valet.wire.errors import ValetError


def exchange(events: list[Any] | None = None) -> Exchange:
    seen = [] if events is None else events
    return Exchange(lambda name, params: seen.append((name, params)))


def test_answers_find_who_asked_in_any_order() -> None:
    channel = exchange()
    first_line, first = channel.ask("page.open", {"transaction": "a"})
    second_line, second = channel.ask("status", {})
    ids = [json.loads(line)["id"] for line in (first_line, second_line)]
    channel.receive(json.dumps({"id": ids[1], "result": {"n": 2}}).encode())
    channel.receive(json.dumps({"id": ids[0], "result": {"n": 1}}).encode())
    assert (first.result(0), second.result(0)) == ({"n": 1}, {"n": 2})


def test_a_request_is_one_line_whatever_it_holds() -> None:
    line, _ = exchange().ask("page.save", {"form": "a=1\r\n\u2028b"})
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line)["params"] == {"form": "a=1\r\n\u2028b"}


def test_an_error_comes_back_in_the_broker_s_words() -> None:
    channel = exchange()
    _, answer = channel.ask("page.open", {})
    error = {"code": "not_yours", "message": "Not yours.", "next": "Ask."}
    channel.receive(json.dumps({"id": 1, "error": error}).encode())
    with pytest.raises(ValetError, match=r"Not yours\. Ask\."):
        answer.result(0)


def test_an_event_is_not_an_answer() -> None:
    events: list[Any] = []
    channel = exchange(events)
    channel.receive(b'{"event": "audit", "params": {"schema_id": "x"}}')
    assert events == [("audit", {"schema_id": "x"})]


@pytest.mark.parametrize(
    "line",
    [
        b"not JSON",
        b"[]",
        b'"text"',
        b'{"id": 99, "result": {}}',
        b'{"id": null, "result": {}}',
        b'{"id": {}, "result": {}}',
        b'{"id": 1, "result": []}',
        b'{"id": 1}',
        b'{"event": "audit", "params": 3}',
        b"\xff\xfe",
    ],
)
def test_what_is_not_of_the_protocol_is_told_apart(line: bytes) -> None:
    channel = exchange()
    _, answer = channel.ask("status", {})
    with pytest.raises(ValueError):  # noqa: PT011 (JSON's and ours)
        channel.receive(line)
    channel.end()
    assert isinstance(answer.exception(0), ValetError)  # and nobody waits for ever


def test_an_answer_for_somebody_who_has_gone_is_dropped() -> None:
    channel = exchange()
    _, answer = channel.ask("status", {})
    answer.cancel()
    channel.receive(b'{"id": 1, "result": {}}')


def test_nobody_waits_for_a_broker_that_ended() -> None:
    channel = exchange()
    _, answer = channel.ask("status", {})
    channel.end()
    with pytest.raises(ValetError, match="does not answer"):
        answer.result(0)
    with pytest.raises(ValetError, match="does not answer"):
        channel.ask("status", {})


def test_the_end_is_announced_before_anybody_is_told_that_no_answer_comes() -> None:
    """Whoever asks again at once must meet the next broker, not the one that has just ended."""
    (reader, from_broker), (to_broker, writer) = os.pipe(), os.pipe()
    told, over = [], threading.Event()

    def on_end() -> None:
        told.append(answer.done())
        over.set()

    channel = Channel(
        os.fdopen(reader, "rb"), os.fdopen(writer, "wb"), on_event=print, on_end=on_end
    )
    _, answer = channel._exchange.ask("status", {})
    os.close(from_broker)
    assert over.wait(5)
    assert isinstance(answer.exception(5), ValetError)
    assert told == [False]
    os.close(to_broker)
