"""RFC 7591 and client documents: a client that nobody registered by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from jupyter_valet.broker.oauth import OAuthRefused, Profile, ProviderUnreachable
from jupyter_valet.broker.oauth import client_document as document
from jupyter_valet.broker.oauth.rfc7591 import registered, request
from jupyter_valet.broker.oauth.rfc8414 import Endpoints
from jupyter_valet.broker.reveal import reveal

HERE = "http://127.0.0.1:8888/valet/callback/corp"
HUB = "https://hub.example/user/jane/valet/callback/corp"
ENDPOINTS = Endpoints("i", "a", "t", registration="https://login.corp.example/register")


def answer(profile: Profile, status: int = 201, **members: Any) -> Any:
    return registered(profile, status, json.dumps({"client_id": "abc", **members}).encode())


@pytest.mark.parametrize(("uri", "kind"), [(HERE, "native"), (HUB, "web")])
def test_the_kind_of_application_fits_the_redirect_uri(
    profile: Profile, uri: str, kind: str
) -> None:
    """CL-07: a callback on https is a web client's."""
    asked = request(profile, ENDPOINTS, uri)
    assert asked["application_type"] == kind
    assert asked["redirect_uris"] == [uri]
    assert asked["response_types"] == ["code"]


@pytest.mark.parametrize(
    ("announced", "chosen"),
    [
        ({"none", "client_secret_basic"}, "none"),
        ({"client_secret_post", "private_key_jwt"}, "client_secret_post"),
        ((), "client_secret_basic"),
    ],
)
def test_the_method_with_the_least_secret_is_asked_for(
    profile: Profile, announced: Any, chosen: str
) -> None:
    endpoints = replace(ENDPOINTS, token_auth=frozenset(announced))
    assert request(profile, endpoints, HERE)["token_endpoint_auth_method"] == chosen


def test_a_provider_without_registration_is_not_asked(profile: Profile) -> None:
    with pytest.raises(OAuthRefused) as refused:
        request(profile, replace(ENDPOINTS, registration=""), HERE)
    assert refused.value.slug == "registration_refused"


def test_a_client_is_good_at_the_issuer_that_made_it(profile: Profile) -> None:
    """CL-08."""
    made = answer(
        profile,
        client_secret="s3cret",
        client_secret_expires_at=99,
        token_endpoint_auth_method="client_secret_post",
        issuer="https://evil",
    )
    assert (made.app.provider, made.app.issuer) == ("corp", profile.issuer)
    assert made.app.client_secret is not None
    assert reveal(made.app.client_secret) == "s3cret"
    assert (made.app.token_auth, made.secret_expires_at) == ("client_secret_post", 99.0)
    public = answer(profile, token_endpoint_auth_method="client_secret_basic")
    assert (public.app.client_secret, public.app.token_auth) == (None, "none")


@pytest.mark.parametrize(
    "members",
    [
        {"client_id": ""},
        {"client_id": None},
        {"client_id": "a\nb"},
        {"client_secret": 7},
        {"client_secret": "s", "client_secret_expires_at": "soon"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": ["none"]},
    ],
)
def test_an_answer_that_cannot_be_used_is_refused(profile: Profile, members: Any) -> None:
    with pytest.raises(OAuthRefused):
        answer(profile, **members)


def test_a_refusal_is_told_in_words_of_ours(profile: Profile) -> None:
    """CL-07: redirect URIs that are refused are told; the provider's own text is not (L19)."""
    body = json.dumps({"error": "invalid_redirect_uri", "error_description": "<b>x</b>"}).encode()
    with pytest.raises(OAuthRefused, match="redirect URI") as refused:
        registered(profile, 400, body)
    assert "<b>" not in str(refused.value)
    with pytest.raises(OAuthRefused, match="does not register"):
        registered(profile, 403, b"<html>no</html>")
    with pytest.raises(ProviderUnreachable):
        registered(profile, 503, b"")


def test_a_document_s_url_is_beside_the_callback(profile: Profile) -> None:
    """CL-06: the id is an https URL with a path."""
    app = document.app(profile, HUB)
    assert app.client_id == "https://hub.example/user/jane/valet/client/corp.json"
    assert (app.client_secret, app.token_auth) == (None, "none")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "uri", [HERE, "https://localhost/valet/callback/corp", "https://127.0.0.1/valet/callback/corp"]
)
async def test_a_document_that_nobody_can_read_is_no_id(uri: str) -> None:
    assert not await document.reachable(uri)


@pytest.mark.anyio
async def test_a_private_address_is_not_public(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lookup(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", ({"hub.example": "10.1.2.3", "pub.example": "8.8.8.8"}[host], port))]

    monkeypatch.setattr("anyio.getaddrinfo", lookup)
    assert not await document.reachable(HUB)
    assert await document.reachable(HUB.replace("hub", "pub"))
