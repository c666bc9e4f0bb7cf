"""Whose token it is without asking Jupyter: only where nothing but the token could decide."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_server.auth import AllowAllAuthorizer, IdentityProvider
from jupyter_server.auth.identity import PasswordIdentityProvider, User

from jupyter_valet.server.mcp.known import Known

JANE = User("jane")


class OwnProvider(IdentityProvider):
    pass


class OwnAuthorizer(AllowAllAuthorizer):
    pass


def known(provider: IdentityProvider, authorizer: Any = None) -> tuple[Known, dict[str, Any]]:
    settings = {"identity_provider": provider, "authorizer": authorizer or AllowAllAuthorizer()}
    return Known(settings), settings


@pytest.mark.parametrize("provider", [IdentityProvider, PasswordIdentityProvider])
def test_what_jupyter_took_for_the_owner_s_it_will_take_again(
    provider: type[IdentityProvider],
) -> None:
    remembered, _ = known(provider(token="secret"))
    assert not remembered.is_owners("secret"), "Jupyter was not asked yet"
    remembered.learn("secret", JANE)
    assert remembered.is_owners("secret")
    assert remembered.user is JANE
    assert not remembered.is_owners("secre")
    assert not remembered.is_owners("")


def test_another_token_of_the_server_s_is_asked_about() -> None:
    provider = IdentityProvider(token="secret")
    remembered, _ = known(provider)
    remembered.learn("secret", JANE)
    provider.token = "another"
    assert not remembered.is_owners("secret")
    assert not remembered.is_owners("another")


def test_what_is_not_the_server_s_token_is_not_learned() -> None:
    """Jupyter knew the person by something else."""
    remembered, _ = known(IdentityProvider(token="secret"))
    remembered.learn("other", JANE)
    assert not remembered.is_owners("other")


def test_a_server_without_a_token_knows_nobody_by_it() -> None:
    remembered, _ = known(IdentityProvider(token=""))
    remembered.learn("", JANE)
    assert not remembered.is_owners("")


@pytest.mark.parametrize(
    ("provider", "authorizer"),
    [
        (OwnProvider(token="secret"), AllowAllAuthorizer()),
        (IdentityProvider(token="secret"), OwnAuthorizer()),
    ],
)
def test_who_may_look_at_more_than_the_token_is_always_asked(
    provider: IdentityProvider, authorizer: AllowAllAuthorizer
) -> None:
    remembered, _ = known(provider, authorizer)
    remembered.learn("secret", JANE)
    assert not remembered.is_owners("secret")


def test_an_authorizer_that_comes_later_is_asked() -> None:
    remembered, settings = known(IdentityProvider(token="secret"))
    remembered.learn("secret", JANE)
    settings["authorizer"] = OwnAuthorizer()
    assert not remembered.is_owners("secret")
