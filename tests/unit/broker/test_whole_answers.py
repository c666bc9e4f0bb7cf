"""An answer that leaves in one step, where the connection takes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_valet.broker.http.whole import WholeCycle


class Connection:
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.write_now = self.written.append


def cycle(connection: Connection, **facts: Any) -> WholeCycle:
    return WholeCycle(
        scope={},  # type: ignore[typeddict-item]
        transport=connection,  # type: ignore[arg-type]
        flow=SimpleNamespace(write_paused=facts.pop("write_paused", False)),  # type: ignore[arg-type]
        logger=None,  # type: ignore[arg-type]
        access_logger=None,  # type: ignore[arg-type]
        access_log=False,
        default_headers=facts.pop("default_headers", []),
        message_event=SimpleNamespace(set=lambda: None),  # type: ignore[arg-type]
        expect_100_continue=False,
        keep_alive=facts.pop("keep_alive", True),
        on_response=lambda: None,
    )


def test_an_answer_leaves_once() -> None:
    connection = Connection()
    whole = cycle(connection)
    assert whole.answer(b"{}")
    assert connection.written == [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    ]
    assert not whole.answer(b"{}")
    assert len(connection.written) == 1


@pytest.mark.parametrize(
    "facts", [{"write_paused": True}, {"keep_alive": False}, {"default_headers": [(b"a", b"b")]}]
)
def test_a_connection_that_does_not_take_it_as_it_is_gets_it_as_always(facts: Any) -> None:
    """A client that reads nothing is not filled with answers, one that leaves is let go."""
    connection = Connection()
    assert not cycle(connection, **facts).answer(b"{}")
    assert connection.written == []


def test_a_client_that_has_gone_is_not_answered() -> None:
    connection = Connection()
    whole = cycle(connection)
    whole.disconnected = True
    assert not whole.answer(b"{}")
    assert connection.written == []
