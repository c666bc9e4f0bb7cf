"""The answers of a device authorization (RFC 8628), and the providers that give out codes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jupyter_valet.broker.oauth import (
    DeviceCode,
    DeviceFlow,
    OAuthApp,
    OAuthRefused,
    Profile,
    profiles,
    rfc8628,
)
from jupyter_valet.broker.secret import Secret
from jupyter_valet.wire.errors import ValetError

NOW = 1000.0
ANSWER: dict[str, Any] = {
    "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://login.corp.example/device",
    "verification_uri_complete": "https://login.corp.example/device?user_code=WDJB-MJHT",
    "expires_in": 1800,
    "interval": 7,
}


def read(profile: Profile, **other: Any) -> DeviceCode:
    """Return the code of an answer that is otherwise than `ANSWER`; None: left out."""
    answer = {name: value for name, value in {**ANSWER, **other}.items() if value is not None}
    return rfc8628.device_code(
        profile,
        OAuthApp(profile.name, profile.issuer, "client"),
        answer,
        asked=frozenset({"read"}),
        token_endpoint="https://login.corp.example/token",
        now=NOW,
    )


def test_a_code_is_read_as_the_provider_said(profile: Profile) -> None:
    """RFC 8628 §3.2."""
    code = read(profile)
    assert (code.user_code, code.interval, code.expires_at) == ("WDJB-MJHT", 7.0, NOW + 1800)
    assert code.verification_uri_complete == ANSWER["verification_uri_complete"]


@pytest.mark.parametrize(
    "there",
    [
        "https://known.example/devicelogin",
        "https://login.corp.example:8443/device",
        "https://login.corp.example.evil.example/device",
        "https://device.login.corp.example/device",
    ],
)
def test_an_issuer_that_a_document_named_passes_on_nobody_else_s_code(
    profile: Profile, there: str
) -> None:
    """X14, RFC 8628 §5.4: it could begin a sign-in of its own at a provider that the person knows,
    and have our page ask them to type that code."""
    theirs = replace(profile, answers_for_itself=True)
    with pytest.raises(OAuthRefused) as refused:
        read(theirs, verification_uri=there, verification_uri_complete=None)
    assert refused.value.slug == "bad_code"
    assert read(theirs).verification_uri == ANSWER["verification_uri"]
    # Whoever configures a server may know better: Google's and Microsoft's are elsewhere.
    assert read(profile, verification_uri=there).verification_uri == there


def test_what_is_not_said_is_as_the_rfc_has_it(profile: Profile) -> None:
    code = read(profile, interval=None, verification_uri_complete=None)
    assert (code.interval, code.verification_uri_complete) == (5.0, "")
    assert read(profile, interval=0).interval == 1.0  # nobody is asked without a pause
    assert read(profile, expires_in=10**8).expires_at == NOW + 3600


@pytest.mark.parametrize(
    "other",
    [
        {"device_code": None},
        {"device_code": 7},
        {"device_code": "a\nb"},
        {"device_code": "jvk_" + "x" * 43},
        {"user_code": None},
        {"user_code": "  "},
        {"user_code": "x" * 65},
        {"user_code": "AB\u202eCD"},
        {"user_code": "AB\nCD"},
        {"expires_in": None},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": True},
        {"expires_in": "soon"},
        {"interval": "often"},
        {"interval": -5},
        {"verification_uri": None},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": "http://login.corp.example/device"},
        {"verification_uri": "https://jane@login.corp.example/device"},
        {"verification_uri": "http://127.0.0.1:9000/device"},
        {"verification_uri": ["https://login.corp.example/device"]},
        {"verification_uri_complete": "http://login.corp.example/device?c=1"},
    ],
    ids=str,
)
def test_a_code_that_must_not_be_shown_is_none(profile: Profile, other: dict[str, Any]) -> None:
    """What a person reads and follows cannot look like something else, or lead to this machine."""
    with pytest.raises(OAuthRefused) as refused:
        read(profile, **other)
    assert refused.value.slug == "bad_code"


def test_a_link_with_the_code_leads_where_the_page_says(profile: Profile) -> None:
    """Otherwise the host that the person reads would not be the one that they come to."""
    code = read(profile, verification_uri_complete="https://evil.example/?user_code=WDJB-MJHT")
    assert code.verification_uri_complete == ""


def test_a_code_is_in_no_repr(profile: Profile) -> None:
    text = repr(read(profile))
    assert "WDJB" not in text
    assert "GmRhmh" not in text


def test_a_code_comes_back_from_what_is_stored_with_its_secrets_apart(profile: Profile) -> None:
    code = read(profile)
    sealed = {
        "device_code": str(ANSWER["device_code"]),
        "user_code": code.user_code,
        "verification_uri_complete": code.verification_uri_complete,
    }
    assert sealed.keys().isdisjoint(code.to_meta())
    assert DeviceCode.from_meta(code.to_meta(), sealed) == code
    assert code.device_code == Secret(sealed["device_code"])


@pytest.mark.parametrize(
    ("error", "answer", "pace"),
    [
        ("authorization_pending", {}, 5.0),
        ("slow_down", {}, 10.0),
        ("slow_down", {"interval": 17}, 17.0),  # GitHub says what it is now
        ("slow_down", {"interval": 1}, 10.0),
        ("slow_down", {"interval": "x"}, 10.0),
    ],
)
def test_a_provider_sets_the_pace(error: str, answer: dict[str, Any], pace: float) -> None:
    """RFC 8628 §3.5."""
    later = rfc8628.later(error, answer)
    assert later is not None
    assert later.pace(5.0) == pace


def test_any_other_error_is_an_end() -> None:
    assert rfc8628.later("access_denied", {}) is None
    assert rfc8628.later("", {}) is None


def test_one_that_does_not_answer_is_asked_less_and_less_often() -> None:
    """RFC 8628 §3.5; but not so rarely that a code would run out meanwhile."""
    assert rfc8628.back_off(5.0) == 10.0
    assert rfc8628.back_off(50.0) == 60.0
    assert rfc8628.back_off(120.0) == 120.0


# Providers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("github", "https://github.com/login/device/code"),
        ("google", "https://oauth2.googleapis.com/device/code"),
        ("huggingface", "https://huggingface.co/oauth/device"),
    ],
)
def test_the_built_in_providers_that_give_out_codes(name: str, endpoint: str) -> None:
    profile = profiles({})[name]
    assert profile.gives_codes
    assert profile.device.endpoint == endpoint


def test_google_gives_codes_for_its_short_list_to_apps_of_their_own_kind() -> None:
    google = profiles({})["google"]
    drive = "https://www.googleapis.com/auth/drive"
    assert google.device.own_app
    assert google.beyond_codes([f"{drive}.file"]) == frozenset()
    assert google.beyond_codes([drive, f"{drive}.file"]) == {drive}


def test_what_gives_no_codes(profile: Profile) -> None:
    assert profile.gives_codes  # its metadata may say where
    for other in (
        replace(profile, kind="api_key"),
        replace(profile, flow="client_credentials"),
        replace(profile, registers="dynamic"),
        replace(profile, device=DeviceFlow(absent=True)),
        replace(
            profile,
            authorization_endpoint="https://login.corp.example/a",
            token_endpoint="https://login.corp.example/t",
        ),
    ):
        assert not other.gives_codes


def test_the_endpoint_of_codes_is_not_called_as_an_api() -> None:
    """R112: on a host that is an API's, too."""
    own = _own(
        flow="device",
        token_endpoint="https://login.corp.example/t",
        device_authorization_endpoint="https://login.corp.example/device",
    )
    assert "* /device" in own._own_endpoints


# Settings ----------------------------------------------------------------------------------------

ISSUER = {"issuer": "https://login.corp.example"}
TOKEN = {"token_endpoint": "https://login.corp.example/t"}
DEVICE = {"device_authorization_endpoint": "https://login.corp.example/d"}


def _own(**settings: Any) -> Profile:
    return profiles({"corp": {**ISSUER, **settings}})["corp"]


def test_a_flow_needs_the_endpoints_that_it_uses() -> None:
    assert not _own(flow="client_credentials", **TOKEN).discovered
    assert not _own(flow="device", **TOKEN, **DEVICE).discovered
    assert _own(flow="device").discovered
    assert _own(**DEVICE).device.endpoint == DEVICE["device_authorization_endpoint"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"flow": "implicit"}, "flow"),
        ({"flow": "device", **TOKEN}, "token_endpoint"),
        ({"flow": "code", **TOKEN, **DEVICE}, "token_endpoint"),
        ({"flow": "client_credentials", "client_id": "public"}, "client_id"),
        ({"flow": "client_credentials", "token_auth": "none"}, "token_auth"),
        ({"device_authorization_endpoint": "http://127.0.0.1:1/d"}, "loopback"),
        ({"token_params": {"device_code": "x"}}, "token_params"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ValetError, match=f"setting {named} of provider corp"):
        _own(**settings)


def test_another_flow_or_place_for_codes_ends_what_was_stored() -> None:
    """L10: secrets would go elsewhere, or for something else."""
    made = {
        _own().fingerprint,
        _own(flow="device").fingerprint,
        _own(flow="client_credentials").fingerprint,
        _own(**DEVICE).fingerprint,
    }
    assert len(made) == 4


def test_a_client_of_its_own_asks_for_nothing_about_a_person() -> None:
    own = _own(flow="client_credentials", scopes=["reports:read"])
    assert own.to_ask([]) == {"reports:read"}
    assert own.own_account
