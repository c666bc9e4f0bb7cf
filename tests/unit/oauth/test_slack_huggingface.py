"""Slack and Hugging Face: what their profiles make of their dialects, and what is denied."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.oauth import rfc6749
from jupyter_valet.broker.oauth.client import OAuthClient
from jupyter_valet.broker.oauth.errors import OAuthRefused
from jupyter_valet.broker.oauth.providers import BUILT_IN
from jupyter_valet.broker.oauth.providers.huggingface import HUGGINGFACE, HUGGINGFACE_TOKEN
from jupyter_valet.broker.oauth.providers.slack import SLACK, SLACK_TOKEN
from jupyter_valet.broker.oauth.records import OAuthApp
from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.secret import Secret

ASKED = frozenset({"users:read", "chat:write"})

# docs.slack.dev/authentication/installing-with-oauth: the answer with both kinds of token.
BOTH = {
    "ok": True,
    "access_token": "xoxb-app",
    "token_type": "bot",
    "scope": "commands",
    "authed_user": {
        "id": "U1",
        "scope": "chat:write,users:read",
        "access_token": "xoxp-person",
        "token_type": "user",
    },
}


def test_slack_s_answer_holds_the_person_s_token() -> None:
    """The app's own is not taken: it would act as the app."""
    tokens = rfc6749.token_set(SLACK, BOTH, asked=ASKED, now=0)
    assert reveal(tokens.access_token) == "xoxp-person"
    assert (tokens.scopes, tokens.extra) == (ASKED, frozenset())


def test_slack_s_refreshed_token_stands_alone() -> None:
    """docs.slack.dev/authentication/using-token-rotation."""
    answer = {"ok": True, "access_token": "xoxe.xoxp-1", "refresh_token": "xoxe-1"}
    answer |= {"expires_in": 43200, "token_type": "user", "scope": "chat:write,users:read"}
    tokens = rfc6749.token_set(SLACK, answer, asked=ASKED, now=0)
    assert (reveal(tokens.access_token), tokens.expires_at) == ("xoxe.xoxp-1", 43200)


def test_the_app_s_token_alone_is_refused() -> None:
    """`token_type` is `bot`: whoever asked for the person's scopes got something else."""
    answer = {name: value for name, value in BOTH.items() if name != "authed_user"}
    with pytest.raises(OAuthRefused):
        rfc6749.token_set(SLACK, answer, asked=ASKED, now=0)


@pytest.mark.anyio
async def test_slack_is_asked_for_the_person_s_scopes() -> None:
    """`user_scope`, separated by commas; `scope` would be the app's."""
    client = OAuthClient()
    try:
        url, _ = await client.begin(
            SLACK,
            OAuthApp("slack", SLACK.issuer, "1.2", Secret("s")),
            scopes=ASKED,
            redirect_uri="https://hub.example/valet/callback/slack",
        )
    finally:
        await client.close()
    assert "user_scope=chat%3Awrite%2Cusers%3Aread" in url
    assert "&scope=" not in url


@pytest.mark.parametrize("profile", [HUGGINGFACE, HUGGINGFACE_TOKEN], ids=lambda p: p.name)
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/api/models/amara/tides/xet-read-token/main"),
        ("GET", "/api/datasets/amara/tides/xet-write-token/main?create_pr=1"),
        ("GET", "/api/spaces/amara/demo/jwt"),
        ("POST", "/oauth/token"),
        ("POST", "/settings/tokens/new"),
    ],
)
def test_the_hub_s_own_tokens_are_not_fetched(profile: object, method: str, target: str) -> None:
    """R112: a kernel would be handed what it may not read."""
    assert profile.never.covers(method, target)  # type: ignore[attr-defined]


@pytest.mark.parametrize("profile", [SLACK, SLACK_TOKEN], ids=lambda p: p.name)
@pytest.mark.parametrize(
    "target",
    [
        "/api/oauth.v2.access",
        "/api/oauth.access",
        "/api/oauth.v2.exchange",
        "/api/openid.connect.token",
        "/api/apps.connections.open",
        "/api/tooling.tokens.rotate",
    ],
)
def test_slack_s_own_tokens_are_not_fetched(profile: object, target: str) -> None:
    """R112."""
    assert profile.never.covers("POST", target)  # type: ignore[attr-defined]


def test_what_is_used_every_day_is_not_denied() -> None:
    for target in ("/api/models?search=tides", "/amara/tides/resolve/main/a.bin", "/api/whoami-v2"):
        assert not HUGGINGFACE.never.covers("GET", target)
    for method in ("chat.postMessage", "conversations.list", "auth.test", "files.upload"):
        assert not SLACK.never.covers("POST", f"/api/{method}")


def test_every_scope_that_is_asked_for_has_words() -> None:
    """The card shows them."""
    for profile in BUILT_IN:
        asked = {*profile.default_scopes, *profile.identity_scopes}
        assert asked <= profile.scope_words.keys(), profile.name
