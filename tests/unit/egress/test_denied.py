"""Endpoints that hand out credentials are never called (R112)."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.egress.denied import EVERYWHERE, Denied
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.oauth import profiles
from jupyter_valet.broker.oauth.providers import BUILT_IN
from jupyter_valet.broker.toolsets import toolsets

KNOWN = profiles({}, "http://127.0.0.1:9300")


@pytest.mark.parametrize(
    ("provider", "method", "target"),
    [
        ("github", "POST", "/app/installations/7/access_tokens"),
        ("github", "POST", "/applications/Iv1.0/token/scoped"),
        ("github", "POST", "/repos/octo/hello/actions/runners/registration-token"),
        ("github", "POST", "/repos/octo/hello/keys"),
        ("github", "POST", "/user/keys?per_page=1"),
        ("google", "POST", "/oauth2/v4/token"),
        ("google", "GET", "/oauth2/v1/tokeninfo"),
        ("google", "POST", "/v1/projects/-/serviceAccounts/a@b.c:generateAccessToken"),
        ("google", "POST", "/v1/projects/p/serviceAccounts/a@b.c/keys"),
        ("google", "POST", "/storage/v1/projects/p/hmacKeys"),
        ("demo", "POST", "/token"),
    ],
)
def test_an_endpoint_that_makes_credentials_is_denied(
    provider: str, method: str, target: str
) -> None:
    """R112: what it answers would be a credential in the kernel."""
    assert KNOWN[provider].never.covers(method, target)


@pytest.mark.parametrize(
    "target",
    [
        "/app/installations/7/ACCESS_TOKENS",
        "/app/installations/7/access%5Ftokens",
        "/app/installations/7/access%255Ftokens",
        "/app//installations/7/access_tokens/",
        "/app/installations/7;x=1/access_tokens;y",
        "/app/installations/7/access_tokens.json",
        "/app\\installations\\7\\access_tokens",
        "/app/installations/7%2Faccess_tokens",
    ],
)
def test_another_spelling_is_the_same_endpoint(target: str) -> None:
    """R112: read as the most lenient server would read it."""
    assert KNOWN["github"].never.covers("POST", target)


def test_the_tools_that_there_are_stay_allowed() -> None:
    """A rule that is too wide would be noticed here."""
    operations = [(t, o) for t in toolsets(KNOWN) for o in t.operations]
    assert len(operations) > 15
    for toolset, operation in operations:
        never = KNOWN[toolset.provider].never
        assert not never.covers(operation.method, operation.path.replace("{", "").replace("}", ""))


@pytest.mark.parametrize(
    "target", ["/issues/tokens", "/oauth/tokens", "/repos/a/access_tokens_of_mine/x", "/keys"]
)
def test_a_name_that_only_looks_like_it_is_allowed(target: str) -> None:
    assert not Denied().covers("POST", target)
    assert not Denied().covers("GET", "/v1/api_keys")


def test_an_own_provider_names_its_own() -> None:
    """R112 as data: rules of the configuration, and its OAuth endpoints where they are on the API's
    host."""
    settings = {
        "issuer": "https://corp.example",
        "authorization_endpoint": "https://corp.example/sso/start",
        "token_endpoint": "https://corp.example/sso/redeem",
        "denied": ["POST /v1/*/secrets", "* /admin/**"],
    }
    never = profiles({"corp": settings})["corp"].never
    assert never.covers("POST", "/sso/redeem")
    assert never.covers("POST", "/v1/x/secrets")
    assert never.covers("DELETE", "/admin/users/1")
    assert not never.covers("GET", "/v1/x/secrets")
    assert not never.covers("POST", "/v1/x/y/secrets")


@pytest.mark.parametrize(
    "rule", ["", "/x", "TRACE /x", "GET x", "GET /x y", "GET /(a|b)*", "get /x"]
)
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="METHOD /path"):
        Denied([rule])


def test_a_long_path_takes_no_time() -> None:
    """A path is the caller's: no pattern may backtrack on it."""
    import time

    started = time.perf_counter()
    KNOWN["google"].never.covers("POST", "/a" * 30_000 + "/access_tokens_")
    assert time.perf_counter() - started < 2


def test_every_built_in_provider_has_rules() -> None:
    assert all(profile.denied for profile in BUILT_IN)
    assert Origin.parse("https://api.github.com") in BUILT_IN[0].origins


@pytest.mark.parametrize(
    "rule", sorted({*EVERYWHERE, *(rule for one in BUILT_IN for rule in one.denied), "* /**"})
)
@pytest.mark.parametrize("deep", ["", "/x", "/x/Y.z"])
def test_each_rule_covers_what_it_is_written_for(rule: str, deep: str) -> None:
    """Also those whose words are words of another rule, or of none."""
    method, _, path = rule.partition(" ")
    target = path.replace("/**", deep).replace("*", "any") or "/"
    assert Denied([rule]).covers("POST" if method == "*" else method, target.upper())
