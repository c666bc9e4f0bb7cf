"""Where a sandboxed kernel's TCP sockets really listen and connect, address by address."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable

import pytest

from jupyter_valet.sandbox.launch.addresses import (
    Address,
    Candidate,
    Loopback,
    bound,
    to_bind,
    to_connect,
    told,
)

OWN, OTHER = "127.70.1.1", "127.70.2.1"
LOCAL = (10080, 6697)
FIRST_NUMBER = 65536 - 253 * len(LOCAL)


@pytest.fixture
def loopback() -> Loopback:
    return Loopback(OWN, frozenset({6665}), LOCAL, frozenset({8050}))


def raw(host: str, port: int) -> bytes:
    """Return a socket address as a program passes it."""
    number = port.to_bytes(2, "big")
    if ":" in host:
        packed = socket.inet_pton(socket.AF_INET6, host)
        return struct.pack("=H2sI16sI", socket.AF_INET6, number, 0, packed, 0)
    return struct.pack("=H2s4s8s", socket.AF_INET, number, socket.inet_aton(host), b"")


def shown(candidates: Iterable[Candidate]) -> list[tuple[str, int]]:
    return [place(candidate.address) for candidate in candidates]


def place(address: bytes | None) -> tuple[str, int]:
    assert address is not None
    parsed = Address.parse(address)
    assert parsed is not None
    return parsed.plain, parsed.port


def bind(loopback: Loopback, host: str, port: int, taken: int = 0) -> Candidate:
    """Bind as the supervisor does, where the first `taken` candidates are others'."""
    got = [*to_bind(raw(host, port), loopback)][taken]
    bound(raw(host, port), got, loopback)
    return got


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", OWN, "::", "::1", f"::ffff:{OWN}"])
@pytest.mark.parametrize("port", [0, 49152, 65535])
def test_any_free_port_is_one_that_browsers_refuse(
    loopback: Loopback, host: str, port: int
) -> None:
    """R80: at the kernel's own addresses but the first, where it talks to the server."""
    places = shown(to_bind(raw(host, port), loopback))
    assert places[:3] == [("127.70.1.2", 10080), ("127.70.1.2", 6697), ("127.70.1.3", 10080)]
    assert places[-1] == ("127.70.1.254", 6697)
    assert len({*places}) == 253 * len(LOCAL)


@pytest.mark.parametrize("port", [80, 5000, 8888, 8051, 49151])
def test_a_port_that_is_not_opened_is_refused(loopback: Loopback, port: int) -> None:
    assert [*to_bind(raw("0.0.0.0", port), loopback)] == []


def test_an_opened_port_is_bound_as_asked(loopback: Loopback) -> None:
    assert [*to_bind(raw("0.0.0.0", 8050), loopback)] == [Candidate(raw("0.0.0.0", 8050))]


def test_a_kernel_binds_at_no_address_of_another(loopback: Loopback) -> None:
    """R34: nor does it squat the ports of kernels to come."""
    assert [*to_bind(raw(OTHER, 0), loopback)] == []
    assert [*to_bind(raw(OTHER, 6665), loopback)] == []
    assert shown(to_bind(raw("0.0.0.0", 6665), loopback)) == [(OWN, 6665)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", OWN, "::ffff:127.0.0.1"])
def test_a_connection_to_a_local_port_goes_to_the_kernel_s_own_loopback(
    loopback: Loopback, host: str
) -> None:
    assert place(to_connect(raw(host, 10080), loopback)) == (OWN, 10080)


@pytest.mark.parametrize("port", [6665, 10080, 6697])
@pytest.mark.parametrize("host", [OTHER, f"::ffff:{OTHER}", "127.0.0.2"])
def test_a_connection_to_another_kernel_goes_nowhere(
    loopback: Loopback, host: str, port: int
) -> None:
    """R34."""
    assert to_connect(raw(host, port), loopback) is None


@pytest.mark.parametrize(
    ("host", "port"), [("93.184.216.34", 6667), ("127.0.0.1", 5432), ("::1", 80)]
)
def test_other_connections_are_left_to_landlock(loopback: Loopback, host: str, port: int) -> None:
    assert to_connect(raw(host, port), loopback) == raw(host, port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", OWN, "::ffff:127.0.0.1"])
@pytest.mark.parametrize("port", [0, 50000])
def test_a_dynamic_port_leads_to_the_place_that_was_given(
    loopback: Loopback, host: str, port: int
) -> None:
    """Whether a program was told the number or has named it."""
    got = bind(loopback, "127.0.0.1", port, taken=2)
    assert got.number == (port or FIRST_NUMBER + 2)
    assert place(to_connect(raw(host, got.number), loopback)) == ("127.70.1.3", 10080)


def test_a_place_itself_may_be_connected_to(loopback: Loopback) -> None:
    """The other end of a connection is seen by it."""
    assert place(to_connect(raw("127.70.1.9", 6697), loopback)) == ("127.70.1.9", 6697)


def test_a_number_that_was_never_bound_is_left_to_landlock(loopback: Loopback) -> None:
    """A program outside may listen there."""
    assert to_connect(raw("127.0.0.1", 65535), loopback) == raw("127.0.0.1", 65535)
    got = bind(loopback, "127.0.0.1", 0)
    elsewhere = raw("127.9.9.9", got.number)
    assert to_connect(elsewhere, loopback) == elsewhere


def test_no_two_programs_are_told_the_same_number(loopback: Loopback) -> None:
    """An inner kernel has five, and its manager refuses those that it has given away already."""
    numbers = [bind(loopback, "127.0.0.1", 0).number for _ in range(253 * len(LOCAL))]
    assert sorted(numbers) == [*range(FIRST_NUMBER, 65536)]
    assert bind(loopback, "127.0.0.1", 0).number == numbers[0], "those longest unused first"


def test_a_number_that_was_told_is_bound_by_name_at_its_place_and_nowhere_else(
    loopback: Loopback,
) -> None:
    """A kernel manager frees a port to let a kernel bind it a moment later."""
    got = bind(loopback, "127.0.0.1", 0, taken=3)
    for host in ("127.0.0.1", "0.0.0.0", OWN):
        assert shown(to_bind(raw(host, got.number), loopback)) == [("127.70.1.3", 6697)]


def test_a_program_is_told_what_it_asked_for_and_the_number(loopback: Loopback) -> None:
    got = bind(loopback, "127.0.0.1", 0)
    real = place(got.address)
    assert told(socket.AF_INET, *real, loopback) == raw("127.0.0.1", got.number)
    bind(loopback, "::", got.number)
    assert told(socket.AF_INET6, f"::ffff:{real[0]}", real[1], loopback) == raw("::", got.number)


def test_a_program_that_listens_without_binding_is_told_any_address(loopback: Loopback) -> None:
    [got, *_] = to_bind(raw("0.0.0.0", 0), loopback)
    bound(b"", got, loopback)
    assert told(socket.AF_INET, *place(got.address), loopback) == raw("0.0.0.0", FIRST_NUMBER)


@pytest.mark.parametrize(
    ("host", "port"), [("127.70.1.2", 10080), (OWN, 6665), ("127.0.0.1", 41234), ("fe80::1", 6697)]
)
def test_of_other_sockets_the_truth_is_told(loopback: Loopback, host: str, port: int) -> None:
    assert told(socket.AF_INET, host, port, loopback) is None


def test_a_kernel_with_a_network_of_its_own_has_no_such_places() -> None:
    loopback = Loopback("", frozenset(), (), frozenset())
    assert to_connect(raw("127.0.0.1", 10080), loopback) == raw("127.0.0.1", 10080)
    assert told(socket.AF_INET, "127.0.0.1", 10080, loopback) is None


@pytest.mark.parametrize("junk", [b"", b"\x02", b"\x02\x00\x00", b"\x01\x00/run/bus", b"\x00" * 16])
def test_what_is_no_internet_address_is_bound_nowhere(loopback: Loopback, junk: bytes) -> None:
    assert [*to_bind(junk, loopback)] == []
    assert to_connect(junk, loopback) == junk
