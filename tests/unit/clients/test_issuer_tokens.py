"""Access tokens of other issuers: signed by them, for us, now, for one of the people let in."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from token_issuer import CLIENT_ID, CLIENT_SECRET, TokenIssuer, new_key

from jupyter_valet.broker.clients import Clients
from jupyter_valet.broker.clients.issuers import IssuerTokens, introspection, keys, read
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.refusal import Refusal
from jupyter_valet.wire.clients import Arrival
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

HERE = "https://jupyter.example.org/valet/mcp"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def issuer() -> AsyncIterator[TokenIssuer]:
    async with TokenIssuer() as running:
        yield running


class Judge:
    """What the endpoint makes of a token."""

    def __init__(self, issuer: TokenIssuer, person: str = "owner", **settings: Any) -> None:
        usual = {"subjects": ["jane"], "loopback": True, **settings}
        entry = {name: value for name, value in usual.items() if value is not None}
        self.tokens = IssuerTokens(read({issuer.url: entry}), person)
        self._clients = Clients(
            [self.tokens], lambda *_: False
        )  # an issuer says itself who may come

    async def __aenter__(self) -> Judge:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.tokens.close()

    async def of(self, token: str, audience: str = HERE) -> Caller | Refusal:
        arrival = Arrival("https://j/", HERE, "https://j/m", audience=audience, token=token)
        return await self._clients.caller(arrival)

    async def lets_in(self, token: str, **how: str) -> bool:
        found = await self.of(token, **how)
        assert isinstance(found, Caller) or found.status == 401
        return isinstance(found, Caller)


async def test_a_token_of_the_issuer_lets_its_person_s_program_in(issuer: TokenIssuer) -> None:
    async with Judge(issuer) as judge:
        caller = await judge.of(issuer.token(scope="tools:read openid tools:write:demo"))
    assert isinstance(caller, Caller)
    assert caller.client is not None
    assert caller.principal == "owner"
    assert caller.client.name == "editor-1"
    assert caller.client.scopes == {"tools:read", "tools:write:demo"}
    assert caller.client.id.startswith("client:app:")


async def test_programs_issuers_and_people_are_clients_of_their_own(issuer: TokenIssuer) -> None:
    async with Judge(issuer, subjects=["jane", "joe"]) as judge:
        tokens = [{}, {"client_id": "editor-2"}, {"sub": "joe"}]
        ids = {(await judge.of(issuer.token(**claims))).client.id for claims in tokens}  # type: ignore[union-attr]
    assert len(ids) == 3


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES256", "ES384", "ES512", "EdDSA"])
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # the test signs with EdDSA
async def test_signatures_by_private_keys_are_good(issuer: TokenIssuer, algorithm: str) -> None:
    issuer.keys = [new_key(algorithm, "k")]
    async with Judge(issuer) as judge:
        assert await judge.lets_in(issuer.token())


def _parts(token: str) -> list[str]:
    return token.split(".")


def _b64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def test_what_nobody_signed_is_refused(issuer: TokenIssuer) -> None:
    """RS-04, RFC 8725 §2.1, §3.1: `none`, HMAC with the public key, another's key, other claims."""
    good = issuer.token()
    head, payload, signature = _parts(good)
    stranger = new_key("RS256", issuer.keys[0].kid or "")
    public = issuer.keys[0].as_pem(private=False)  # type: ignore[union-attr]
    import hashlib
    import hmac

    hs_head = _b64({"alg": "HS256", "kid": "first", "typ": "at+jwt"})
    mac = hmac.new(public, f"{hs_head}.{payload}".encode(), hashlib.sha256).digest()
    forged = [
        f"{_b64({'alg': 'none'})}.{payload}.",
        f"{_b64({'alg': 'none'})}.{payload}.{signature}",
        f"{hs_head}.{payload}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}",
        issuer.token(stranger),
        f"{head}.{_b64(issuer.claims(sub='root'))}.{signature}",
        f"{head}.{payload}.{signature[:-4]}",
        f"{head}.{payload}",
        good + ".x",
        "e30.e30.e30",
        "." * 2,
        good[: len(good) // 2],
        "A" * 40_000,
    ]
    async with Judge(issuer) as judge:
        assert await judge.lets_in(good)
        assert not any([await judge.lets_in(token) for token in forged])


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": None},
        {"aud": []},
        {"aud": ""},
        {"aud": "https://other.example.org/mcp"},
        {"aud": HERE + "/"},
        {"aud": HERE.upper()},
        {"aud": {"x": HERE}},
        {"aud": [[HERE]]},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1},
        {"exp": int(time.time()) - 61},
        {"nbf": int(time.time()) + 3600},
        {"nbf": "now"},
        {"iat": int(time.time()) + 3600},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "somebody else"},
        {"sub": ["jane"]},
        {"cnf": {"jkt": "x"}},
    ],
    ids=lambda changed: next(iter(changed)),  # some values are times: workers must agree on names
)
async def test_a_signed_token_that_is_not_for_us_now_is_refused(
    issuer: TokenIssuer, changed: dict[str, Any]
) -> None:
    """RS-04, RS-05, BP-08, RFC 9449 §7.1."""
    async with Judge(issuer) as judge:
        assert not await judge.lets_in(issuer.token(**changed))


async def test_clocks_may_differ_by_a_minute(issuer: TokenIssuer) -> None:
    now = int(time.time())
    async with Judge(issuer) as judge:
        assert await judge.lets_in(issuer.token(exp=now - 30))
        assert await judge.lets_in(issuer.token(nbf=now + 30, iat=now + 30))


@pytest.mark.parametrize(
    ("typ", "good"),
    [("at+jwt", True), ("application/at+jwt", True), ("JWT", True), (None, True)]
    + [(t, False) for t in ("logout+jwt", "dpop+jwt", "secevent+jwt", "id_token")],
)
async def test_another_kind_of_jwt_that_the_issuer_signs_is_no_access_token(
    issuer: TokenIssuer, typ: str | None, good: bool
) -> None:
    """RFC 8725 §3.11, RFC 9068 §4."""
    async with Judge(issuer) as judge:
        assert await judge.lets_in(issuer.token(header={"typ": typ})) is good


async def test_an_audience_may_be_configured_and_one_of_several(issuer: TokenIssuer) -> None:
    async with Judge(issuer, audience="api://jupyter") as judge:
        assert await judge.lets_in(issuer.token(aud=["x", "api://jupyter"]))


async def test_the_address_that_a_client_wrote_is_no_audience(issuer: TokenIssuer) -> None:
    """RS-05: a `Host` that nobody fixed could be chosen to fit a token of another server."""
    async with Judge(issuer) as judge:
        assert not await judge.lets_in(issuer.token(), audience="")


@pytest.mark.parametrize(
    ("person", "subjects", "sub", "principal"),
    [
        ("owner", ["jane"], "jane", "owner"),
        ("owner", ["jane"], "joe", ""),
        ("owner", None, "jane", ""),
        ("user:jane", None, "jane", "user:jane"),
        ("user:jane", None, "joe", ""),
        ("user:jane", ["jane", "joe"], "joe", ""),
        ("user:jane", {"00u1": "jane"}, "00u1", "user:jane"),
        ("user:jane", {"00u1": "jane"}, "jane", ""),
        ("", {"00u1": "jane"}, "00u1", "user:jane"),
        ("", None, "jane", ""),
    ],
)
async def test_an_issuer_of_many_people_lets_in_those_who_are_meant(
    issuer: TokenIssuer, person: str, subjects: Any, sub: str, principal: str
) -> None:
    """ES-18, ES-19: on a Hub the user of the same name, elsewhere who is named."""
    async with Judge(issuer, person, subjects=subjects) as judge:
        found = await judge.of(issuer.token(sub=sub))
    assert (found.principal if isinstance(found, Caller) else "") == principal


@pytest.mark.parametrize(("verified", "good"), [(True, True), (False, False), (None, False)])
async def test_an_e_mail_address_is_somebody_once_it_was_verified(
    issuer: TokenIssuer, verified: bool | None, good: bool
) -> None:
    settings = {"principal_claim": "email", "subjects": ["jane@example.org"]}
    async with Judge(issuer, **settings) as judge:
        token = issuer.token(email="jane@example.org", email_verified=verified)
        assert await judge.lets_in(token) is good


async def test_scopes_of_the_issuer_s_own_stand_for_what_the_configuration_says(
    issuer: TokenIssuer,
) -> None:
    async with Judge(issuer, scopes={"jupyter": "tools:read tools:write:demo"}) as judge:
        mapped = await judge.of(issuer.token(scope=None, scp=["jupyter", "tools:write"]))
        none = await judge.of(issuer.token(scope="tools:write"))
    assert mapped.client.scopes == {"tools:read", "tools:write:demo"}  # type: ignore[union-attr]
    assert none.client.scopes == frozenset()  # type: ignore[union-attr]


# Keys --------------------------------------------------------------------------------------------


async def test_keys_are_fetched_once_for_many_tokens(issuer: TokenIssuer) -> None:
    async with Judge(issuer) as judge:
        for _ in range(5):
            assert await judge.lets_in(issuer.token())
    assert issuer.asked["/jwks"] == 1


async def test_a_key_that_the_issuer_rotated_in_is_found_without_waiting(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "AGAIN_SECONDS", 0.0)
    async with Judge(issuer) as judge:
        assert await judge.lets_in(issuer.token())
        issuer.keys = [new_key("ES256", "second")]
        assert await judge.lets_in(issuer.token())
    assert issuer.asked["/jwks"] == 2


async def test_strangers_who_name_keys_make_nobody_ask_more_than_once_a_minute(
    issuer: TokenIssuer,
) -> None:
    async with Judge(issuer) as judge:
        for number in range(20):
            assert not await judge.lets_in(issuer.token(header={"kid": f"no{number}"}))
    assert issuer.asked["/jwks"] == 1


async def test_keys_are_believed_for_a_while_when_the_issuer_is_down(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(keys, "RETRY_SECONDS", 0.0)
    async with Judge(issuer) as judge:
        assert await judge.lets_in(issuer.token())
        issuer.down = True
        monkeypatch.setattr(keys, "FRESH_SECONDS", 0.0)
        assert await judge.lets_in(issuer.token())
        monkeypatch.setattr(keys, "STALE_SECONDS", 0.0)
        refusal = await judge.of(issuer.token())
    assert isinstance(refusal, Refusal)
    assert refusal.status == 503, "not a 401: the client would throw a good token away"


async def test_keys_that_must_not_sign_are_left_out(issuer: TokenIssuer) -> None:
    """RFC 8725 §3.2 f.: a shared secret, a key to encrypt with, a short one, and nonsense."""
    from joserfc.jwk import RSAKey

    secret = new_key("HS256", "shared")
    other_use = new_key("RS256", "encrypting")
    issuer.more_keys = [
        secret.as_dict(private=True),
        {**other_use.as_dict(private=False), "use": "enc"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": 3},
        {"kty": "EC"},
        "no key",  # type: ignore[list-item]
    ]
    with pytest.warns(match="."):
        short = RSAKey.generate_key(1024, {"kid": "short", "alg": "RS256"})
    issuer.more_keys.append(dict(short.as_dict(private=False)))
    async with Judge(issuer) as judge:
        assert await judge.lets_in(issuer.token())
        assert not await judge.lets_in(issuer.token(secret))
        assert not await judge.lets_in(issuer.token(other_use))
        assert not await judge.lets_in(issuer.token(short))


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "https://evil.example/jwks"},
        {"jwks_uri": 1},
    ],
)
async def test_metadata_of_another_issuer_are_not_used(
    issuer: TokenIssuer, changed: dict[str, Any]
) -> None:
    """RFC 8414 §3.3, BP-09: nor those that lead elsewhere."""
    issuer.metadata = changed
    async with Judge(issuer) as judge:
        refusal = await judge.of(issuer.token())
    assert isinstance(refusal, Refusal)
    assert refusal.status == 503


# Introspection -----------------------------------------------------------------------------------


@pytest.fixture
def looked_up(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "secret"
    file.write_text(CLIENT_SECRET + "\n")
    return {"introspection": {"client_id": CLIENT_ID, "client_secret_file": str(file)}}


async def test_an_opaque_token_is_looked_up_at_its_issuer(
    issuer: TokenIssuer, looked_up: dict[str, Any]
) -> None:
    issuer.active["opaque-1"] = issuer.claims()
    issuer.active["for-others"] = issuer.claims(aud="https://other.example.org/")
    issuer.active["for-anybody"] = issuer.claims(aud=None)
    issuer.active["others"] = issuer.claims(iss="https://evil.example")
    async with Judge(issuer, **looked_up) as judge:
        assert await judge.lets_in("opaque-1")
        assert await judge.lets_in("opaque-1")
        for token in ("for-others", "for-anybody", "others", "unknown"):
            assert not await judge.lets_in(token)
    assert issuer.looked_up.count("opaque-1") == 1, "believed for a moment"


async def test_a_token_that_its_issuer_ends_is_refused_once_it_is_asked_again(
    issuer: TokenIssuer, looked_up: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.active["opaque-1"] = issuer.claims()
    async with Judge(issuer, **looked_up) as judge:
        assert await judge.lets_in("opaque-1")
        issuer.active.clear()
        assert await judge.lets_in("opaque-1"), "believed for half a minute"
        monkeypatch.setattr(introspection, "GOOD_SECONDS", 0.0)
        issuer.active["opaque-2"] = issuer.claims()
        assert await judge.lets_in("opaque-2")
        issuer.active.clear()
        assert not await judge.lets_in("opaque-2")


async def test_what_is_not_the_issuer_s_to_see_is_not_shown_to_it(
    issuer: TokenIssuer, looked_up: dict[str, Any]
) -> None:
    """BP-08: an API key, a capability, another issuer's token, and what is no token at all."""
    shown = [
        "jva_" + "a" * 43,
        "jvo_" + "a" * 43,
        "jvk_" + "a" * 43,
        "jvd_x",
        "jvr_x",
        "jvc_x",
        "a b",
        "ä",
        "",
    ]
    shown += [issuer.token(iss="https://other.example.org"), "x" * 20_000, "ory_x"]
    async with Judge(issuer, **looked_up, token_prefix="lab_") as judge:
        for token in shown:
            assert not await judge.lets_in(token)
    assert issuer.looked_up == []


async def test_an_issuer_that_cannot_be_asked_is_neither_a_yes_nor_a_no(
    issuer: TokenIssuer, looked_up: dict[str, Any], tmp_path: Path
) -> None:
    issuer.active["opaque-1"] = issuer.claims()
    issuer.down = True
    async with Judge(issuer, **looked_up) as judge:
        first = await judge.of("opaque-1")
        issuer.down = False
        (tmp_path / "secret").write_text("another")
        second = await judge.of("opaque-1")
    assert isinstance(first, Refusal)
    assert isinstance(second, Refusal)
    assert (first.status, second.status) == (503, 503)


# Configuration -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://issuer.example", {"subjects": ["a"]}),
        ("https://issuer.example?x=1", {"subjects": ["a"]}),
        ("https://issuer.example", {"subject": ["a"]}),
        ("https://issuer.example", {"subjects": "jane"}),
        ("https://issuer.example", {"subjects": []}),
        ("https://issuer.example", {"loopback": True}),
        ("http://127.0.0.1:1", {}),
        ("https://issuer.example", {"jwks_uri": "http://127.0.0.1:1/jwks"}),
        ("https://issuer.example", {"scopes": {"x": "repo"}}),
        ("https://issuer.example", {"introspection": {"client_id": "x"}}),
        ("https://issuer.example", {"principal_claim": "a b"}),
        ("https://issuer.example", None),
    ],
)
def test_a_setting_that_is_wrong_is_named(url: str, entry: Any) -> None:
    with pytest.raises(ValetError):
        read({url: entry})


def test_two_issuers_are_not_both_shown_a_token_that_says_nothing() -> None:
    asked = {"introspection": {"client_id": "x", "client_secret_file": "/x"}}
    named = {**asked, "token_prefix": "b_"}
    read({"https://a.example": asked, "https://b.example": named})
    with pytest.raises(ValetError):
        read({"https://a.example": asked, "https://b.example": asked})
