"""A code that is typed (RFC 8628) and a client of its own (RFC 6749 §4.4) at oidc-provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from oauth_harness import Browser, Clock, Notes, oidc_provider

from jupyter_valet.broker.connections import Connection, Connections, NeedsLogin
from jupyter_valet.broker.oauth import (
    OAuthApp,
    OAuthClient,
    OAuthRefused,
    Profile,
    WithoutBrowser,
    profiles,
    rfc8628,
)
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import open_vault

pytestmark = pytest.mark.anyio

ROBOT_SECRET = "robot secret: 100% +/&=~"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    back = "http://127.0.0.1:8888/valet/callback/corp"
    with oidc_provider(tmp_path_factory.mktemp("oidc"), [back]) as running:
        yield running


@pytest.fixture
def known(issuer: str) -> dict[str, Profile]:
    shared = {"issuer": issuer, "loopback": True}
    return profiles(
        {
            "corp": {**shared, "title": "Corp", "client_id": "valet-device", "flow": "device"},
            "robot": {
                **shared,
                "title": "Robot",
                "flow": "client_credentials",
                "scopes": ["api:read"],
            },
        }
    )


@pytest.fixture
async def oauth() -> AsyncIterator[OAuthClient]:
    client = OAuthClient(timeout=10)
    yield client
    await client.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    browser = Browser({"login": "jane", "password": "pw"})
    yield browser
    await browser.close()


class Desk:
    """A vault with connections in it."""

    def __init__(self, state: Path, oauth: OAuthClient, known: dict[str, Profile]) -> None:
        self.clock = Clock()
        self.vault = open_vault(state, "file")
        self.connections = Connections(self.vault, oauth, known, Notes(), clock=self.clock)


@pytest.fixture
async def desk(
    tmp_path: Path, oauth: OAuthClient, known: dict[str, Profile]
) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path / "state", oauth, known)
    yield desk
    await desk.connections.close()
    desk.vault.close()


# A code ----------------------------------------------------------------------------------------


async def test_a_code_becomes_tokens_once_it_was_typed(
    oauth: OAuthClient, known: dict[str, Profile], browser: Browser
) -> None:
    """RFC 8628 §3.1 to §3.5, discovered from the metadata; the tokens refresh like any others."""
    corp, provider = known["corp"], WithoutBrowser(oauth)
    app = OAuthApp("corp", corp.issuer, "valet-device")
    code = await provider.ask_code(corp, app, ["openid", "profile", "api:read"])
    assert code.interval == rfc8628.INTERVAL_SECONDS  # this server does not say
    with pytest.raises(rfc8628.NotYet):
        await provider.redeem_code(corp, app, code)
    await browser.type_code(code.verification_uri_complete)
    tokens = await provider.redeem_code(corp, app, code)
    assert tokens.scopes == {"openid", "profile", "api:read"}
    assert (await oauth.account(corp, tokens)).label == "jane"
    fresh = await oauth.refresh(corp, app, tokens)
    assert fresh.access_token != tokens.access_token
    assert await oauth.revoke(corp, app, fresh)


async def test_a_code_is_good_once(
    oauth: OAuthClient, known: dict[str, Profile], browser: Browser
) -> None:
    corp, provider = known["corp"], WithoutBrowser(oauth)
    app = OAuthApp("corp", corp.issuer, "valet-device")
    code = await provider.ask_code(corp, app, ["openid"])
    await browser.type_code(code.verification_uri_complete)
    await provider.redeem_code(corp, app, code)
    with pytest.raises(OAuthRefused, match="no longer accepts"):
        await provider.redeem_code(corp, app, code)


async def test_a_client_that_may_not_use_codes_is_told_so(
    oauth: OAuthClient, known: dict[str, Profile]
) -> None:
    corp = known["corp"]
    app = OAuthApp("corp", corp.issuer, "valet-public")
    with pytest.raises(OAuthRefused, match="did not accept the request"):
        await WithoutBrowser(oauth).ask_code(corp, app, ["openid"])


# A client of its own -----------------------------------------------------------------------------


def a_robot(profile: Profile, client_id: str, secret: str) -> OAuthApp:
    return OAuthApp("robot", profile.issuer, client_id, Secret(secret), owner="owner")


async def robot(desk: Desk, oauth: OAuthClient, profile: Profile) -> Connection:
    """Return the connection of the client that is on file."""
    app = a_robot(profile, "valet-robot", ROBOT_SECRET)
    desk.connections.save_app(app)
    tokens = await WithoutBrowser(oauth).own_tokens(profile, app, [])
    assert tokens.refresh_token is None
    account = await oauth.account(profile, tokens)
    return desk.connections.store("owner", profile, tokens, account)


async def test_a_client_is_its_own_account(
    desk: Desk, oauth: OAuthClient, known: dict[str, Profile]
) -> None:
    """No person, no PKCE and no redirect; what it may do is what was configured and granted."""
    connection = await robot(desk, oauth, known["robot"])
    assert connection.account.label == "valet-robot"
    assert connection.scopes == {"api:read"}


async def test_a_token_of_its_own_is_renewed_from_the_secret(
    desk: Desk, oauth: OAuthClient, known: dict[str, Profile]
) -> None:
    """RFC 6749 §4.4.3: there is no refresh token; at the end, and when an API refuses it."""
    connection = await robot(desk, oauth, known["robot"])
    first = await desk.connections.access_token(connection)
    assert await desk.connections.access_token(connection) == first
    desk.clock.ahead = 3590
    second = await desk.connections.access_token(connection)
    assert second != first
    third = await desk.connections.access_token(connection, rejected=second)
    assert third != second


async def test_a_secret_that_was_changed_is_asked_for_again(
    desk: Desk, oauth: OAuthClient, known: dict[str, Profile]
) -> None:
    profile = known["robot"]
    connection = await robot(desk, oauth, profile)
    desk.connections.save_app(a_robot(profile, "valet-robot", "old"))
    desk.clock.ahead = 4000
    with pytest.raises(NeedsLogin, match="does not accept the OAuth app"):
        await desk.connections.access_token(connection)
    assert desk.connections.app("robot", owner="owner") is None
    assert desk.connections.get("owner", connection.id).status == "needs_login"


async def test_a_token_of_one_client_is_not_renewed_by_another(
    desk: Desk, oauth: OAuthClient, known: dict[str, Profile]
) -> None:
    """CL-08: the account is the client."""
    profile = known["robot"]
    connection = await robot(desk, oauth, profile)
    desk.connections.save_app(a_robot(profile, "other", "x"))
    desk.clock.ahead = 4000
    with pytest.raises(NeedsLogin, match="no longer on file"):
        await desk.connections.access_token(connection)


async def test_ending_the_connection_of_a_client_revokes_its_token(
    desk: Desk, oauth: OAuthClient, known: dict[str, Profile]
) -> None:
    """RFC 7009; and its secret, which could get another, is forgotten with it."""
    connection = await robot(desk, oauth, known["robot"])
    assert await desk.connections.end("owner", connection.id, revoke=True) == "revoked"
    assert desk.connections.app("robot", owner="owner") is None
