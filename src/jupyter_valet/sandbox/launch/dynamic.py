"""The dynamic ports of a kernel's programs: the numbers they know, and the places behind those.

A program asks for any free port, is told a number, closes the socket and gives the number to
another program, which binds it a moment later (an inner kernel's five); or it names a number
itself. Browsers refuse ten ports only, so a number stands for one of those ten at one of many
addresses. A number keeps its place, so two programs that bind it meet as they would without the
sandbox; the place used last is given to another number last.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

FIRST = 49152
"""From here on (RFC 6335 §6) a program that names a port means any free one."""
_END = 65536


class Place(NamedTuple):
    """Where a socket really is: an IPv4 address and a TCP port."""

    host: str
    port: int


class DynamicPorts:
    """Which number stands for which place. Every place has one number, and the other way round.

    Numbers count up to the highest there is, where Linux picks none for the programs outside
    (`net.ipv4.ip_local_port_range`) until it is told to.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        listed = [*places]
        self._places = dict(enumerate(listed, _END - len(listed)))
        """By number, those longest unused first."""
        self._numbers = {place: number for number, place in self._places.items()}
        self._hosts: dict[int, str] = {}
        """The address that was asked for, of each number that was ever bound."""

    def to_bind(self, wanted: int) -> list[tuple[int, Place]]:
        """Return the numbers and places to try for the port `wanted`, 0 for any, in order."""
        if wanted in self._hosts:
            return [(wanted, self._places[wanted])]
        return [(wanted or number, place) for number, place in self._places.items()]

    def bound(self, number: int, place: Place, host: str) -> None:
        """Remember that a program that asked for `host` got this."""
        before = self._numbers[place]
        if before != number:
            self._rename(before, number)
        self._places[number] = self._places.pop(number)
        self._hosts[number] = host

    def _rename(self, before: int, number: int) -> None:
        """Give the place of `before` to `number`, and what `number` had to `before`."""
        place, other = self._places[before], self._places.get(number)
        if other is None:
            del self._places[before]
        else:
            self._places[before], self._numbers[other] = other, before
        self._places[number], self._numbers[place] = place, number
        self._hosts.pop(before, None)

    def place(self, number: int) -> Place | None:
        """Return what a number stands for, if a program has ever bound it."""
        return self._places[number] if number in self._hosts else None

    def told(self, place: Place) -> tuple[str, int] | None:
        """Return the address and the number by which programs know a place, if they do."""
        number = self._numbers.get(place)
        return (
            None if number is None or number not in self._hosts else (self._hosts[number], number)
        )
