"""Where the credential meets the request: the one place of the egress that opens a `Secret`."""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Collection, Hashable
from urllib.parse import quote, unquote_plus

from ..reveal import reveal, reveal_bytes
from ..secret import Secret
from .placement import BEARER, Placement
from .reflection import Reflection
from .request import Request

_FAKE_LENGTH = 32
"""A shorter fake could be in an answer by chance."""


def into(request: Request, placement: Placement, credential: Secret) -> tuple[str, dict[str, str]]:
    """Return the target and the headers of `request` with the credential in its place.

    A header or a query parameter of the same name gives way: two would leave it to the server which
    of them it believes.
    """
    if placement.where == "nowhere":
        return request.target, request.lines
    key = reveal(credential)
    if placement.where == "query":
        return _with(request.target, placement.name, key), request.lines
    basic = placement.where == "basic"
    value = f"Basic {_pair(placement, key)}" if basic else placement.prefix + key
    own, headers = placement.header.lower(), request.lines
    if own in map(str.lower, headers):
        headers = {name: text for name, text in headers.items() if name.lower() != own}
    headers[placement.header] = value
    return request.target, headers


def as_variable(name: str, credential: Secret) -> dict[str, str]:
    """Return the environment of a program that finds its key in the variable `name`."""
    return {name: reveal(credential)}


def fake(like: Secret | None = None) -> Secret:
    """Return a random credential of the same shape, and of at least 32 characters.

    Letters become letters and digits digits, since a server that checks the form first would not
    echo one of another form.
    """
    shape = reveal(like) if like is not None else ""
    shape += "aA0" * (-(-(_FAKE_LENGTH - len(shape)) // 3))
    return Secret("".join(map(_another, shape)))


def _another(character: str) -> str:
    for family in (string.ascii_lowercase, string.ascii_uppercase, string.digits):
        if character in family:
            return secrets.choice(family)
    return character


def _pair(placement: Placement, key: str) -> str:
    """RFC 7617 §2, in UTF-8 (§2.1)."""
    return base64.b64encode(f"{placement.user}:{key}".encode()).decode()


def _with(target: str, name: str, key: str) -> str:
    path, _, query = target.partition("?")
    pairs = [pair for pair in query.split("&") if pair]
    others = [pair for pair in pairs if unquote_plus(pair.partition("=")[0]) != name]
    own = f"{quote(name, safe='')}={quote(key, safe='')}"
    return f"{path or '/'}?{'&'.join([*others, own])}"


class Watches:
    """What recognises a credential in an answer, kept while the credential is in use.

    Making one costs more than looking for it. It knows as much as the credential itself, so there
    is one for each destination, and it goes when the credential changes.
    """

    def __init__(self) -> None:
        self._held: dict[Hashable, tuple[Secret, Placement, Reflection]] = {}

    def of(
        self, destination: Hashable, credential: Secret, placement: Placement = BEARER
    ) -> Reflection:
        """Return what recognises `credential`, which goes to `destination` at `placement`."""
        held = self._held.get(destination)
        same = held is not None and (held[1] is placement or held[1] == placement)
        if held is None or not same or held[0] != credential:
            held = (credential, placement, _recognised(credential, placement))
            self._held[destination] = held
        return held[2]

    def keep(self, destinations: Collection[Hashable]) -> None:
        """Forget all others; there is one for each of `destinations`."""
        if len(self._held) > len(destinations):
            self._held = {d: held for d, held in self._held.items() if d in destinations}


def _recognised(credential: Secret, placement: Placement) -> Reflection:
    """A short key in base64 is recognised by the whole pair that was sent (R99)."""
    if placement.where != "basic":
        return Reflection(reveal_bytes(credential))
    return Reflection(reveal_bytes(credential), _pair(placement, reveal(credential)).encode())
