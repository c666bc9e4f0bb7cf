"""The one who measures whether a browser would get to a listener of a kernel's."""

from __future__ import annotations

import socket

import pytest

from jupyter_valet.sandbox import visitor
from jupyter_valet.sandbox.ports import LOCAL_PORTS


def test_every_place_that_is_written_is_visited() -> None:
    """Also after one where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        server.settimeout(5)
        names = [one.getsockname() for one in (closed, server)]
        visitor.come("".join(f"{host} {port}\n" for host, port in names))
        server.accept()[0].close()


def test_a_port_that_browsers_refuse_is_not_visited(monkeypatch: pytest.MonkeyPatch) -> None:
    """R80: neither does a browser."""
    monkeypatch.setattr(socket, "create_connection", lambda *where: pytest.fail(f"{where}"))
    visitor.come("".join(f"127.70.1.2 {port}\n" for port in LOCAL_PORTS))


@pytest.mark.parametrize("junk", ["63006\n", "127.0.0.1 http\n", "a b c\n"])
def test_what_is_no_place_is_an_error(junk: str) -> None:
    with pytest.raises(ValueError, match=r"to unpack|invalid literal"):
        visitor.come(junk)
