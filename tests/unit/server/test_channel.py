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
    return Exchange(lambda name, params: seen.append((name, params)), seen.append)


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


def test_a_question_of_the_broker_s_is_no_answer_to_ours() -> None:
    """Both number what they ask from one on."""
    asked: list[Any] = []
    channel = exchange(asked)
    _, answer = channel.ask("status", {})
    question = {"id": 1, "method": "peer.holds", "params": {}}
    channel.receive(json.dumps(question).encode())
    assert asked == [question]
    assert not answer.done()


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

    ends = os.fdopen(reader, "rb"), os.fdopen(writer, "wb")
    channel = Channel(*ends, on_event=print, on_ask=_never, on_end=on_end)
    _, answer = channel._exchange.ask("status", {})
    os.close(from_broker)
    assert over.wait(5)
    assert isinstance(answer.exception(5), ValetError)
    assert told == [False]
    os.close(to_broker)


def _never(method: str, params: dict[str, Any]) -> dict[str, Any]:
    raise AssertionError(method)


def test_what_the_broker_asks_is_answered_whatever_the_event_loop_does() -> None:
    """There is none here at all. What goes wrong is an answer, too, and says nothing."""

    def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "peer.holds":
            return {"holds": 3 // params["inode"] == 1}
        raise ValetError("bad_request", what="no")

    (reader, from_broker), (to_broker, writer) = os.pipe(), os.pipe()
    ended = threading.Event()
    ends = os.fdopen(reader, "rb"), os.fdopen(writer, "wb")
    Channel(*ends, on_event=print, on_ask=answer, on_end=ended.set)
    with os.fdopen(from_broker, "wb") as broker, os.fdopen(to_broker, "rb") as heard:
        asked = [("peer.holds", 3), ("peer.holds", 0), ("other", 1)]
        for number, (method, inode) in enumerate(asked):
            line = {"id": number, "method": method, "params": {"inode": inode}}
            broker.write(json.dumps(line).encode() + b"\n")
        broker.flush()
        said = {line["id"]: line for line in (json.loads(heard.readline()) for _ in asked)}
    assert said[0]["result"] == {"holds": True}
    assert [said[n]["error"]["code"] for n in (1, 2)] == ["internal", "bad_request"]
    assert ended.wait(5)
