"""What the demo provider grants, and when it takes it back (RFC 6749, RFC 7636, RFC 9700)."""

from __future__ import annotations

import pytest

from jupyter_valet.demo import pkce
from jupyter_valet.demo.grants import AuthorizationRequest, Grants, OAuthError

CLIENT = "jupyter-valet-demo"
REDIRECT = "http://127.0.0.1:8888/valet/callback/demo"
VERIFIER = "v" * 43


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def grants(clock: Clock) -> Grants:
    return Grants(access_seconds=300, code_seconds=60, clock=clock)


def code_of(grants: Grants, granted: frozenset[str] = frozenset({"profile"})) -> str:
    asked = AuthorizationRequest(
        client_id=CLIENT,
        redirect_uri=REDIRECT,
        scopes=frozenset({"profile", "issues:read"}),
        state="s",
        code_challenge=pkce.challenge(VERIFIER),
    )
    return grants.issue_code(asked, "amara", granted)


def redeem(grants: Grants, code: str, **changes: str) -> dict[str, str]:
    values = {"client_id": CLIENT, "redirect_uri": REDIRECT, "verifier": VERIFIER, **changes}
    return grants.redeem_code(code, **values)[0]


def test_a_code_becomes_tokens_with_what_the_person_left_ticked(grants: Grants) -> None:
    answer = redeem(grants, code_of(grants, frozenset({"profile"})))
    assert answer["scope"] == "profile"
    access = grants.access(answer["access_token"])
    assert access is not None
    assert access.person == "amara"


def test_a_person_cannot_be_made_to_grant_more_than_was_asked(grants: Grants) -> None:
    answer = redeem(grants, code_of(grants, frozenset({"profile", "issues:write"})))
    assert answer["scope"] == "profile"


@pytest.mark.parametrize(
    "changes",
    [
        {"verifier": "w" * 43},
        {"verifier": ""},
        {"redirect_uri": REDIRECT + "/"},
        {"client_id": "other"},
    ],
)
def test_a_code_is_worth_nothing_to_anybody_else(grants: Grants, changes: dict[str, str]) -> None:
    """RFC 6749 §4.1.3, RFC 7636 §4.6."""
    with pytest.raises(OAuthError) as caught:
        redeem(grants, code_of(grants), **changes)
    assert caught.value.code == "invalid_grant"


def test_an_old_code_is_refused(grants: Grants, clock: Clock) -> None:
    code = code_of(grants)
    clock.now += 60
    with pytest.raises(OAuthError, match="expired"):
        redeem(grants, code)


def test_a_replayed_code_ends_what_came_of_it(grants: Grants) -> None:
    """RFC 6749 §4.1.2."""
    code = code_of(grants)
    answer = redeem(grants, code)
    with pytest.raises(OAuthError, match="used before"):
        redeem(grants, code)
    assert grants.access(answer["access_token"]) is None


def test_access_tokens_expire(grants: Grants, clock: Clock) -> None:
    answer = redeem(grants, code_of(grants))
    clock.now += 300
    assert grants.access(answer["access_token"]) is None


def test_refresh_tokens_rotate(grants: Grants) -> None:
    first = redeem(grants, code_of(grants))
    second = grants.refresh(first["refresh_token"], client_id=CLIENT)
    assert second["refresh_token"] != first["refresh_token"]
    assert grants.access(second["access_token"]) is not None


def test_reuse_of_a_refresh_token_ends_the_family(grants: Grants) -> None:
    """RFC 9700 §4.14.2."""
    first = redeem(grants, code_of(grants))
    second = grants.refresh(first["refresh_token"], client_id=CLIENT)
    with pytest.raises(OAuthError, match="revoked"):
        grants.refresh(first["refresh_token"], client_id=CLIENT)
    assert grants.access(second["access_token"]) is None
    with pytest.raises(OAuthError, match="revoked"):
        grants.refresh(second["refresh_token"], client_id=CLIENT)


def test_a_refresh_may_narrow_but_not_widen(grants: Grants) -> None:
    """RFC 6749 §6."""
    first = redeem(grants, code_of(grants, frozenset({"profile", "issues:read"})))
    second = grants.refresh(first["refresh_token"], client_id=CLIENT, scope="profile")
    assert second["scope"] == "profile"
    with pytest.raises(OAuthError, match="more than was granted"):
        grants.refresh(second["refresh_token"], client_id=CLIENT, scope="issues:write")


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_both(grants: Grants, kind: str) -> None:
    """RFC 7009 §2.1."""
    answer = redeem(grants, code_of(grants))
    grants.revoke(answer[kind], client_id=CLIENT)
    assert grants.access(answer["access_token"]) is None
    with pytest.raises(OAuthError, match="revoked"):
        grants.refresh(answer["refresh_token"], client_id=CLIENT)


def test_another_client_cannot_revoke(grants: Grants) -> None:
    answer = redeem(grants, code_of(grants))
    grants.revoke(answer["access_token"], client_id="other")
    assert grants.access(answer["access_token"]) is not None


def test_the_rfc_7636_example_matches() -> None:
    """RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert pkce.matches(verifier, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
