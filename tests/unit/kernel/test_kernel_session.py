"""Where the broker is, and HTTP to it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from free_ports import free_port
from kernel_broker import FakeBroker

from jupyter_valet.kernel import session
from jupyter_valet.kernel.transport import Answer, Lost, Request, Stopped, Transport
from jupyter_valet.wire import capability
from jupyter_valet.wire.errors import ValetError

TOKEN = capability.mint()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.org:80",
        "http://192.168.1.1:8000",
        "https://127.0.0.1:8000",
        "http://127.0.0.1",
        "http://127.0.0.1.evil.example:80",
        "http://a@127.0.0.1:80",
        "http://127.0.0.1:80/path",
        "http://127.0.0.1:99999",
        "http://[::1",
        "ftp://127.0.0.1:21",
    ],
)
def test_the_capability_goes_to_this_machine_alone(url: str) -> None:
    """An environment that names another host gets no bearer."""
    with pytest.raises(ValetError) as error:
        session.current({"JUPYTER_VALET_URL": url, "JUPYTER_VALET_CAPABILITY": TOKEN})
    assert error.value.code == "no_server"


@pytest.mark.parametrize("token", ["", "gho_" + "x" * 43, TOKEN + "x"])
def test_only_a_capability_is_sent(token: str) -> None:
    """A provider's token in that variable is never sent to anybody."""
    with pytest.raises(ValetError) as error:
        session.current(
            {"JUPYTER_VALET_URL": "http://127.0.0.1:1", "JUPYTER_VALET_CAPABILITY": token}
        )
    assert error.value.code == "no_server"


def test_one_session_for_one_environment(broker: FakeBroker) -> None:
    """Connections are kept."""
    assert session.current() is session.current()


def test_connections_are_kept_and_stale_ones_noticed(
    broker: FakeBroker, transport: Transport
) -> None:
    """A broker that closed an idle connection does not cost a failed call."""
    for _ in range(3):
        transport.fetch(Request("GET", "/status"), Answer.body)
    assert len(transport._pool._idle) == 1
    idle = transport._pool._idle[0]
    idle.sock.shutdown(2)
    assert transport.fetch(Request("GET", "/status"), Answer.body)


def test_a_broker_that_restarts_is_waited_for(broker: FakeBroker) -> None:
    """Refused connections are retried: nothing was sent."""
    port = free_port()
    transport = Transport("127.0.0.1", port, TOKEN, patience=10)
    answers: list[bytes] = []
    waiting = threading.Thread(
        target=lambda: answers.append(transport.fetch(Request("POST", "/x", body=b""), Answer.body))
    )
    waiting.start()
    time.sleep(0.4)
    with socket.create_server(("127.0.0.1", port)) as listener:
        served, _ = listener.accept()
        with served:
            served.recv(65536)
            served.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            waiting.join(10)
    transport.close()
    assert answers == [b"ok"]


def test_patience_ends() -> None:
    """A broker that stays away is one clear error."""
    transport = Transport("127.0.0.1", 1, TOKEN, patience=0.3)
    begin = time.monotonic()
    with pytest.raises(Lost) as lost:
        transport.fetch(Request("GET", "/"), Answer.body)
    assert not lost.value.sent
    assert time.monotonic() - begin < 20


def test_a_wait_can_be_stopped(broker: FakeBroker, transport: Transport) -> None:
    """Interrupt, Decline and cancellation take effect within a slice, on every platform."""
    view = broker.ask()
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(Stopped):
        transport.fetch(
            Request("GET", f"/transactions/{view.id}?after=1&wait=25"),
            Answer.body,
            stop=stop.is_set,
        )
    assert time.monotonic() - begin < 20


def test_a_silent_broker_is_given_up(broker: FakeBroker, transport: Transport) -> None:
    """MC-07: every request has a timeout."""
    view = broker.ask()
    request = Request("GET", f"/transactions/{view.id}?after=1&wait=25", idle=0.3)
    with pytest.raises(Lost) as lost:
        transport.fetch(request, Answer.body)
    assert lost.value.sent


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no other system forks")
def test_a_forked_child_uses_no_socket_of_its_parent(transport: Transport) -> None:
    """multiprocessing: two owners of a socket would read each other's answers."""
    transport.fetch(Request("GET", "/status"), Answer.body)
    with transport._pool._lock:  # as another thread may hold it just then
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if transport._pool.take() is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    kept = transport._pool.take()
    assert kept is not None
    kept.sock.close()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, b"nothing", "capability_refused"),
        (423, b'{"error": {"code": "vault_locked", "message": "m", "next": "n"}}', "vault_locked"),
        (500, b"<html>", "protocol_error"),
        (500, b"[]", "protocol_error"),
    ],
)
def test_every_refusal_is_one_of_our_errors(status: int, body: bytes, code: str) -> None:
    """No body that is not ours is ever shown."""
    error = session._refusal(status, body)
    assert error.code == code
    assert "<html>" not in str(error)


def test_an_incomplete_view_is_a_clear_error() -> None:
    """A broker of another version."""
    with pytest.raises(ValetError) as error:
        session._view({"id": "x"})
    assert error.value.code == "protocol_error"


def test_ending_what_is_over_is_no_error(broker: FakeBroker) -> None:
    """Giving up must never fail."""
    session.current().end_transaction("x" * 43, "cancel")


@pytest.fixture
def transport(broker: FakeBroker) -> Iterator[Transport]:
    found = Transport("127.0.0.1", broker.server.server_port, broker.token)
    yield found
    found.close()
