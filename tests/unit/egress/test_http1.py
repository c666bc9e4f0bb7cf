"""The HTTP/1.1 of a tool's call: whatever is read, is read as another strict reader reads it."""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterable

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_valet.broker.egress.http1 import Malformed, Reader, TooLarge, request

OK = b"HTTP/1.1 200 OK\r\n"
LIMIT = 1000


def gzipped(data: bytes) -> bytes:
    """Return the same bytes each time, of which pytest makes the test's name."""
    return gzip.compress(data, mtime=0)


def read(data: bytes, method: str = "GET", cuts: Iterable[int] = ()) -> Reader | None:
    """Return the answer in `data`, which comes in pieces and then ends; None when there is none."""
    reader = Reader(method, LIMIT)
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    whole = False
    for start, end in itertools.pairwise(places):
        whole = reader.feed(data[start:end])
    return reader if whole or reader.end() else None


def test_a_request_is_its_lines_and_its_body() -> None:
    """RFC 9112 §3, §6.3."""
    headers = {"Host": "api.example", "Authorization": "Bearer t"}
    assert request("GET", "/a?b=c", headers, None) == (
        b"GET /a?b=c HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer t\r\n\r\n"
    )
    assert request("POST", "/", {}, b"{}") == b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    assert request("DELETE", "/", {}, None).endswith(b"\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nX: b", "a\rb", "a\0b"])
def test_no_line_holds_another(value: str) -> None:
    """R128: a credential from a hostile server, too, is one line or none."""
    with pytest.raises(ValueError, match="must not"):
        request("GET", "/", {"Authorization": value}, None)


@given(st.lists(st.integers(min_value=0)))
def test_an_answer_is_the_same_however_it_comes(cuts: list[int]) -> None:
    """Pieces of one byte, or all of it at once."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    chunks = b"3;a=b\r\n{ }\r\n0\r\nX-T: t\r\n\r\n"
    data = hints + OK + b"X-A: a\r\n  b\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    reader = read(data, cuts=cuts)
    assert reader is not None
    assert (reader.status, reader.body(), reader.keeps) == (200, b"{ }", True)
    assert reader.headers == {"x-a": "a b", "transfer-encoding": "chunked"}


@pytest.mark.parametrize(
    ("data", "method", "body", "keeps"),
    [
        pytest.param(OK + b"Content-Length: 2\r\n\r\n{}", "GET", b"{}", True, id="length"),
        pytest.param(OK + b"\r\n{}", "GET", b"{}", False, id="the connection's end"),
        pytest.param(OK + b"Content-Length: 9\r\n\r\n", "HEAD", b"", True, id="HEAD"),
        pytest.param(b"HTTP/1.1 204 No\r\n\r\n", "GET", b"", True, id="204"),
        pytest.param(b"HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n", "GET", b"", True, id="304"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", "GET", b"{}", False,
                     id="HTTP/1.0"),
        pytest.param(OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}", "GET", b"{}", False,
                     id="close"),
        pytest.param(OK + b"Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n", "GET", b"{}", False,
                     id="R133 more than one answer"),
        pytest.param(OK + b"Content-Length: 2\r\n\r\n{}\r\n\0", "GET", b"{}", False,
                     id="R133 more than an answer"),
        pytest.param(OK + b"Content-Length: 0\r\n\r\nHTTP/1.1", "GET", b"", False,
                     id="R133 more than an empty answer"),
        pytest.param(OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}x", "GET", b"{}", False,
                     id="more than the last answer"),
    ],
)  # fmt: skip
def test_where_an_answer_ends(data: bytes, method: str, body: bytes, keeps: bool) -> None:
    """RFC 9112 §6.3."""
    reader = read(data, method)
    assert reader is not None
    assert (reader.body(), reader.keeps) == (body, keeps)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nhello" + OK + b"\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\n{}",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1\r\n 2\r\n\r\n{}",
        OK.replace(b"\r", b"") + b"Content-Length: 0\n\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: a\r\n" * 10_000 + b"\r\n",
        b"HTTP/1.1 103 Hints\r\n\r\n" * 5_000,
        b"X" * 70_000,
    ],
)  # fmt: skip
def test_what_is_not_clear_is_no_answer(data: bytes) -> None:
    """R105, R129: nothing is guessed about a framing that two readers could see differently."""
    with pytest.raises(Malformed):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        OK[:9],
        OK + b"Content-Length: 3\r\n\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\n{ }\r\n",
        b"HTTP/1.1 103 Hints\r\n\r\n",
    ],
)
def test_what_breaks_off_is_no_answer(data: bytes) -> None:
    """RFC 9112 §8."""
    assert read(data) is None


_FIELDS = st.lists(
    st.sampled_from(
        [
            b"Content-Length: 2", b"Content-Length: 3", b"content-length:2 ", b"Content-Length : 2",
            b"Transfer-Encoding: chunked", b"Transfer-encoding: Chunked", b"Transfer-Encoding: x",
            b"Connection: close", b"Connection: keep-alive", b"X-A: b", b" folded", b"\tfolded",
            b"X-A:", b"X-\xff: b", b"X-B: \xff", b"Content-Length: 2, 2", b"X-A: a\0b", b"nothing",
        ]
    ),
    max_size=4,
)  # fmt: skip
_BODIES = st.lists(
    st.sampled_from([b"{}", b"2\r\n", b"0\r\n\r\n", b"\r\n", b"0\r\nX: y\r\n\r\n", b"a", b"2;x\n"]),
    max_size=5,
)
_STATUS = st.sampled_from(
    [b"200 OK", b"204 No", b"304 Not", b"103 Hints", b"404", b"99 x", b"2000"]
)


@settings(max_examples=400, deadline=None)
@given(_STATUS, _FIELDS, _BODIES, st.sampled_from(["GET", "HEAD", "POST"]))
def test_what_is_read_is_read_alike_by_another(
    status: bytes, fields: list[bytes], bodies: list[bytes], method: str
) -> None:
    """R129: who reads an answer otherwise is who smuggles one; h11 is the other reader."""
    data = b"HTTP/1.1 " + status + b"\r\n" + b"".join(f + b"\r\n" for f in fields) + b"\r\n"
    data += b"".join(bodies)
    try:
        reader = read(data, method)
    except (Malformed, TooLarge):
        return
    if reader is None:
        return
    known = _by_h11(data, method)
    if known is not None:  # it refuses some more: a reason phrase, a byte outside ASCII
        assert known == (reader.status, reader.body())


def _by_h11(data: bytes, method: str) -> tuple[int, bytes] | None:
    other = h11.Connection(h11.CLIENT)
    headers = [("Host", "x"), *([("Content-Length", "0")] if method == "POST" else [])]
    other.send(h11.Request(method=method, target="/", headers=headers))
    other.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        other.receive_data(data)
        other.receive_data(b"")
        while not isinstance(event := other.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
            if isinstance(event, h11.Response):
                status = event.status_code
            if isinstance(event, h11.Data):
                body += event.data
    except h11.RemoteProtocolError:
        return None
    return status, body


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzipped(b"{}")),
        ("gzip", gzipped(b"{") + gzipped(b"}")),
        ("deflate", zlib.compress(b"{}")),
        ("deflate", zlib.compress(b"{}")[2:-4]),
        ("identity", b"{}"),
    ],
)
def test_a_compressed_body_is_unpacked(encoding: str, packed: bytes) -> None:
    """Some servers compress without being asked."""
    head = b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (encoding.encode(), len(packed))
    reader = read(OK + head + packed)
    assert reader is not None
    assert reader.body() == b"{}"


@pytest.mark.parametrize(
    ("packed", "error"),
    [
        (gzipped(b"x" * 100_000), TooLarge),
        (gzipped(b"x" * 600) + gzipped(b"x" * 600), TooLarge),
        (gzipped(b"x" * 600)[:-9], Malformed),
        (gzipped(b"{}") + b"more", Malformed),
        (b"{}", Malformed),
    ],
)
def test_a_bomb_is_not_unpacked(packed: bytes, error: type[Exception]) -> None:
    """The limit is for what comes out as well."""
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    reader = read(OK + head + packed)
    assert reader is not None
    with pytest.raises(error):
        reader.body()


@pytest.mark.parametrize("framing", [b"Content-Length: 1001", b"X: y"])
def test_a_body_without_end_is_not_kept(framing: bytes) -> None:
    """It is given up as soon as it is too large."""
    with pytest.raises(TooLarge):
        read(OK + framing + b"\r\n\r\n" + b"x" * 1001)


@pytest.mark.parametrize(
    ("lines", "headers"),
    [
        (b"A: 1\r\nB:2 \r\n", {"a": "1", "b": "2"}),
        (b"A: 1\r\nB: 2\r\nA: 3\r\n", {"a": "3", "b": "2"}),
        (b"A: 1\r\na:\t 3 \t\r\nB: x:y\r\n", {"a": "3", "b": "x:y"}),
        (b"Content-Encoding: gzip\r\nA: 1\r\ncontent-encoding: br\r\n",
         {"content-encoding": "gzip, br", "a": "1"}),
        (b"A: \xff\r\nA: \xc3\xa9\r\n", {"a": "é"}),
        (b"A:\r\nB: \xff\r\n", {"a": "", "b": "\udcff"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [b"", b"\r\n", b"HTTP/1.1 103 Hints\r\nA: hint\r\nC: x\r\n\r\n"])
def test_of_what_comes_several_times_the_last_counts_and_every_coding(
    before: bytes, lines: bytes, headers: dict[str, str]
) -> None:
    """However their names are written, and whatever came before the head."""
    reader = Reader("GET", 100)
    trailer = b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: trailer\r\n\r\n"
    assert reader.feed(before + OK + lines + trailer)
    assert reader.headers == {**headers, "transfer-encoding": "chunked"}
