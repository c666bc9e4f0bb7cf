"""One answer: a piece of JSON, or a stream when there is something to tell before."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jupyter_valet.broker.mcp import patience
from jupyter_valet.broker.mcp.patience import Patience, declared

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sent() -> list[Any]:
    return []


def patient(sent: list[Any]) -> Patience:
    async def send(message: Any) -> None:
        sent.append(message)

    return Patience(send)


async def test_a_quick_answer_is_json_with_its_status(sent: list[Any]) -> None:
    """streamable-http: one JSON object."""
    answer = patient(sent)
    with answer:
        await answer.answer(400, b"{}")
    assert sent[0]["status"] == 400
    assert dict(sent[0]["headers"])[b"content-type"] == b"application/json"
    assert dict(sent[0]["headers"])[b"content-length"] == b"2"
    assert sent[1] == {"type": "http.response.body", "body": b"{}"}


async def test_progress_makes_it_a_stream_that_ends_with_the_answer(sent: list[Any]) -> None:
    """streamable-http: notifications first, then the response, then the end."""
    answer = patient(sent)
    with answer:
        await answer.tell(b"1")
        await answer.answer(200, b"2")
    assert dict(sent[0]["headers"])[b"content-type"] == b"text/event-stream"
    assert [(m["body"], m.get("more_body", False)) for m in sent[1:]] == [
        (b"event: message\r\ndata: 1\r\n\r\n", True),
        (b"event: message\r\ndata: 2\r\n\r\n", False),
    ]


async def test_nothing_is_told_after_the_answer(sent: list[Any]) -> None:
    """streamable-http: the response ends the stream; a late word would break the connection."""
    answer = patient(sent)
    with answer:
        await answer.answer(200, b"{}")
        await answer.tell(b"late")
    assert len(sent) == 2


async def test_silence_is_broken_by_pings_until_the_answer(
    sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """WHATWG HTML §9.2.6: a comment line keeps a stream alive."""
    monkeypatch.setattr(patience, "PING_SECONDS", 0.02)
    answer = patient(sent)
    with answer:
        answer.begin()
        async with asyncio.timeout(20):
            while len(sent) < 3:  # noqa: ASYNC110 - a test may look
                await asyncio.sleep(0.01)
        await answer.answer(200, b"{}")
        before = len(sent)
        await asyncio.sleep(0.05)
    assert {m["body"] for m in sent[1:-1]} == {b": ping\r\n\r\n"}
    assert len(sent) == before


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(b"590", 590.0), (b"0", 0.0), (b"86400", 600.0), (b"-1", None), (b"nan", None), (b"", None)],
)
def test_a_client_may_say_how_long_it_waits(said: bytes, seconds: float | None) -> None:
    """It is believed, within bounds; what is no number of seconds is nothing."""
    assert declared([(b"host", b"x"), (b"x-jupyter-valet-patience", said)]) == seconds


def test_most_clients_do_not_say() -> None:
    assert declared([(b"host", b"127.0.0.1:1")]) is None
