"""Profiles are data: every built-in one is complete, and a person's own cannot loosen the rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jupyter_valet.broker.egress.origin import Origin, split_url
from jupyter_valet.broker.egress.placement import BEARER
from jupyter_valet.broker.oauth import Profile, profiles
from jupyter_valet.broker.oauth.providers import BUILT_IN
from jupyter_valet.wire.errors import ValetError

ISSUER = {"issuer": "https://login.corp.example/tenant"}
DRIVE = "https://www.googleapis.com/auth/drive"


def _own(**settings: Any) -> Profile:
    return profiles({"corp": {**ISSUER, **settings}})["corp"]


@pytest.mark.parametrize("profile", BUILT_IN, ids=lambda p: p.name)
def test_a_built_in_profile_names_https_endpoints_of_public_hosts(profile: Profile) -> None:
    signing_in = (
        profile.authorization_endpoint,
        profile.token_endpoint,
        profile.userinfo_endpoint,
    )
    revoking = profile.revocation_endpoint or profile.revocation.url.format(client_id="x")
    assert all(signing_in) is not profile.keyed
    for url in filter(None, (profile.issuer, profile.register_url, revoking, *signing_in)):
        origin, _ = split_url(url)
        assert origin.scheme == "https"
        assert not origin.loopback
    assert profile.origins
    assert not profile.loopback
    assert not profile.configured


@pytest.mark.parametrize("profile", BUILT_IN, ids=lambda p: p.name)
def test_every_scope_that_a_built_in_profile_speaks_of_has_words(profile: Profile) -> None:
    spoken = {
        *profile.default_scopes,
        *profile.identity_scopes,
        *profile.quirks.implied_scopes,
        *(inner for scopes in profile.quirks.implied_scopes.values() for inner in scopes),
        *profile.quirks.scope_aliases.values(),
    }
    assert spoken <= profile.scope_words.keys()


def test_the_demo_is_known_while_it_runs() -> None:
    assert "demo" not in profiles({})
    demo = profiles({}, "http://127.0.0.1:9300")["demo"]
    assert demo.loopback
    assert demo.discovered
    assert demo.public_client_id
    assert demo.origins == (Origin.parse("http://127.0.0.1:9300"),)
    assert demo.provider_host == "127.0.0.1:9300"  # the port tells who answers


def test_a_demo_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="loopback"):
        profiles({}, "https://demo.example")


def test_an_issuer_url_is_enough_for_a_provider_of_ones_own() -> None:
    corp = _own()
    assert corp.discovered
    assert corp.provider_host == "login.corp.example"
    assert corp.origins == (Origin.parse("https://login.corp.example"),)
    assert corp.to_ask(()) == {"openid", "profile"}
    assert corp.words("openid") == "Know who you are"
    assert corp.words("unheard:of") == "unheard:of"


@pytest.mark.parametrize("name", ["github", "google", "demo"])
def test_a_built_in_name_cannot_be_taken(name: str) -> None:
    """A configuration file must not turn a known name into an attacker's server."""
    with pytest.raises(ValetError, match="taken"):
        profiles({name: ISSUER})


@pytest.mark.parametrize(
    "name", ["", "Corp", "a/b", "../x", "a.b", "a b", "1a", "x" * 40, "caf\u00e9"]
)
def test_a_provider_name_is_a_plain_word(name: str) -> None:
    """It becomes a path of the redirect URI."""
    with pytest.raises(ValetError):
        profiles({name: ISSUER})


@pytest.mark.parametrize(
    "settings",
    [
        {"issuer": "http://login.corp.example"},
        {"issuer": "https://login.corp.example?x=1"},
        {"issuer": "https://login.corp.example#x"},
        {"issuer": "https://user@login.corp.example"},
        {"issuer": 7},
        {"issuer": "http://127.0.0.1:9000"},
        {"loopback": True},
        {"loopback": "yes"},
        {"token_endpoint": "https://login.corp.example/token"},
        {"authorization_endpoint": "https://login.corp.example/authorize"},
        {"userinfo_endpoint": "http://169.254.169.254/latest"},
        {"revocation_endpoint": "http://localhost/revoke"},
        {"origins": "https://api.corp.example"},
        {"origins": ["https://api.corp.example/path"]},
        {"origins": ["http://127.0.0.1:8888"]},
        {"scopes": "read write"},
        {"scopes": ["read write"]},
        {"scope_words": {"read": "a\nb"}},
        {"scope_separator": "&"},
        {"token_auth": "private_key_jwt"},
        {"authorize_params": {"state": "fixed"}},
        {"authorize_params": {"redirect_uri": "https://evil.example"}},
        {"authorize_params": {"code_challenge_method": "plain"}},
        {"authorize_params": {"a": 1}},
        {"token_params": {"grant_type": "password"}},
        {"title": "x" * 201},
        {"register_url": "javascript:alert(1)"},
        {"client_secret": "in a file"},
        {"unheard_of": 1},
    ],
)
def test_a_setting_that_is_wrong_is_refused_by_name(settings: dict[str, Any]) -> None:
    """R150, R154, BP-10; and a secret does not belong into a configuration file."""
    with pytest.raises(ValetError) as caught:
        _own(**settings)
    assert caught.value.code == "bad_request"
    assert "evil" not in str(caught.value)
    assert "in a file" not in str(caught.value)


def test_a_provider_on_this_machine_says_so() -> None:
    corp = profiles({"corp": {"issuer": "http://127.0.0.1:9000", "loopback": True}})["corp"]
    assert corp.loopback


def test_changing_where_secrets_go_changes_the_fingerprint() -> None:
    """L10: what was stored for the old settings is not sent to the new ones."""
    fixed = {
        "authorization_endpoint": "https://login.corp.example/a",
        "token_endpoint": "https://login.corp.example/t",
    }
    made = _own(**fixed).fingerprint
    assert made
    assert made == _own(**fixed, title="Another title", scopes=["x"]).fingerprint
    assert made != _own(**{**fixed, "token_endpoint": "https://evil.example/t"}).fingerprint
    assert made != _own(**fixed, origins=["https://evil.example"]).fingerprint
    assert made != _own(**fixed, userinfo_endpoint="https://evil.example/u").fingerprint
    assert made != _own(**fixed, revocation_endpoint="https://evil.example/r").fingerprint


def test_a_wider_scope_contains_the_narrower_ones() -> None:
    """RS-10: scope hierarchies are honoured, to any depth."""
    github = profiles({})["github"]
    assert github.normalise({"admin:org"}) == {"admin:org", "write:org", "read:org"}
    google = profiles({})["google"]
    assert DRIVE + ".metadata.readonly" in google.normalise({DRIVE})


def test_only_the_widest_scopes_are_shown_and_asked() -> None:
    github = profiles({})["github"]
    assert github.minimal({"user", "read:user", "gist"}) == {"user", "gist"}
    assert github.minimal(github.normalise({"user"})) == {"user"}


def test_scopes_that_contain_each_other_are_both_kept(profile: Profile) -> None:
    quirks = replace(profile.quirks, implied_scopes={"a": ("b",), "b": ("a",)})
    assert replace(profile, quirks=quirks).minimal({"a", "b"}) == {"a", "b"}


def test_the_identity_scopes_are_always_asked_for() -> None:
    """L26: without them nobody knows whose account it is."""
    google = profiles({})["google"]
    assert google.to_ask({DRIVE}) == {DRIVE, "openid", "email"}


def test_the_offline_scope_is_no_permission() -> None:
    assert _own().normalise({"openid", "offline_access"}) == {"openid"}


@pytest.mark.parametrize(
    "scopes",
    [
        pytest.param(["read:user repo"], id="a space"),
        pytest.param(["read:user,repo"], id="what GitHub separates by, too"),
        pytest.param(["read:user\trepo"], id="a tab"),
        pytest.param([""], id="nothing"),
        pytest.param(["r\u0435po"], id="a look-alike"),
        pytest.param(["x" * 257], id="too long"),
        pytest.param([f"scope{n}" for n in range(65)], id="too many"),
        pytest.param([["repo"]], id="no text"),
    ],
)
def test_what_is_not_one_scope_each_cannot_be_asked_for(scopes: list[Any]) -> None:
    """R155: two scopes under one name would be shown to the person as one, without its words."""
    assert not profiles({})["github"].may_ask(scopes)


def test_every_scope_that_has_words_can_be_asked_for() -> None:
    """And none at all, which means the defaults."""
    for profile in (*BUILT_IN, _own()):
        assert profile.may_ask(list(profile.scope_words)[:60])
        assert profile.may_ask([])


KEYED = {"kind": "api_key", "origins": ["https://api.corp.example"]}


def test_an_api_key_needs_nothing_but_its_hosts() -> None:
    """A bearer is what most APIs want."""
    corp = profiles({"corp": KEYED})["corp"]
    assert corp.keyed
    assert corp.provider_host == "api.corp.example"
    assert corp.placement == BEARER
    assert corp.to_ask({"x"}) == corp.normalise({"x"}) == frozenset()


@pytest.mark.parametrize(
    "settings",
    [
        {"origins": []},
        {"origins": ["http://127.0.0.1:8888"]},
        {"issuer": "https://corp.example"},
        {"token_endpoint": "https://corp.example/token"},
        {"api_key": "in a file"},
        {"kind": "password"},
        {"key": {}},
        {"key": "X-Api-Key"},
        {"key": {"in": "cookie", "name": "a"}},
        {"key": {"in": "header", "name": "Host"}},
        {"key": {"in": "header", "name": "X-A\r\nB"}},
        {"key": {"in": "header", "value": "in a file"}},
        {"key": {"in": "query"}},
        {"key": {"in": "query", "name": "a&b"}},
        {"key": {"in": "basic", "user": "a:b"}},
        {"key": {"in": "basic", "user": 7}},
        {"accepts_reflection": ["https://evil.example"]},
        {"accepts_reflection": True},
        {"probe_path": "https://evil.example/"},
        {"probe_path": "/../x"},
        {"denied": ["/v1/keys"]},
        {"denied": "POST /v1/keys"},
    ],
)
def test_a_setting_of_an_api_key_that_is_wrong_is_refused(settings: dict[str, Any]) -> None:
    """R126, R128: the configuration is input; and no key belongs into it."""
    with pytest.raises(ValetError) as caught:
        profiles({"corp": {**KEYED, **settings}})
    assert caught.value.code == "bad_request"
    assert "in a file" not in str(caught.value)
    assert "evil" not in str(caught.value)


def test_changing_where_a_key_goes_changes_the_fingerprint() -> None:
    """L10: an old key is not sent to another host, nor in another place."""

    def fingerprint(**settings: Any) -> str:
        return profiles({"corp": {**KEYED, **settings}})["corp"].fingerprint

    made = fingerprint()
    assert made == fingerprint(title="T", denied=["POST /x"], probe_path="/y")
    assert made != fingerprint(origins=["https://evil.example"])
    assert made != fingerprint(key={"in": "query", "name": "key"})


def test_a_page_for_a_key_names_every_host_that_gets_it() -> None:
    """It says that the key is sent there only."""
    found = profiles({}, "")["huggingface_token"]
    hosts = [str(origin).removeprefix("https://") for origin in found.origins]
    assert len(hosts) > 1
    assert found.provider_host.split(", ") == hosts
