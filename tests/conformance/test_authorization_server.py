"""The authorization server of "sign in with Jupyter", as programs and a person's browser see it.

Of what no public suite has a scenario for: redirects, rotation, replays, registration, documents. A
real Jupyter server and broker answer; the programs are spoken byte by byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import dance
import program
import pytest
from dance import REDIRECT
from demo_server import demo_server
from jupyter_process import LOADED, PRESSED, Answer, Server

pytestmark = pytest.mark.timeout(120)

CALLBACK = "https://app.example.com/callback"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with demo_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def local(server: Server) -> str:
    """A program on the machine of the browser; registrations are few, so tests share them."""
    return dance.registered(server)


@pytest.fixture(scope="module")
def other(server: Server) -> str:
    return dance.registered(server)


@pytest.fixture(scope="module")
def web(server: Server) -> str:
    return dance.registered(server, CALLBACK)


def opened(server: Server, client_id: str, **changes: str | None) -> Answer:
    """Open the page of a request in the person's browser, as the program makes it open."""
    return server.get(dance.request(server, client_id, **changes), dance.OPENED)


def error_of(answer: Answer) -> str:
    assert answer.status == 400, answer.body
    return str(json.loads(answer.body)["error"])


def comes_in(server: Server, token: str) -> bool:
    return program.ask(server, token=token)[0] == 200


# Metadata --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        "/.well-known/oauth-authorization-server{}valet/oauth",
        "{}valet/oauth/.well-known/openid-configuration",
        "{}valet/oauth/.well-known/oauth-authorization-server",
    ],
)
def test_its_metadata_are_where_clients_look_and_say_what_they_must(
    server: Server, place: str
) -> None:
    """AS-01, AS-05, AS-07: the issuer is the one that was asked for; S256, `iss`, no secrets."""
    answer = _root(server, place.format(server.base))
    document = json.loads(answer.body)
    assert answer.status == 200
    assert document["issuer"] == f"{server.url}valet/oauth"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["token_endpoint_auth_methods_supported"] == ["none"]
    assert document["client_id_metadata_document_supported"] is True
    assert document["response_types_supported"] == ["code"]
    assert "implicit" not in document["grant_types_supported"]
    assert "password" not in document["grant_types_supported"]


def _root(server: Server, path: str) -> Answer:
    """Get a path of the origin, wherever the server's base is."""
    at_root = Server(server.process, server.home, server.port, "", server.record)
    return at_root.get(path, {}, login=False)


# Redirects -------------------------------------------------------------------------------------

NEAR = [
    f"{CALLBACK}/",
    f"{CALLBACK}?x=1",
    f"{CALLBACK}#x",
    f"{CALLBACK}/..",
    "https://app.example.com/Callback",
    "https://app.example.com/%63allback",
    "https://app.example.com:443/callback",
    "https://APP.example.com/callback",
    "https://app.example.com.evil.example/callback",
    "https://app.example.com@evil.example/callback",
    "https://evil.example/callback",
    "http://app.example.com/callback",
    "javascript:alert(1)",
    "",
]


@pytest.mark.parametrize("uri", NEAR)
def test_a_redirect_uri_that_is_nearly_the_registered_one_is_refused(
    server: Server, web: str, uri: str
) -> None:
    """AS-02, BP-05: by exact comparison; and nothing is sent anywhere."""
    page = opened(server, web, redirect_uri=uri or None)
    assert page.status == 400
    assert page.location == ""
    assert 'id="approve"' not in page.body
    assert 'id="back"' not in page.body


def test_a_program_on_this_machine_chooses_its_port_and_nothing_else(
    server: Server, local: str
) -> None:
    """AS-02, BP-05: the one exception, of RFC 8252 §7.3."""
    other_port = REDIRECT.replace("33418", "45999")
    assert opened(server, local, redirect_uri=other_port).status == 200
    for changed in ("localhost", "127.0.0.2", "[::1]", "127.0.0.1.evil.example"):
        uri = REDIRECT.replace("127.0.0.1", changed)
        assert opened(server, local, redirect_uri=uri).status == 400


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"response_type": "token"},
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"scope": "repo"},
        {"resource": "https://other.example/mcp"},
        {"prompt": "none"},
    ],
)
def test_only_a_press_sends_a_browser_anywhere(
    server: Server, local: str, changes: dict[str, Any]
) -> None:
    """AS-02, BP-03: no open redirector, no silent code, whatever is asked for and however often."""
    if not changes:
        dance.signed_in(server, local)  # it was approved before
    page = opened(server, local, **changes)
    assert page.location == ""
    assert page.status in (200, 400)
    assert "http-equiv" not in page.body
    assert "<script" not in page.body


def test_the_page_cannot_be_framed_read_or_pressed_by_a_script(server: Server, local: str) -> None:
    """BP-03, BP-04: opaque, unframed, uncached; the nonce is worth nothing to the same origin."""
    page = opened(server, local)
    policy = page.headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "allow-same-origin" not in policy
    assert "allow-scripts" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.cookies == {}
    auth = re.search(r'name="auth" value="([^"]+)"', page.body)
    assert auth
    path = f"valet/oauth/authorize/approve?auth={auth[1]}&scope0=tools:read"
    for headers in (LOADED, {**PRESSED, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, {}):
        answer = server.get(path, headers)
        assert (answer.status, answer.location) == (403, "")


def test_the_page_says_who_asks_and_where_the_answer_goes(
    server: Server, local: str, web: str
) -> None:
    """AS-04, BP-03: the redirect URI, its host, the scopes, and that a local program may be any."""
    page = opened(server, web, redirect_uri=CALLBACK).body
    for told in ("app.example.com", CALLBACK, "its own word", "tools:read"):
        assert told in page
    warning = "Any program on the machine of this browser can say"
    assert warning not in page
    assert warning in opened(server, local).body


def test_approving_one_program_is_nothing_to_another(server: Server) -> None:
    """BP-02: what was approved is kept for this program, this person and this redirect alone."""
    first = dance.registered(server, client_name="First")
    second = dance.registered(server, client_name="First")
    assert "May <bdi>First</bdi>" in opened(server, first).body
    dance.signed_in(server, first)
    assert "Sign <bdi>First</bdi> in again?" in opened(server, first).body
    assert "May <bdi>First</bdi>" in opened(server, second).body
    assert "May <bdi>First</bdi>" in opened(server, first, scope="tools:write").body


# Answers ---------------------------------------------------------------------------------------


def test_every_answer_says_who_gives_it_and_gives_the_state_back(
    server: Server, local: str
) -> None:
    """AS-05: also a no, and an error that a person sends on (RFC 9207 §2)."""
    issuer = f"{server.url}valet/oauth"
    yes = dance.answered(dance.allow(server, opened(server, local)).location)
    no = dance.answered(dance.decline(server, opened(server, local)).location)
    unfit = opened(server, local, response_type="token")
    link = re.search(r'id="back"[^>]* href="([^"]+)"', unfit.body)
    assert link
    error = dance.answered(link[1].replace("&amp;", "&"))
    for answer in (yes, no, error):
        assert (answer["iss"], answer["state"]) == (issuer, "the-state")
    assert set(yes) == {"code", "iss", "state"}
    assert no["error"] == "access_denied"
    assert error["error"] == "unsupported_response_type"
    assert urlsplit(link[1]).netloc == urlsplit(REDIRECT).netloc


def code(server: Server, client_id: str, **changes: str | None) -> str:
    location = dance.allow(server, opened(server, client_id, **changes)).location
    return dance.answered(location)["code"]


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "another-verifier-that-is-long-enough-to-be-one"},
        {"code_verifier": ""},
        {"redirect_uri": "http://127.0.0.1:33418/other"},
        {"client_id": "another"},
    ],
)
def test_a_code_is_worth_nothing_without_all_that_it_was_asked_for_with(
    server: Server, local: str, other: str, changes: dict[str, str]
) -> None:
    """AS-01: PKCE, redirect URI and client are those of the request."""
    wrong = dict(changes)
    client_id = other if wrong.pop("client_id", "") else local
    answer = dance.redeem(server, client_id, code(server, local), **wrong)
    assert error_of(answer) in ("invalid_grant", "invalid_request", "invalid_client")
    assert "access_token" not in answer.body


def test_a_code_that_comes_twice_ends_what_came_of_it(server: Server, local: str) -> None:
    """AS-01: OAuth 2.1 §4.1.3."""
    given = code(server, local)
    tokens = json.loads(dance.redeem(server, local, given).body)
    assert comes_in(server, tokens["access_token"])
    assert error_of(dance.redeem(server, local, given)) == "invalid_grant"
    assert not comes_in(server, tokens["access_token"])
    again = dance.refresh(server, local, tokens["refresh_token"])
    assert error_of(again) == "invalid_grant"


def test_refresh_tokens_rotate_and_one_that_comes_twice_ends_the_sign_in(
    server: Server, local: str
) -> None:
    """AS-03: whoever has the older one, both are signed out; access tokens are short-lived."""
    first = dance.signed_in(server, local)
    assert first["expires_in"] <= 3600
    second = json.loads(dance.refresh(server, local, first["refresh_token"]).body)
    assert second["refresh_token"] != first["refresh_token"]
    assert comes_in(server, second["access_token"])
    assert error_of(dance.refresh(server, local, first["refresh_token"])) == "invalid_grant"
    assert error_of(dance.refresh(server, local, second["refresh_token"])) == "invalid_grant"
    assert not comes_in(server, second["access_token"])


def test_a_refresh_token_is_its_own_program_s_and_grows_no_scopes(
    server: Server, local: str, other: str
) -> None:
    """AS-03, RS-13: neither another client, nor more than the person ticked."""
    tokens = dance.signed_in(server, local)
    refused = dance.refresh(server, other, tokens["refresh_token"])
    assert error_of(refused) == "invalid_grant"
    more = dance.refresh(server, local, tokens["refresh_token"], scope="tools:write")
    assert error_of(more) in ("invalid_scope", "invalid_grant")


# Who may ask -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uris",
    [
        ["http://app.example.com/callback"],
        ["javascript:alert(1)"],
        ["data:text/html,x"],
        ["file:///etc/passwd"],
        [f"{CALLBACK}#fragment"],
        ["https://user:pass@app.example.com/"],
        ["//app.example.com/"],
        [],
        [1],
        "https://app.example.com/",
    ],
)
def test_a_program_cannot_register_a_redirect_that_is_unsafe(server: Server, uris: Any) -> None:
    """AS-02, AS-06, BP-19: https, loopback, or a scheme of a program's own."""
    said = json.dumps({"client_name": "x", "redirect_uris": uris})
    answer = dance.post(server, "register", said, "application/json")
    assert error_of(answer) == "invalid_redirect_uri"


def test_who_registers_is_a_public_client_whatever_it_asks_for(server: Server) -> None:
    """AS-06, AS-07: no secret is made, so none can leak; and none is taken."""
    asked = {"token_endpoint_auth_method": "client_secret_basic", "grant_types": ["password"]}
    answer = dance.register(server, **asked)
    said = json.loads(answer.body)
    assert answer.status == 201
    assert said["token_endpoint_auth_method"] == "none"
    assert set(said["grant_types"]) == {"authorization_code", "refresh_token"}
    assert not [name for name in said if "secret" in name]


@pytest.mark.parametrize(
    "client_id",
    [
        "unknown",
        "https://127.0.0.1/client.json",
        "https://localhost/client.json",
        "https://10.0.0.1/client.json",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/client.json",
        "http://app.example.com/client.json",
        "https://app.example.com",
    ],
)
def test_a_client_that_nobody_knows_gets_no_page_and_no_answer(
    server: Server, client_id: str
) -> None:
    """AS-04, BP-14: a document is fetched from public addresses alone, and by https."""
    page = opened(server, client_id)
    assert page.status >= 400
    assert page.location == ""
    assert 'id="approve"' not in page.body
