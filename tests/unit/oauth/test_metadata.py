"""Metadata is input from outside: RFC 8414 §3.3, R149, R150, R160, CL-02, CL-03, CL-10."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jupyter_valet.broker.oauth import Profile
from jupyter_valet.broker.oauth.rfc8414 import BadMetadata, Endpoints, candidates, endpoints

GOOD: dict[str, Any] = {
    "issuer": "https://login.corp.example",
    "authorization_endpoint": "https://login.corp.example/authorize",
    "token_endpoint": "https://tokens.corp.example/token",
    "code_challenge_methods_supported": ["S256"],
    "response_types_supported": ["code"],
}


def _slug(profile: Profile, **changes: Any) -> str:
    with pytest.raises(BadMetadata) as caught:
        endpoints(profile, {**GOOD, **changes})
    return caught.value.slug


def test_the_places_are_tried_in_the_order_of_the_specifications() -> None:
    """CL-02."""
    assert candidates("https://login.corp.example/tenant/") == [
        "https://login.corp.example/.well-known/oauth-authorization-server/tenant",
        "https://login.corp.example/.well-known/openid-configuration/tenant",
        "https://login.corp.example/tenant/.well-known/openid-configuration",
    ]
    assert candidates("https://login.corp.example") == [
        "https://login.corp.example/.well-known/oauth-authorization-server",
        "https://login.corp.example/.well-known/openid-configuration",
    ]


def test_good_metadata_gives_the_endpoints(profile: Profile) -> None:
    document = {
        **GOOD,
        "authorization_response_iss_parameter_supported": True,
        "scopes_supported": ["openid"],
    }
    assert endpoints(profile, document) == Endpoints(
        issuer="https://login.corp.example",
        authorization="https://login.corp.example/authorize",
        token="https://tokens.corp.example/token",
        iss_required=True,
        scopes=frozenset({"openid"}),
    )


@pytest.mark.parametrize(
    "issuer",
    [None, 7, "https://login.corp.example/", "https://evil.example", "https://Login.corp.example"],
)
def test_metadata_of_another_issuer_is_not_used(profile: Profile, issuer: Any) -> None:
    """R149, CL-03: strings are compared, nothing is normalised."""
    assert _slug(profile, issuer=issuer) == "issuer_mismatch"


@pytest.mark.parametrize("methods", [[], ["plain"], ["s256"]])
def test_a_server_that_does_not_announce_s256_is_refused(
    profile: Profile, methods: list[str]
) -> None:
    """R160, CL-10."""
    assert _slug(profile, code_challenge_methods_supported=methods) == "no_pkce"


def test_a_server_that_does_not_speak_of_pkce_is_refused(profile: Profile) -> None:
    """R160: absent means not supported (RFC 8414 §2)."""
    document = {k: v for k, v in GOOD.items() if k != "code_challenge_methods_supported"}
    with pytest.raises(BadMetadata, match="no_pkce"):
        endpoints(profile, document)


@pytest.mark.parametrize(
    "name",
    ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "revocation_endpoint"],
)
@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:8888/api",
        "https://localhost:8888/api",
        "https://127.0.0.1/api",
        "http://login.corp.example/x",
        "https://[::1]/x",
        "https://2130706433/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user@login.corp.example/x",
        "https://login.corp.example/x#y",
        "/relative",
        "",
        7,
        ["https://login.corp.example/x"],
    ],
)
def test_an_endpoint_outside_the_grammar_or_on_this_machine_is_refused(
    profile: Profile, name: str, url: Any
) -> None:
    """R150, CL-19, BP-19; what DNS says about the rest is checked when it is dialled."""
    assert _slug(profile, **{name: url}) == "bad_metadata"


def test_a_loopback_profile_has_endpoints_on_loopback_only(profile: Profile) -> None:
    local = replace(profile, issuer="http://127.0.0.1:9", loopback=True)
    document = {
        **GOOD,
        "issuer": "http://127.0.0.1:9",
        "authorization_endpoint": "http://127.0.0.1:9/a",
        "token_endpoint": "https://evil.example/t",
    }
    with pytest.raises(BadMetadata, match="bad_metadata"):
        endpoints(local, document)


def test_required_endpoints_are_required(profile: Profile) -> None:
    assert _slug(profile, token_endpoint=None) == "bad_metadata"
    assert _slug(profile, authorization_endpoint=None) == "bad_metadata"


def test_lists_that_are_no_lists_are_refused(profile: Profile) -> None:
    assert _slug(profile, code_challenge_methods_supported="S256") == "bad_metadata"
    assert _slug(profile, scopes_supported=[1]) == "bad_metadata"
    assert _slug(profile, response_types_supported=["token"]) == "bad_metadata"


def test_what_the_profile_says_itself_comes_first(profile: Profile) -> None:
    own = replace(profile, userinfo_endpoint="https://api.corp.example/me")
    found = endpoints(own, {**GOOD, "userinfo_endpoint": "https://elsewhere.example/me"})
    assert found.userinfo == "https://api.corp.example/me"


DEVICE = "https://login.corp.example/device"


def test_metadata_says_where_codes_are_given_out(profile: Profile) -> None:
    """RFC 8628 §4."""
    assert endpoints(profile, {**GOOD, "device_authorization_endpoint": DEVICE}).device == DEVICE
    assert endpoints(profile, GOOD).device == ""
    assert _slug(profile, device_authorization_endpoint="http://127.0.0.1/d") == "bad_metadata"


@pytest.mark.parametrize("flow", ["device", "client_credentials"])
def test_pkce_is_demanded_where_a_browser_brings_the_answer(profile: Profile, flow: Any) -> None:
    """CL-10 is about codes that come through the browser; the other two flows have none."""
    own = replace(profile, flow=flow)
    bare = {"issuer": GOOD["issuer"], "token_endpoint": GOOD["token_endpoint"]}
    assert endpoints(own, bare).token == GOOD["token_endpoint"]
    with pytest.raises(BadMetadata, match="issuer_mismatch"):
        endpoints(own, {**bare, "issuer": "https://evil.example"})
    with pytest.raises(BadMetadata, match="no_pkce"):
        endpoints(profile, bare)


@pytest.mark.parametrize(
    "name", ["authorization_endpoint", "token_endpoint", "device_authorization_endpoint"]
)
def test_an_issuer_that_a_document_named_answers_for_itself(profile: Profile, name: str) -> None:
    """R146: the page shows its host, so the browser goes there, and a code is redeemed there."""
    theirs = replace(profile, answers_for_itself=True)
    own = {**GOOD, "token_endpoint": "https://login.corp.example/token"}
    elsewhere = {**own, name: "https://login.known.example/x"}
    assert endpoints(theirs, {**own, "userinfo_endpoint": "https://api.corp.example/me"}).userinfo
    with pytest.raises(BadMetadata):
        endpoints(theirs, elsewhere)
    assert endpoints(profile, elsewhere)
