"""Signing in by a code in the dialects of GitHub and Google, at servers of their shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from github_shaped import GitHubShaped
from google_shaped import GoogleShaped

from jupyter_valet.broker.oauth import (
    CallbackRefused,
    OAuthApp,
    OAuthClient,
    OAuthRefused,
    WithoutBrowser,
    rfc8628,
)

pytestmark = pytest.mark.anyio

DRIVE_FILE = "https://www.googleapis.com/auth/drive.file"


@pytest.fixture
async def github() -> AsyncIterator[GitHubShaped]:
    async with GitHubShaped() as server:
        yield server


@pytest.fixture
async def google() -> AsyncIterator[GoogleShaped]:
    async with GoogleShaped() as server:
        yield server


@pytest.fixture
async def oauth() -> AsyncIterator[OAuthClient]:
    client = OAuthClient(timeout=5)
    yield client
    await client.close()


async def test_github_says_wait_with_status_200(github: GitHubShaped, oauth: OAuthClient) -> None:
    """And slows down to an interval that it names."""
    provider, app = WithoutBrowser(oauth), github.app
    code = await provider.ask_code(github.profile, app, ["repo"])
    github.polls = ["authorization_pending", "slow_down"]
    paces = []
    for _ in range(2):
        with pytest.raises(rfc8628.NotYet) as later:
            await provider.redeem_code(github.profile, app, code)
        paces.append(later.value.pace(5.0))
    assert paces == [5.0, 10.0]
    tokens = await provider.redeem_code(github.profile, app, code)
    assert "repo" in tokens.scopes
    assert (await oauth.account(github.profile, tokens)).label == "octocat"


async def test_github_wants_no_secret_for_a_code_but_for_the_end(
    github: GitHubShaped, oauth: OAuthClient
) -> None:
    """Nothing is claimed to be revoked that was not: its 404 is for an unknown client, too."""
    app: OAuthApp = replace(github.app, client_secret=None)
    provider = WithoutBrowser(oauth)
    code = await provider.ask_code(github.profile, app, ["repo"])
    tokens = await provider.redeem_code(github.profile, app, code)
    assert not await oauth.revoke(github.profile, app, tokens)
    assert await oauth.revoke(github.profile, github.app, tokens)


async def test_an_app_that_may_not_use_codes_is_told_where_to_allow_them(
    github: GitHubShaped, oauth: OAuthClient
) -> None:
    github.device_flow = False
    with pytest.raises(OAuthRefused, match="may not sign people in by a code: allow it there"):
        await WithoutBrowser(oauth).ask_code(github.profile, github.app, ["repo"])


async def test_google_keeps_the_name_of_the_draft_and_has_its_own_status(
    google: GoogleShaped, oauth: OAuthClient
) -> None:
    """`verification_url`, 428 for "not yet", long names of scopes, and a refresh token at once."""
    provider = WithoutBrowser(oauth)
    code = await provider.ask_code(google.profile, google.app, [DRIVE_FILE])
    assert code.verification_uri == f"{google.url}/device"
    assert google.device_scopes == {"openid", "email", DRIVE_FILE}
    google.polls = ["authorization_pending", "slow_down"]
    for pace in (5.0, 10.0):
        with pytest.raises(rfc8628.NotYet) as later:
            await provider.redeem_code(google.profile, google.app, code)
        assert later.value.pace(5.0) == pace
    tokens = await provider.redeem_code(google.profile, google.app, code)
    assert tokens.scopes == {"openid", "email", DRIVE_FILE}
    assert tokens.refresh_token is not None
    fresh = await oauth.refresh(google.profile, google.app, tokens)
    assert fresh.access_token != tokens.access_token


async def test_a_no_at_google_is_the_persons(google: GoogleShaped, oauth: OAuthClient) -> None:
    provider = WithoutBrowser(oauth)
    code = await provider.ask_code(google.profile, google.app, [DRIVE_FILE])
    google.polls = ["access_denied"]
    with pytest.raises(CallbackRefused, match="access was not allowed"):
        await provider.redeem_code(google.profile, google.app, code)
