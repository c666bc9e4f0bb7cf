"""The page of a program's sign-in and the endpoints beside it, byte by byte, on a real server."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import dance
import pytest
from dance import OPENED, REDIRECT, allow, answered, registered, request
from jupyter_process import LOADED, PRESSED, TOKEN, Server, jupyter_server
from leaks import must_not_leak

pytestmark = pytest.mark.timeout(120)

INSPECTOR = "http://localhost:6274"
"""The origin of a program that is a page, which the administrator allows."""

PLACES = (
    "valet/oauth/.well-known/openid-configuration",
    "valet/oauth/.well-known/oauth-authorization-server",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    config = f"c.ServerApp.allow_origin = {INSPECTOR!r}\n"
    with jupyter_server(home, fake=False, base="/user/jane/", config=config) as running:
        yield running
    must_not_leak(home, home / "state")


@pytest.fixture(scope="module")
def program(server: Server) -> str:
    """The client id of one program: strangers may register so many a minute only."""
    return registered(server, client_name="<b>Ed</b>")


def at_root(server: Server, path: str, host: str = "") -> tuple[int, bytes]:
    """Get a path of the origin, with no login and none of a browser's headers."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_metadata_are_in_all_three_places_where_programs_look(server: Server) -> None:
    """AS-01, CL-02, CL-03 from the other side: behind a JupyterHub the root is not ours."""
    inserted = f"/.well-known/oauth-authorization-server{server.base}valet/oauth"
    oidc = f"/.well-known/openid-configuration{server.base}valet/oauth"
    texts = {at_root(server, path) for path in (inserted, oidc)}
    texts |= {at_root(server, server.base + path) for path in PLACES}
    [(status, text)] = texts
    assert status == 200
    assert json.loads(text)["issuer"] == f"{server.url}valet/oauth"
    assert at_root(server, inserted, "evil.example")[0] == 421


def test_the_page_is_isolated(server: Server, program: str) -> None:
    """BP-03: no frame, no script, no copy; its form leads to us and to the redirect alone."""
    page = server.get(request(server, program), OPENED)
    assert page.status == 200
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-forms; default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert policy.endswith("form-action 'self' http://127.0.0.1:33418")
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Set-Cookie" not in page.headers
    assert "&lt;b&gt;Ed&lt;/b&gt;" in page.body
    assert "<script" not in page.body
    assert f'<code id="redirect">{REDIRECT}</code>' in page.body
    assert "its own word" in page.body
    assert "Any program on the machine of this browser" in page.body


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"},
        {**LOADED, "Sec-Fetch-Dest": "iframe"},
        {**LOADED, "Sec-Fetch-Dest": "object"},
        {**LOADED, "Sec-Purpose": "prefetch"},
        {**LOADED, "Sec-Purpose": "prefetch;prerender"},
    ],
)
def test_nothing_but_a_page_load_is_shown_the_page(server: Server, headers: dict[str, str]) -> None:
    """BP-03, design 5.5: no script, frame or preview sees a nonce."""
    answer = server.get(request(server, program), headers)
    assert answer.status == 403
    assert 'name="auth"' not in answer.body


@pytest.mark.parametrize("action", ["approve", "decline"])
@pytest.mark.parametrize(
    "change",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-User": "?0"},
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_a_press_is_a_persons_on_the_page_itself(
    server: Server, program: str, action: str, change: dict[str, str]
) -> None:
    """BP-03: a script that got hold of the nonce arrives as `same-origin`; the nonce stays good."""
    page = server.get(request(server, program), OPENED)
    nonce = page.body.partition('name="auth" value="')[2].partition('"')[0]
    assert nonce
    query = urlencode({"auth": nonce, "scope0": "tools:read"})
    forged = server.get(f"valet/oauth/authorize/{action}?{query}", {**PRESSED, **change})
    assert forged.status == 403
    assert not forged.location
    assert allow(server, page).status == 303


def test_an_unknown_redirect_is_an_error_page_and_never_a_redirect(
    server: Server, program: str
) -> None:
    """AS-02, BP-05."""
    for change in ({"redirect_uri": "https://evil.example/"}, {"client_id": "nobody"}):
        answer = server.get(request(server, **{"client_id": program, **change}), OPENED)
        assert answer.status == 400
        assert not answer.location
        assert "evil.example" not in answer.body


def test_an_unfit_request_leaves_the_redirect_to_a_press(server: Server, program: str) -> None:
    """AS-02, AS-05."""
    answer = server.get(request(server, program, code_challenge=None), OPENED)
    assert answer.status == 400
    assert not answer.location
    assert f'href="{REDIRECT}?error=invalid_request' in answer.body.replace("&amp;", "&")


def test_a_no_goes_back_to_the_program(server: Server, program: str) -> None:
    """AS-05."""
    page = server.get(request(server, program), OPENED)
    declined = dance.decline(server, page)
    assert declined.status == 303
    assert answered(declined.location)["error"] == "access_denied"
    assert answered(declined.location)["iss"] == f"{server.url}valet/oauth"


def test_who_is_not_logged_in_logs_in_first_and_comes_back_to_the_request(
    server: Server, program: str
) -> None:
    """The request is in no URL of the login, and in no log; nobody else's server learns of it."""
    path = request(server, program, state="a-state-of-kept")
    bounce = server.get(path, OPENED, login=False)
    again = bounce.body.partition("url=")[2].partition('"')[0].replace("&amp;", "&")
    assert "a-state-of-kept" not in bounce.body
    sent = server.get(again.removeprefix(server.base), LOADED, login=False)
    assert sent.status == 302
    assert urlsplit(sent.location).path.endswith("/login")
    back = answered(sent.location)["next"]
    assert "a-state-of-kept" not in sent.location
    page = server.get(back.removeprefix(server.base), LOADED)
    assert "its own word" in page.body
    assert "state=a-state-of-kept" in allow(server, page).location
    assert server.get(back.removeprefix(server.base), LOADED).status == 409


# The endpoints of programs -----------------------------------------------------------------------


def test_answers_with_tokens_are_kept_nowhere(server: Server, program: str) -> None:
    """RFC 6749 §5.1."""
    page = server.get(request(server, program), OPENED)
    answer = dance.redeem(server, program, answered(allow(server, page).location)["code"])
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("endpoint", ["token", "register", "revoke"])
def test_the_endpoints_take_posts_of_programs_alone(server: Server, endpoint: str) -> None:
    """No page's script, no other host, nothing in the URL; and no login is of any use."""
    path = f"valet/oauth/{endpoint}"
    assert server.get(path).status in (404, 405)
    origins = ("https://evil.example", f"http://127.0.0.1:{server.port}", "null")
    for origin in origins:
        assert dance.post(server, endpoint, "", Origin=origin).status == 403
    assert dance.post(server, endpoint, "", Host="evil.example").status == 421
    assert dance.post(server, f"{endpoint}?client_id=x", "").status == 400
    for proof in ({"Cookie": server.cookie}, {"Authorization": f"token {TOKEN}"}):
        answer = dance.post(server, endpoint, "", **proof)
        assert (answer.status, "error" in json.loads(answer.body)) == (400, True)


def test_a_page_of_an_allowed_origin_signs_in_and_one_of_another_does_not(
    server: Server, program: str
) -> None:
    """The Inspector is a page: it asks beforehand, and reads the answer; others may do neither."""
    path = "valet/oauth/token"
    asked = {"Access-Control-Request-Method": "POST"}
    before = server.request("OPTIONS", path, {"Origin": INSPECTOR, **asked}, login=False)
    assert before.status == 204
    assert before.headers["Access-Control-Allow-Origin"] == INSPECTOR
    assert "content-type" in before.headers["Access-Control-Allow-Headers"]
    answer = dance.post(server, "token", f"client_id={program}", Origin=INSPECTOR)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (400, INSPECTOR)
    assert "Access-Control-Allow-Credentials" not in answer.headers
    other = {"Origin": "https://evil.example", **asked}
    refused = server.request("OPTIONS", path, other, login=False)
    assert refused.status == 403
    assert "Access-Control-Allow-Origin" not in refused.headers


def test_a_body_beyond_the_limit_is_not_taken(server: Server) -> None:
    """RFC 7591 is for strangers: 64 KB are plenty."""
    answer = dance.register(server, client_uri="x" * 70_000)
    assert answer.status == 413


def test_an_access_token_of_ours_opens_nothing_but_the_endpoint(
    server: Server, program: str
) -> None:
    """Design, section 2: it is no Jupyter token."""
    tokens = dance.signed_in(server, program)
    sent = {"Authorization": f"Bearer {tokens['access_token']}"}
    for path in ("api/status", "api/contents", "api/kernels"):
        assert server.request("GET", path, sent, login=False).status == 403
    page = server.request("GET", "valet/connections", {**OPENED, **sent}, login=False)
    assert "Your connections" not in page.body
