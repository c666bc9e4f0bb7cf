"""What this server is as an OAuth client (CL-06)."""

from __future__ import annotations

from jupyter_valet.broker.oauth import Profile, client_document
from jupyter_valet.server.pages.client_document import document
from jupyter_valet.server.pages.routing import HANDLERS

HUB = "https://hub.example/user/jane/"


def test_the_document_says_what_the_broker_signs_in_with() -> None:
    """Its URL is the client id, and its one redirect URI is the one that is sent."""
    redirect = f"{HUB}valet/callback/linear"
    profile = Profile("linear", "Linear", "https://login.linear.example", ())
    app = client_document.app(profile, redirect)
    told = document(HUB, "linear")
    assert told["client_id"] == app.client_id == f"{HUB}valet/client/linear.json"
    assert told["redirect_uris"] == [redirect]
    assert told["token_endpoint_auth_method"] == app.token_auth == "none"
    assert told["client_name"]


def test_the_document_is_a_page_before_the_last_that_takes_all() -> None:
    paths = [path for path, _ in HANDLERS]
    assert any("valet/client/" in path for path in paths[:-1])
