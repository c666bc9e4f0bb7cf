"""The kernel's HTTP/1.1, against RFC 9112 and against answers that are none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jupyter_valet.kernel.http1 import Malformed, Response, request


def arriving(data: bytes, size: int) -> Callable[[], bytes]:
    """Return what hands out `data` in pieces of `size`, and then the end."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return lambda: pieces.pop(0) if pieces else b""


def read(data: bytes, size: int = 65536) -> tuple[int, bytes, bool]:
    response = Response(arriving(data, size))
    body = b"".join(response.pieces())
    return response.status, body, response.finished


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 65536])
@pytest.mark.parametrize(
    ("data", "body"),
    [
        (SIZED + b"hello", b"hello"),
        (CHUNKED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n", b"hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\nX:\r\ncontent-length:0\r\n\r\n", b""),
    ],
    ids=["sized", "chunked", "none", "empty"],
)
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(
    data: bytes, body: bytes, size: int
) -> None:
    """RFC 9112 §6: how long a body is; then the connection may be used again."""
    assert read(data, size)[1:] == (body, True)


@pytest.mark.parametrize("size", [1, 7, 65536])
def test_the_usual_head_reads_as_every_other(size: int) -> None:
    """It is known by sight, which must make no difference."""
    usual = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    spelled = usual.replace(b"content-type", b"Content-Type")
    found = [Response(arriving(data, size)) for data in (usual, spelled)]
    assert found[0].headers == found[1].headers
    assert [(r.status, b"".join(r.pieces()), r.finished) for r in found] == [(200, b"{}", True)] * 2


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """RFC 9112 §6.3, the last rule."""
    assert read(b"HTTP/1.1 200 OK\r\n\r\nhello", 3) == (200, b"hello", False)


@pytest.mark.parametrize(
    "data",
    [
        SIZED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + b"hello",
        SIZED + b"hello, and what nobody asked for",
    ],
    ids=["said", "more than the answer"],
)
def test_a_connection_that_is_not_good_any_more_is_not_kept(data: bytes) -> None:
    """What is left over must not become part of the next answer."""
    assert read(data) == (200, b"hello", False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        SIZED + b"hell",
        CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"4\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200_000,
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    """Nothing is guessed, and nothing fills the memory."""
    with pytest.raises(Malformed):
        read(data)


def test_a_request_is_one_piece() -> None:
    """One write, so that the broker wakes once."""
    assert request("POST", "/mcp", {"Host": "127.0.0.1:1"}, b"{}") == (
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert b"Content-Length" not in request("GET", "/status", {}, None)


@pytest.mark.parametrize(
    ("target", "value"),
    [("/a b", "v"), ("/a\r\nX: y", "v"), ("a", "v"), ("/a", "v\r\nX: y"), ("/a", "v\nX: y")],
)
def test_no_argument_becomes_a_header(target: str, value: str) -> None:
    """RFC 9112 §2.2: a line end in a value would begin another field."""
    with pytest.raises(ValueError, match="must not"):
        request("GET", target, {"Mcp-Name": value}, None)


def test_a_malformed_line_behind_many_good_ones_is_told_at_once() -> None:
    """What was read one way is not tried in every other: that would take for ever."""
    head = b"HTTP/1.1 200 OK\r\n" + b"A: \t \r\n" * 3000 + b"bad line\r\n\r\n"
    with pytest.raises(Malformed):
        Response(lambda: head)


def test_a_body_that_was_begun_is_not_taken_for_whole() -> None:
    said = iter([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}XX"])
    answer = Response(lambda: next(said, b""))
    assert next(answer.pieces()) == b"{}"
    assert answer.body() is None
    assert not answer.finished
