"""Sign-in at servers in the shapes of GitHub and Google: the quirks that standard servers lack."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import github_shaped
import google_shaped
import pytest
from github_shaped import GitHubShaped
from google_shaped import GoogleShaped
from oauth_harness import Browser, Clock, Notes

from jupyter_valet.broker.connections import Connection, Connections, NeedsLogin
from jupyter_valet.broker.oauth import (
    CallbackRefused,
    InvalidGrant,
    OAuthApp,
    OAuthClient,
    OAuthRefused,
    Profile,
    TokenSet,
)
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import open_vault

pytestmark = pytest.mark.anyio

DRIVE = "https://www.googleapis.com/auth/drive.readonly"
CALENDAR = "https://www.googleapis.com/auth/calendar.readonly"


class Person:
    """Somebody who signs in, with everything the broker has for it."""

    def __init__(self, profile: Profile, app: OAuthApp, redirect_uri: str, state: Path) -> None:
        self.profile = profile
        self.app = app
        self.redirect_uri = redirect_uri
        self.clock = Clock()
        self.oauth = OAuthClient(timeout=5, clock=self.clock)
        self.vault = open_vault(state, "file")
        self.notes = Notes()
        self.connections = Connections(
            self.vault, self.oauth, {profile.name: profile}, self.notes, clock=self.clock
        )
        self.connections.save_app(app)
        self.browser = Browser({})

    async def tokens(self, *scopes: str) -> TokenSet:
        url, pending = await self.oauth.begin(
            self.profile, self.app, scopes=scopes, redirect_uri=self.redirect_uri
        )
        query = await self.browser.sign_in(url, self.redirect_uri)
        code = self.oauth.check_callback(self.profile, pending, query)
        return await self.oauth.exchange(self.profile, self.app, pending, code)

    async def connect(self, *scopes: str) -> Connection:
        tokens = await self.tokens(*scopes)
        account = await self.oauth.account(self.profile, tokens)
        return self.connections.store("owner", self.profile, tokens, account)

    async def close(self) -> None:
        await self.connections.close()
        await self.oauth.close()
        await self.browser.close()
        self.vault.close()


@pytest.fixture
async def github() -> AsyncIterator[GitHubShaped]:
    async with GitHubShaped() as server:
        yield server


@pytest.fixture
async def google() -> AsyncIterator[GoogleShaped]:
    async with GoogleShaped() as server:
        yield server


@pytest.fixture
async def octocat(github: GitHubShaped, tmp_path: Path) -> AsyncIterator[Person]:
    person = Person(github.profile, github.app, github_shaped.REDIRECT_URI, tmp_path / "state")
    yield person
    await person.close()


@pytest.fixture
async def jane(google: GoogleShaped, tmp_path: Path) -> AsyncIterator[Person]:
    person = Person(google.profile, google.app, google_shaped.REDIRECT_URI, tmp_path / "state")
    yield person
    await person.close()


# GitHub --------------------------------------------------------------------------------------


async def test_github_signs_in_and_says_who_it_is(octocat: Person, github: GitHubShaped) -> None:
    """L26: the account is the numeric id; the login is only shown."""
    connection = await octocat.connect("user", "gist")
    assert (connection.account.id, connection.account.label) == ("583231", "octocat")
    assert connection.scopes == {"user", "read:user", "user:email", "user:follow", "gist"}
    assert "application/json" in github.accepts[0]
    assert await octocat.connections.access_token(connection)


async def test_the_form_encoded_answer_of_github_is_understood(
    octocat: Person, github: GitHubShaped
) -> None:
    """It is GitHub's default, and what a proxy that drops `Accept` leaves us with."""
    github.always_form = True
    assert (await octocat.tokens("gist")).scopes == {"gist"}


async def test_an_error_with_status_200_is_an_error(octocat: Person) -> None:
    """GitHub, Slack; R152: its description does not travel."""
    url, pending = await octocat.oauth.begin(
        octocat.profile, octocat.app, scopes=["gist"], redirect_uri=octocat.redirect_uri
    )
    await octocat.browser.sign_in(url, octocat.redirect_uri)
    with pytest.raises(InvalidGrant) as caught:
        await octocat.oauth.exchange(octocat.profile, octocat.app, pending, Secret("made-up"))
    assert "upstream" not in str(caught.value)
    assert "made-up" not in f"{caught.value!r}{caught.value.fields}"


async def test_a_wrong_client_secret_says_that_it_is_the_apps(octocat: Person) -> None:
    octocat.app = dataclasses.replace(octocat.app, client_secret=Secret("wrong"))
    with pytest.raises(OAuthRefused, match="OAuth app's id and secret") as caught:
        await octocat.tokens("gist")
    assert caught.value.slug == "invalid_client"


async def test_a_code_without_its_verifier_is_worth_nothing(octocat: Person) -> None:
    """R147: a code that was stolen from another flow is not ours to redeem."""
    oauth, profile, app = octocat.oauth, octocat.profile, octocat.app
    uri = octocat.redirect_uri
    url, _ = await oauth.begin(profile, app, scopes=["gist"], redirect_uri=uri)
    stolen = parse_qs(await octocat.browser.sign_in(url, uri))["code"][0]
    _, ours = await oauth.begin(profile, app, scopes=["gist"], redirect_uri=uri)
    with pytest.raises(InvalidGrant):
        await oauth.exchange(profile, app, ours, Secret(stolen))


async def test_a_declined_authorization_is_told_in_our_words(
    octocat: Person, github: GitHubShaped
) -> None:
    """R152: `error_description` holds a script."""
    github.deny = True
    with pytest.raises(CallbackRefused) as caught:
        await octocat.tokens("gist")
    assert caught.value.slug == "access_denied"
    assert "script" not in str(caught.value)


async def test_scopes_nobody_asked_for_are_audited_and_not_usable(
    octocat: Person, github: GitHubShaped
) -> None:
    """R156: the server grants `repo` although only `gist` was asked for."""
    github.granted_instead = ["gist", "repo"]
    connection = await octocat.connect("gist")
    assert connection.scopes == {"gist"}
    [event] = [e for e in octocat.notes.events if e["outcome"] == "scopes_not_asked_for"]
    assert event["scopes"].split() == sorted(octocat.profile.normalise(["repo"]))


async def test_a_refused_token_without_refresh_needs_a_login(
    octocat: Person, github: GitHubShaped
) -> None:
    """Classic OAuth apps have no refresh token: a 401 of the API is the end."""
    connection = await octocat.connect("gist")
    token = await octocat.connections.access_token(connection)
    with pytest.raises(NeedsLogin, match="no longer accepts the sign-in"):
        await octocat.connections.access_token(connection, rejected=token)
    [view] = octocat.connections.views("owner")
    assert view.status == "needs_login"
    assert "revoked" in view.reason


async def test_revoking_at_github_ends_the_authorization(
    octocat: Person, github: GitHubShaped
) -> None:
    connection = await octocat.connect("gist")
    assert github.tokens
    assert await octocat.connections.end("owner", connection.id, revoke=True) == "revoked"
    assert not github.tokens
    assert octocat.connections.find("owner", "github") == []


async def test_two_accounts_are_two_connections_and_the_same_account_is_one(
    octocat: Person, github: GitHubShaped
) -> None:
    """L26."""
    first = await octocat.connect("gist")
    again = await octocat.connect("gist", "notifications")
    github.user = {"id": 2, "login": "hubot"}
    second = await octocat.connect("gist")
    assert first.id == again.id != second.id
    found = octocat.connections.find("owner", "github")
    assert {c.account.label for c in found} == {"octocat", "hubot"}


# Google --------------------------------------------------------------------------------------


async def test_google_is_asked_for_a_refresh_token_each_time(
    jane: Person, google: GoogleShaped
) -> None:
    await jane.connect(DRIVE)
    assert google.asked["access_type"] == "offline"
    assert google.asked["prompt"] == "consent"
    assert google.asked["include_granted_scopes"] == "true"
    assert set(google.asked["scope"].split()) == {DRIVE, "openid", "email"}


async def test_a_refresh_answer_without_a_refresh_token_keeps_the_old_one(
    jane: Person, google: GoogleShaped
) -> None:
    """L16: not the first refresh is what fails, but the second."""
    tokens = await jane.tokens(DRIVE)
    fresh = await jane.oauth.refresh(jane.profile, jane.app, tokens)
    assert fresh.refresh_token == tokens.refresh_token
    connection = await jane.connect(DRIVE)
    for expected in (2, 3, 4):
        jane.clock.ahead += 4000
        await jane.connections.access_token(connection)
        assert google.refreshes == expected


async def test_an_unticked_box_is_a_missing_scope_and_no_failure(
    jane: Person, google: GoogleShaped
) -> None:
    google.unticked = {CALENDAR}
    connection = await jane.connect(DRIVE, CALENDAR)
    missing = jane.profile.normalise({DRIVE, CALENDAR}) - connection.scopes
    assert jane.profile.minimal(missing) == {CALENDAR}
    assert connection.status == "active"


async def test_a_step_up_asks_for_the_union_and_keeps_what_was_granted(
    jane: Person, google: GoogleShaped
) -> None:
    """CL-17."""
    await jane.connect(DRIVE)
    wanted = jane.connections.scopes_to_ask("owner", jane.profile, {CALENDAR})
    assert wanted == {DRIVE, CALENDAR, "openid", "email"}
    connection = await jane.connect(*wanted)
    assert {DRIVE, CALENDAR} <= connection.scopes
    assert len(jane.connections.find("owner", "google")) == 1


async def test_an_earlier_approved_scope_stays_usable_when_it_is_granted_along(
    jane: Person, google: GoogleShaped
) -> None:
    """Incremental authorization: CALENDAR alone was asked for, DRIVE comes along."""
    await jane.connect(DRIVE)
    connection = await jane.connect(CALENDAR)
    assert {DRIVE, CALENDAR} <= connection.scopes
    assert "scopes_not_asked_for" not in [e.get("outcome") for e in jane.notes.events]


async def test_another_account_does_not_inherit_the_approval(
    jane: Person, google: GoogleShaped
) -> None:
    """L26, R155."""
    await jane.connect(DRIVE)
    wanted = jane.connections.scopes_to_ask("owner", jane.profile, {CALENDAR}, new_account=True)
    assert DRIVE not in wanted
    google.account = {"sub": "2", "email": "work@example.com"}
    other = await jane.connect(*wanted)
    assert DRIVE not in other.scopes


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "ended after seven days because the app is in testing"),
        ({"error_subtype": "invalid_rapt"}, "your organisation asks you to sign in again"),
        ({"error_subtype": "<b>new</b>"}, "ended after seven days because the app is in testing"),
    ],
)
async def test_a_dead_refresh_token_is_told_with_its_reason(
    jane: Person, google: GoogleShaped, answer: dict[str, str], words: str
) -> None:
    connection = await jane.connect(DRIVE)
    google.invalid_grant = {"x": "y", **answer}
    jane.clock.ahead = 4000
    with pytest.raises(NeedsLogin) as caught:
        await jane.connections.access_token(connection)
    assert words in caught.value.reason
    assert "upstream" not in caught.value.reason
    [view] = jane.connections.views("owner")
    assert (view.status, view.reason) == ("needs_login", caught.value.reason)
    google.invalid_grant = {}
    with pytest.raises(NeedsLogin):
        await jane.connections.access_token(connection)
    assert google.refreshes == 1, "a dead connection is not tried again"


async def test_a_new_sign_in_revives_a_dead_connection(jane: Person, google: GoogleShaped) -> None:
    connection = await jane.connect(DRIVE)
    google.invalid_grant = {"x": "y"}
    jane.clock.ahead = 4000
    with pytest.raises(NeedsLogin):
        await jane.connections.access_token(connection)
    google.invalid_grant = {}
    again = await jane.connect(DRIVE)
    assert again.id == connection.id
    assert again.status == "active"
    assert await jane.connections.access_token(again)


async def test_revoking_at_google_ends_the_grant(jane: Person, google: GoogleShaped) -> None:
    connection = await jane.connect(DRIVE)
    assert await jane.connections.end("owner", connection.id, revoke=True) == "revoked"
    assert google.revoked[0].startswith("1//"), "the refresh token goes first"
    assert not google.grants


async def test_select_account_reaches_the_provider(jane: Person) -> None:
    url, _ = await jane.oauth.begin(
        jane.profile,
        jane.app,
        scopes=[DRIVE],
        redirect_uri=jane.redirect_uri,
        login_hint="jane@example.com",
        select_account=True,
    )
    query = parse_qs(urlsplit(url).query)
    assert query["prompt"] == ["consent select_account"]
    assert query["login_hint"] == ["jane@example.com"]


async def test_the_authorization_url_names_everything_once(jane: Person) -> None:
    """RFC 6749 §3.1; R143: the state has 256 bits and is different each time."""
    seen = set()
    for _ in range(3):
        url, pending = await jane.oauth.begin(
            jane.profile, jane.app, scopes=[DRIVE], redirect_uri=jane.redirect_uri
        )
        pairs = parse_qsl(urlsplit(url).query)
        assert len(dict(pairs)) == len(pairs)
        query = dict(pairs)
        assert query["code_challenge_method"] == "S256"
        assert len(query["state"]) == 43
        assert query["state"] not in repr(pending)
        seen |= {query["state"], query["code_challenge"]}
    assert len(seen) == 6


@pytest.mark.parametrize(
    "uri",
    [
        "http://evil.example/valet/callback/google",
        "https://hub.example/valet/callback/github",
        "https://hub.example/valet/callback/google?next=https://evil.example",
        "https://hub.example/valet/callback/google/../github",
        "https://hub.example/valet/callback/google#x",
        "https://hub.example/",
        "javascript:alert(1)//valet/callback/google",
    ],
)
async def test_a_redirect_uri_that_is_not_the_providers_own_is_refused(
    jane: Person, uri: str
) -> None:
    """R146, R151, R154: one path per provider, exact, on https or loopback."""
    with pytest.raises(OAuthRefused) as caught:
        await jane.oauth.begin(jane.profile, jane.app, scopes=[], redirect_uri=uri)
    assert caught.value.slug == "bad_redirect_uri"


async def test_an_app_of_another_issuer_is_not_shown_to_this_one(
    jane: Person, google: GoogleShaped
) -> None:
    """CL-08, R146."""
    stranger = dataclasses.replace(jane.app, issuer="https://accounts.google.com")
    with pytest.raises(OAuthRefused) as caught:
        await jane.oauth.begin(
            jane.profile, stranger, scopes=[DRIVE], redirect_uri=jane.redirect_uri
        )
    assert caught.value.slug == "other_app"


async def test_a_code_is_redeemed_only_where_the_browser_was_sent(jane: Person) -> None:
    """R146: mix-up."""
    url, pending = await jane.oauth.begin(
        jane.profile, jane.app, scopes=[DRIVE], redirect_uri=jane.redirect_uri
    )
    query = await jane.browser.sign_in(url, jane.redirect_uri)
    code = jane.oauth.check_callback(jane.profile, pending, query)
    moved = dataclasses.replace(pending, token_endpoint="https://evil.example/token")
    with pytest.raises(OAuthRefused):
        await jane.oauth.exchange(jane.profile, jane.app, moved, code)
    foreign = dataclasses.replace(pending, issuer="https://evil.example")
    with pytest.raises(OAuthRefused):
        await jane.oauth.exchange(jane.profile, jane.app, foreign, code)
