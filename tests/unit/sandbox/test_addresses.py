"""Where a sandboxed kernel's TCP sockets really listen and connect, address by address."""

from __future__ import annotations

import socket
import struct

import pytest

from jupyter_valet.sandbox.launch.addresses import (
    Address,
    Loopback,
    bound,
    encode,
    to_bind,
    to_connect,
)

OWN, OTHER = "127.70.1.2", "127.70.1.3"


@pytest.fixture
def loopback() -> Loopback:
    return Loopback(OWN, frozenset({6665}), (10080, 6697), frozenset({8050}))


def raw(host: str, port: int) -> bytes:
    """Return a socket address as a program passes it."""
    number = port.to_bytes(2, "big")
    if ":" in host:
        packed = socket.inet_pton(socket.AF_INET6, host)
        return struct.pack("=H2sI16sI", socket.AF_INET6, number, 0, packed, 0)
    return struct.pack("=H2s4s8s", socket.AF_INET, number, socket.inet_aton(host), b"")


def shown(addresses: list[bytes]) -> list[tuple[str, int]]:
    parsed = [Address.parse(address) for address in addresses]
    return [(address.plain, address.port) for address in parsed if address is not None]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", OWN, "::", "::1", f"::ffff:{OWN}"])
@pytest.mark.parametrize("port", [0, 49152, 65535])
def test_any_free_port_is_one_that_browsers_refuse(
    loopback: Loopback, host: str, port: int
) -> None:
    """R80."""
    assert shown(to_bind(raw(host, port), loopback)) == [(OWN, 10080), (OWN, 6697)]


@pytest.mark.parametrize("port", [80, 5000, 8888, 8051, 49151])
def test_a_port_that_is_not_opened_is_refused(loopback: Loopback, port: int) -> None:
    assert to_bind(raw("0.0.0.0", port), loopback) == []


def test_an_opened_port_is_bound_as_asked(loopback: Loopback) -> None:
    assert to_bind(raw("0.0.0.0", 8050), loopback) == [raw("0.0.0.0", 8050)]


def test_a_kernel_binds_at_no_address_of_another(loopback: Loopback) -> None:
    """R34: nor does it squat the ports of kernels to come."""
    assert to_bind(raw(OTHER, 0), loopback) == []
    assert to_bind(raw(OTHER, 6665), loopback) == []
    assert shown(to_bind(raw("0.0.0.0", 6665), loopback)) == [(OWN, 6665)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", OWN, "::ffff:127.0.0.1"])
def test_a_connection_to_a_local_port_goes_to_the_kernel_s_own_loopback(
    loopback: Loopback, host: str
) -> None:
    address = to_connect(raw(host, 10080), loopback)
    assert address is not None
    assert shown([address]) == [(OWN, 10080)]


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


def test_a_dynamic_port_stands_for_the_one_that_was_given(loopback: Loopback) -> None:
    """A program that binds 50000 by number and tells others of it."""
    bound(raw("127.0.0.1", 50000), encode(socket.AF_INET, OWN, 6697), loopback)
    assert to_connect(raw("127.0.0.1", 50000), loopback) == encode(socket.AF_INET, OWN, 6697)


def test_the_port_used_last_is_given_last(loopback: Loopback) -> None:
    """ipykernel's debugger frees a port to bind it by number a moment later."""
    bound(raw("127.0.0.1", 0), encode(socket.AF_INET, OWN, 10080), loopback)
    assert loopback.free_ports() == [6697, 10080]


@pytest.mark.parametrize("junk", [b"", b"\x02", b"\x02\x00\x00", b"\x01\x00/run/bus", b"\x00" * 16])
def test_what_is_no_internet_address_is_bound_nowhere(loopback: Loopback, junk: bytes) -> None:
    assert to_bind(junk, loopback) == []
    assert to_connect(junk, loopback) == junk
