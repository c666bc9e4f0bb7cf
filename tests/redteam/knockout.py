"""A pytest plugin: one defence is taken out, and what becomes of each test is written down.

`REDTEAM_UNDO` names the defence, `REDTEAM_OUTCOMES` the file. Without its defence a row's attack
must win, so its test must fail: that is the row's positive control. A defence that has moved is an
`AttributeError` here, never a control that means nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin

import pytest
from msgspec import structs

_outcomes: dict[str, str] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Take the defence out, before any test module is imported."""
    if name := os.environ.get("REDTEAM_UNDO", ""):
        UNDO[name]()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember a test's outcome; an error in a fixture is one, too."""
    counts = report.when == "call" or report.outcome != "passed"
    if counts and _outcomes.get(report.nodeid) != "failed":
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    """Write all outcomes down."""
    if path := os.environ.get("REDTEAM_OUTCOMES", ""):
        Path(path).write_text(json.dumps(_outcomes))


def _put(place: Any, name: str, value: Any) -> None:
    if not hasattr(place, name):
        raise AttributeError(f"the defence {name} is no longer in {place}")
    setattr(place, name, value)


def _reflection() -> None:
    from jupyter_valet.broker.egress.reflection import Reflection

    _put(Reflection, "found_in", lambda self, *parts: False)


def _slices() -> None:
    """Match pieces of the token, as a redacting proxy does."""
    from jupyter_valet.broker.egress.reflection import Reflection

    made = Reflection.__init__

    def remember(self: Any, token: bytes, *carried: bytes) -> None:
        made(self, token, *carried)
        pieces = {token[at : at + 4] for at in range(len(token) - 3)}
        self._verbatim = (*self._verbatim, *pieces)

    _put(Reflection, "__init__", remember)


def _redirects() -> None:
    from jupyter_valet.broker.egress import call, origin

    def anywhere(request: Any, response: Any) -> Any:
        location = response.headers.get("location", "")
        if not location:
            return None
        with contextlib.suppress(ValueError):
            there, target = origin.split_url(urljoin(request.url, location))
            return structs.replace(request, origin=there, target=target or "/")
        return structs.replace(request, target="/fooled")

    _put(call, "_same_origin_redirect", anywhere)
    _onward()


def _onward() -> None:
    """Follow a redirect wherever it leads within the origin, whatever the grant's limits."""
    from jupyter_valet.broker.policy.access import Access

    _put(Access, "may_follow", lambda self, *facts: True)


def _segments() -> None:
    from jupyter_valet.broker.egress import request

    _put(request, "_check_piece", lambda parameter, text, *, empty: None)
    _put(request, "_climbs", lambda path: False)
    _put(request, "check_target", lambda target: None)
    for name in ("encode", "encode_reserved_path"):
        _put(request.styles, name, lambda text: text)


def _headers() -> None:
    from jupyter_valet.broker.egress import call

    more = {"Range": "bytes=0-3", "X-HTTP-Method-Override": "DELETE", "Cookie": "a=b"}
    _put(call, "_FIXED", {**call._FIXED, **more})


def _methods() -> None:
    from jupyter_valet.broker.egress import request

    _put(request, "METHODS", request.METHODS | {"TRACE", "CONNECT"})


def _denied() -> None:
    from jupyter_valet.broker.egress.denied import Denied

    _put(Denied, "covers", lambda self, method, target: False)


def _pools() -> None:
    from jupyter_valet.broker.egress import call

    destination = call.Destination
    _put(call, "Destination", lambda _, *place: destination("everybody", *place))


def _addresses() -> None:
    from jupyter_valet.broker.egress import dial, origin

    for place in (origin, dial):
        _put(place, "permitted", lambda address, *, loopback: True)


def _grammar() -> None:
    import re

    from jupyter_valet.broker.egress import origin

    _put(origin.Origin, "_check", lambda self: None)
    loose = r"(?i:([a-z]+))://([^/:]*)(?::([0-9]+))?"
    _put(origin, "_ORIGIN", re.compile(loose))
    _put(origin, "_TARGET", re.compile(r"(?s).*"))
    _put(origin, "_DEFAULT_PORTS", _Any())


class _Any(dict[str, int]):
    def __missing__(self, key: str) -> int:
        return 443


def _other_host() -> None:
    from jupyter_valet.broker.egress import dial
    from jupyter_valet.broker.egress.origin import Origin

    async def anybody(self: Any, host: str, port: int = 0, family: Any = 0) -> list[Any]:
        del family
        found = await dial.resolve(Origin("https", host, port), loopback=True)
        return [dial._result(host, port, address) for address in found]

    _put(dial.VettedResolver, "resolve", anybody)


def _state() -> None:
    from jupyter_valet.broker.oauth import rfc6749

    _put(rfc6749, "_state_fault", lambda pending, state: "")


def _issuer() -> None:
    from jupyter_valet.broker.oauth import rfc9207

    _put(rfc9207, "fault", lambda issuer, iss, *, required: "")


def _duplicates() -> None:
    from jupyter_valet.broker.oauth import rfc6749

    _put(rfc6749, "_single_parameters", lambda profile, query: dict(parse_qsl(query)))


def _metadata() -> None:
    from jupyter_valet.broker.oauth import client, rfc8414

    checked = rfc8414.endpoints

    def trusting(profile: Any, document: dict[str, Any]) -> Any:
        said = {"issuer": profile.issuer, "code_challenge_methods_supported": ["S256"]}
        return checked(profile, {**document, **said})

    _put(rfc8414, "endpoints", trusting)
    with contextlib.suppress(AttributeError):
        _put(client, "endpoints", trusting)


def _endpoints() -> None:
    from jupyter_valet.broker.oauth import rfc8414

    _put(rfc8414, "_endpoint", lambda profile, document, name, **_: str(document.get(name, "")))


def _redirect_uri() -> None:
    from jupyter_valet.broker.oauth import client

    _put(client, "_check_redirect_uri", lambda profile, redirect_uri: None)


def _error_text() -> None:
    from jupyter_valet.broker.oauth import rfc6749
    from jupyter_valet.broker.oauth.errors import CallbackRefused

    checked = rfc6749.callback_code

    def talkative(profile: Any, pending: Any, query: str, now: float) -> Any:
        try:
            return checked(profile, pending, query, now)
        except CallbackRefused as refused:
            refused.args = (query,)
            refused.message = query  # type: ignore[misc]
            raise

    _put(rfc6749, "callback_code", talkative)


def _granted() -> None:
    from jupyter_valet.broker.oauth import rfc6749

    read = rfc6749.token_set

    def generous(*args: Any, **named: Any) -> Any:
        tokens = read(*args, **named)
        return replace(tokens, scopes=tokens.scopes | tokens.extra, extra=frozenset())

    _put(rfc6749, "token_set", generous)


def _refresh_lock() -> None:
    from jupyter_valet.broker.connections.freshness import Freshness
    from jupyter_valet.broker.vault import Vault

    _put(Vault, "lock", lambda self, name: contextlib.nullcontext())
    _put(Freshness, "_fly", Freshness._refresh)


def _tag() -> None:
    """Encrypt without authentication."""
    from jupyter_valet.broker.vault import sealing

    class Malleable:
        def __init__(self, key: bytes) -> None:
            self._key = key

        def encrypt(self, nonce: bytes, data: bytes, bound: bytes) -> bytes:
            return bytes(a ^ b for a, b in zip(data, self._key * len(data), strict=False)) + bytes(
                sealing.TAG_BYTES
            )

        def decrypt(self, nonce: bytes, data: bytes, bound: bytes) -> bytes:
            return self.encrypt(nonce, data[: -sealing.TAG_BYTES], bound)[: -sealing.TAG_BYTES]

    _put(sealing, "AESGCM", Malleable)


def _binding() -> None:
    from jupyter_valet.broker.vault.sealing import Facts

    _put(Facts, "associated_data", lambda self: b"")


def _witness() -> None:
    from jupyter_valet.broker.vault.witness import Witness

    _put(Witness, "generation", lambda self, ring: None)


def _mark_in_keyring() -> None:
    """Neither the witness nor the keyring remembers how far the vault had got."""
    from jupyter_valet.broker.vault.key_sources.os_keyring import KeyringSource

    _witness()
    _put(KeyringSource, "apart", False)


def _traces() -> None:
    from jupyter_valet.broker.vault.folder import Place

    _put(Place, "traces", lambda self: [])


def _file_checks() -> None:
    from jupyter_valet.broker.vault import files

    _put(files, "_check_file", lambda name, found: None)
    _put(files, "_NOFOLLOW", 0)


def _modes() -> None:
    from jupyter_valet.broker.vault import files

    _put(files, "_check_file", lambda name, found: None)
    _put(files, "FILE_MODE", 0o644)
    _put(files, "FOLDER_MODE", 0o755)


def _compare_and_swap() -> None:
    from jupyter_valet.broker.vault import Vault

    put = Vault.put

    def careless(self: Any, *args: Any, expect: int | None = None) -> Any:
        return put(self, *args)

    _put(Vault, "put", careless)


def _random() -> None:
    from types import SimpleNamespace

    from jupyter_valet.broker.vault import sealing

    _put(sealing, "os", SimpleNamespace(urandom=bytes))


def _secret() -> None:
    from jupyter_valet.broker.reveal import reveal
    from jupyter_valet.broker.secret import Secret

    for name in ("__repr__", "__str__"):
        _put(Secret, name, reveal)


def _keyring_backend() -> None:
    """Let the library choose, which takes what the environment or a file names."""
    import keyring.core

    from jupyter_valet.broker.vault.key_sources import os_keyring

    _put(os_keyring, "_check_open", lambda: None)
    _put(os_keyring, "_backend", lambda: keyring.core.init_backend())


def _fingerprint() -> None:
    from jupyter_valet.broker.connections.connection import Connection

    _put(Connection, "made_under", lambda self, profile: True)


def _probes() -> None:
    """Believe every host without asking."""
    from jupyter_valet.broker.connections.probes import Probes

    _put(Probes, "_believed", lambda self, profile, origin: True)


def _nonce() -> None:
    from jupyter_valet.broker.consent import desk, sign_in

    _put(desk, "check_nonce", lambda transaction, nonce, profile: None)
    _put(sign_in, "same", lambda left, right: True)


def _shown_provider() -> None:
    """Bind a press to the page alone, whatever provider it showed."""
    from jupyter_valet.broker.consent import desk, facts

    alone = desk.page_nonce
    for place in (desk, facts):
        _put(place, "page_nonce", lambda transaction, profile: alone(transaction, None))


def _own_issuer() -> None:
    """Let an issuer that a document named send people, and codes, wherever it likes."""
    from jupyter_valet.broker.oauth.profile import Profile

    _put(Profile, "may_be_at", lambda self, origin: True)


def _bounded() -> None:
    """Unfold schemas as far as they go."""
    from jupyter_valet.broker.toolsets import bounded

    _put(bounded, "unfolded", lambda schema: 0)


def _place() -> None:
    """Take all servers of a host that a notebook names for one."""
    from jupyter_valet.broker.upstream import directory

    make = directory.replace
    _put(directory, "replace", lambda one, **more: make(one, **{**more, "place": ""})
         if "place" in more else make(one, **more))  # fmt: skip


def _scope_words() -> None:
    from jupyter_valet.broker.oauth.profile import Profile

    _put(Profile, "may_ask", lambda self, scopes: True)


UNDO: dict[str, Callable[[], None]] = {
    name.removeprefix("_"): function
    for name, function in globals().items()
    if name.startswith("_") and callable(function) and name not in ("_put", "_Any")
}
