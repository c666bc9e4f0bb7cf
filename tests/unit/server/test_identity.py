"""Who a person is to the broker, per identity provider (ES-18, ES-30; mcp.md 1.5)."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_server.auth.identity import (
    IdentityProvider,
    LegacyIdentityProvider,
    PasswordIdentityProvider,
    User,
)
from jupyter_server.auth.login import LegacyLoginHandler
from traitlets.config import LoggingConfigurable

from jupyter_valet.server.identity import in_a_browser, kernel_principal, principal

HUB = {"JUPYTERHUB_SERVICE_PREFIX": "/user/jane/", "JUPYTERHUB_USER": "jane"}


class Hub(IdentityProvider):
    """As JupyterHub's: a subclass, which tells people apart."""


class OwnLogin(LegacyLoginHandler):
    """As somebody's own login handler, which does, too."""


@pytest.mark.parametrize(
    "provider", [IdentityProvider(), PasswordIdentityProvider(), LegacyIdentityProvider()]
)
def test_a_stock_server_knows_one_person(provider: IdentityProvider) -> None:
    """Its user names are random per browser, so they may not tell people apart."""
    for name in ("3fa9", "77b0"):
        assert principal(provider, User(name), {}) == "owner"


@pytest.mark.parametrize("provider", [Hub(), LegacyIdentityProvider(login_handler_class=OwnLogin)])
def test_any_other_identity_provider_says_who_is_who(provider: IdentityProvider) -> None:
    assert principal(provider, User("jane"), {}) == "user:jane"
    assert principal(provider, User("joe"), {}) == "user:joe"


def test_on_the_older_hub_server_the_stock_provider_does_not_decide() -> None:
    """jupyterhub.singleuser.mixins patches the handlers and leaves the provider stock."""
    assert principal(IdentityProvider(), User("jane"), HUB) == "user:jane"
    model: Any = {"name": "jane", "admin": False}
    assert principal(IdentityProvider(), model, HUB) == "user:jane"


@pytest.mark.parametrize("user", [None, {}, {"name": ""}, {"name": 3}, object()])
def test_who_has_no_name_is_nobody(user: Any) -> None:
    """L12: strangers must not share one nameless principal."""
    assert principal(Hub(), user, {}) is None


def test_nobody_is_not_the_owner() -> None:
    assert principal(IdentityProvider(), None, {}) is None


def test_a_kernel_runs_for_who_started_it() -> None:
    assert kernel_principal(Hub(), User("joe"), HUB) == "user:joe"
    assert kernel_principal(IdentityProvider(), User("3fa9"), {}) == "owner"


def test_a_kernel_that_no_request_started_runs_for_the_server_s_owner() -> None:
    assert kernel_principal(IdentityProvider(), None, {}) == "owner"
    assert kernel_principal(Hub(), None, HUB) == "user:jane"


def test_a_kernel_for_which_nobody_is_known_runs_for_nobody() -> None:
    assert kernel_principal(Hub(), None, {}) is None


def test_a_service_of_the_hub_is_not_the_person_of_its_name() -> None:
    """An administrator may have called a service as a person is called (jupyterhub.services)."""
    model: Any = {"name": "jane", "kind": "service"}
    assert principal(Hub(), model, HUB) == "service:jane"
    person = User("jane")
    person.hub_user = {"name": "jane", "kind": "user"}  # type: ignore[attr-defined]
    assert principal(Hub(), person, HUB) == "user:jane"


def test_a_server_started_in_a_terminal_of_the_hub_s_is_an_ordinary_one() -> None:
    """It inherits the Hub's variables, and serves another path."""

    class Server(LoggingConfigurable):
        base_url = "/"

    provider = IdentityProvider(parent=Server())
    assert principal(provider, User("3fa9"), HUB) == "owner"
    Server.base_url = HUB["JUPYTERHUB_SERVICE_PREFIX"]
    assert principal(provider, User("jane"), HUB) == "user:jane"


@pytest.mark.parametrize(
    ("model", "by_token", "expected"),
    [
        ({"name": "jane", "kind": "user", "session_id": "s1"}, False, True),
        ({"name": "jane", "kind": "user", "session_id": "s1"}, True, False),
        ({"name": "jane", "kind": "user", "session_id": None}, False, False),
        ({"name": "jane", "kind": "user"}, False, False),
        ({"name": "jane"}, True, True),
    ],
)
def test_only_a_login_of_the_hub_s_is_a_person_with_a_browser(
    model: dict[str, Any], by_token: bool, expected: bool
) -> None:
    """A token is not, however it is shown; of other providers nothing is known."""
    person = User("jane")
    person.hub_user = model  # type: ignore[attr-defined]
    for user in (person, model):
        assert in_a_browser(user, by_token=by_token) is expected
    assert in_a_browser(User("jane"), by_token=by_token)
