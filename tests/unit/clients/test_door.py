"""What comes through the door, the server forwarded: nobody else knows its secret."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jupyter_valet.broker.clients import Door
from jupyter_valet.wire import capability
from jupyter_valet.wire.clients import DOOR_PREFIX, HEADER, Arrival, digest, mint
from jupyter_valet.wire.errors import ValetError

SECRET = mint(DOOR_PREFIX)
ARRIVAL = Arrival("http://h/", "http://h/valet/mcp", "http://h/m", principal="owner")
TOLD = (HEADER.encode(), ARRIVAL.encode().encode())


def scope(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "headers": list(headers)}


def shown(secret: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {secret}".encode()


def test_the_server_s_word_is_taken_for_what_it_forwards() -> None:
    assert Door(digest(SECRET)).open(scope(shown(SECRET), TOLD))[0] == ARRIVAL


@pytest.mark.parametrize(
    "headers",
    [
        (TOLD,),
        (shown(""), TOLD),
        (shown(mint(DOOR_PREFIX)), TOLD),
        (shown(capability.mint()), TOLD),
        (shown(digest(SECRET)), TOLD),
        (shown(SECRET),),
        (shown(SECRET), shown(SECRET), TOLD),
        (shown(SECRET), TOLD, TOLD),
        (shown(SECRET), (HEADER.encode(), b"nonsense")),
        (shown(SECRET), (HEADER.encode(), b"e30=.")),
        (shown(SECRET), (HEADER.encode(), b"WyJhIl0=.")),
        (shown(SECRET), (HEADER.encode(), b"WzEsMiwzLDQsNV0=.")),
        (shown(SECRET), (HEADER.encode(), ARRIVAL.encode().partition(".")[0].encode())),
        ((b"cookie", SECRET.encode()), TOLD),
    ],
)
def test_nobody_else_s_is(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    with pytest.raises(ValetError, match="kernel"):
        Door(digest(SECRET)).open(scope(*headers))


def test_a_door_without_a_secret_opens_for_nobody() -> None:
    for secret in ("", DOOR_PREFIX, SECRET):
        with pytest.raises(ValetError):
            Door("").open(scope(shown(secret), TOLD))


def test_what_is_behind_the_door_learns_neither_its_secret_nor_the_token() -> None:
    kept = (b"mcp-method", b"tools/list")
    _, passed = Door(digest(SECRET)).open(scope(shown(SECRET), TOLD, kept))
    assert passed["headers"] == [kept]


def test_an_arrival_shows_no_token_when_it_is_printed() -> None:
    token = mint("jva_")
    assert token not in repr(Arrival("http://h/", "http://h/x", "http://h/m", token=token))


@pytest.mark.parametrize("token", ["", "jva_x", "e30.e30.c2ln", "a b\tc", "..", "\xe9"])
def test_a_token_arrives_as_it_was_shown(token: str) -> None:
    """Whatever its form is: a JWT has dots."""
    arrival = replace(ARRIVAL, principal="", token=token)
    assert Arrival.decode(arrival.encode()) == arrival


def test_what_has_opened_it_opens_it_again_and_nothing_else_does() -> None:
    door = Door(digest(SECRET))
    for _ in range(2):
        assert door.open(scope(shown(SECRET), TOLD))[0] == ARRIVAL
        for other in (mint(DOOR_PREFIX), SECRET[:-1], SECRET + "x", ""):
            with pytest.raises(ValetError):
                door.open(scope(shown(other), TOLD))
