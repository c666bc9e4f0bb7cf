"""What the broker tells the server: answers at once, events soon, and none of them lost."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

import pytest

from jupyter_valet.broker import control
from jupyter_valet.broker.control import Outbox


class Channel(io.BytesIO):
    """Counts how often something was handed over."""

    def __init__(self) -> None:
        super().__init__()
        self.flushes = 0

    def flush(self) -> None:
        self.flushes += 1

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


class Gone(io.BytesIO):
    def flush(self) -> None:
        raise BrokenPipeError


def test_events_of_a_moment_go_out_together_and_in_order() -> None:
    """A tool call must not wake a thread for its audit event."""
    channel = Channel()
    outbox = Outbox(channel)
    for number in range(100):
        outbox.later({"event": "audit", "number": number})
    outbox.close()
    outbox.run()
    assert [message["number"] for message in channel.messages()] == list(range(100))
    assert channel.flushes == 1


def test_an_answer_does_not_wait_for_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody waits for an answer."""
    monkeypatch.setattr(control, "_GATHER_SECONDS", 60.0)
    channel = Channel()
    outbox = Outbox(channel)
    outbox.later({"event": "audit"})
    outbox.put({"id": 1})
    outbox.close()
    outbox.run()
    assert channel.messages() == [{"id": 1}, {"event": "audit"}]


def test_events_from_many_threads_all_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is lost between one write and the next."""
    monkeypatch.setattr(control, "_GATHER_SECONDS", 0.001)
    channel = Channel()
    outbox = Outbox(channel)
    writing = threading.Thread(target=outbox.run)
    writing.start()

    def tell() -> None:
        for _ in range(500):
            outbox.later({"event": "audit"})

    telling = [threading.Thread(target=tell) for _ in range(4)]
    for thread in telling:
        thread.start()
    for thread in telling:
        thread.join()
    outbox.close()
    writing.join(10)
    assert len(channel.messages()) == 2000


def test_a_lone_event_goes_out_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for others, but not for ever."""
    monkeypatch.setattr(control, "_GATHER_SECONDS", 0.01)
    written = threading.Event()

    class Told(Channel):
        def flush(self) -> None:
            written.set()

    outbox = Outbox(Told())
    writing = threading.Thread(target=outbox.run)
    writing.start()
    outbox.later({"event": "audit"})
    assert written.wait(5)
    outbox.close()
    writing.join(5)


def test_a_server_that_has_gone_ends_the_writing() -> None:
    """The end of the input ends the broker; the writer does not make a noise about it."""
    outbox = Outbox(Gone())
    outbox.put({"id": 1})
    outbox.run()
