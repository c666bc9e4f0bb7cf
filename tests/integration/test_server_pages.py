"""The pages of a real Jupyter server, asked as browsers and as attackers ask; the broker is a fake.

What a real browser sends is checked in tests/browser/test_isolated_page.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fake_broker import binding, nonce
from jupyter_process import LOADED, POSTED, PRESSED, Server, jupyter_server

PROVIDER = "http://localhost:9/authorize"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with jupyter_server(tmp_path_factory.mktemp("pages"), provider=PROVIDER) as running:
        yield running


def approve(server: Server, transaction: str) -> str:
    """Approve a transaction; return the `Cookie` header's part with the binding."""
    server.get(f"valet/connect/{transaction}")
    answer = server.get(f"valet/connect/{transaction}/approve?auth={nonce(transaction)}", PRESSED)
    assert answer.status == 303
    return "; ".join(
        f"{name}={morsel.value}"
        for name, morsel in answer.cookies.items()
        if "valet-binding" in name
    )


def test_the_consent_page_shows_what_the_broker_knows(server: Server) -> None:
    """BP-03; the public origin and redirect URI are those of the browser's navigation (L20)."""
    answer = server.get("valet/connect/facts")
    assert answer.status == 200
    for fact in ("demo.example", "read issues", "list_issues needs it", nonce("facts")):
        assert fact in answer.body
    assert f"{server.url}valet/callback/demo" in answer.body
    asked = server.asked("page.open")[-1]
    assert asked == {"transaction": "facts", "principal": "owner", "origin": server.url}


def test_what_a_kernel_could_name_itself_is_escaped_and_cannot_reverse_the_text(
    server: Server,
) -> None:
    """D7: the notebook's name holds a script and a right-to-left override."""
    body = server.get("valet/connect/facts").body
    assert "<script" not in body
    assert "\u202e" not in body
    assert "\ufffdtest.ipynb&lt;script&gt;" in body


@pytest.mark.parametrize("page", ["valet/connect/a1", "valet/connections", "valet/unlock"])
def test_a_page_has_an_opaque_origin_no_script_no_frame_and_no_copy(
    server: Server, page: str
) -> None:
    """Design, section 5.5; BP-03 (framing), BP-20 (no script at all)."""
    headers = server.get(page).headers
    policy = headers["Content-Security-Policy"].split("; ")
    assert policy[0].split()[0] == "sandbox"
    assert set(policy[0].split()[1:]) <= {"allow-forms"}
    assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


def test_the_consent_page_may_not_even_send_a_form(server: Server) -> None:
    """Its presses are links, so no form could be made to post to anybody."""
    policy = server.get("valet/connect/a1").headers["Content-Security-Policy"]
    assert "form-action 'none'" in policy
    assert "allow-forms" not in policy


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object"},
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"},
        {**LOADED, "Sec-Purpose": "prefetch"},
        {**LOADED, "Sec-Purpose": "prefetch;prerender"},
        {**LOADED, "Purpose": "prefetch"},
    ],
)
@pytest.mark.parametrize(
    "page", ["valet/connect/quiet", "valet/connections", "valet/done/quiet", "valet/unlock"]
)
def test_only_a_top_level_navigation_gets_a_page(
    server: Server, page: str, headers: dict[str, str]
) -> None:
    """Fetch, frames, objects, prefetch and browsers that say nothing (ES-30)."""
    answer = server.get(page, headers)
    assert answer.status == 403
    assert nonce("quiet") not in answer.body
    assert nonce("connections") not in answer.body


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "POST"])
def test_other_methods_are_refused(server: Server, method: str) -> None:
    """A HEAD would be the cheapest way to open a transaction without looking (EC-11)."""
    before = len(server.asked("page.open"))
    answer = server.request(method, "valet/connect/methods", POSTED)
    assert answer.status in (204, 405)
    assert len(server.asked("page.open")) == before
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_opening_a_page_twice_shows_the_same_page(server: Server) -> None:
    """L2: a double load must not break the nonce of the first."""
    first, second = server.get("valet/connect/twice"), server.get("valet/connect/twice")
    assert first.body == second.body
    assert approve(server, "twice")


def test_approving_sends_the_browser_to_the_provider_with_a_bound_cookie(server: Server) -> None:
    """BP-04, BP-07, L1: the cookie comes with the approval, for the callback alone."""
    shown = server.get("valet/connect/bound")
    assert not any("binding" in name for name in shown.cookies)
    answer = server.get(f"valet/connect/bound/approve?auth={nonce('bound')}", PRESSED)
    assert answer.status == 303
    assert answer.location.startswith(PROVIDER)
    [cookie] = [m for name, m in answer.cookies.items() if "valet-binding" in name]
    assert cookie.value == binding("bound")
    assert cookie["path"] == f"{server.base}valet/callback/demo"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert int(cookie["max-age"]) <= 600
    assert not cookie["secure"]  # plain http to loopback


@pytest.mark.parametrize(
    "headers",
    [
        {**PRESSED, "Sec-Fetch-Site": "same-origin"},
        {**PRESSED, "Sec-Fetch-Site": "same-site"},
        {**PRESSED, "Sec-Fetch-Site": "none"},
        {name: value for name, value in PRESSED.items() if name != "Sec-Fetch-User"},
        {**PRESSED, "Sec-Fetch-Dest": "iframe"},
        {**PRESSED, "Sec-Purpose": "prefetch"},
    ],
)
@pytest.mark.parametrize("press", ["approve", "decline"])
def test_a_stolen_nonce_is_worth_nothing_to_a_script(
    server: Server, press: str, headers: dict[str, str]
) -> None:
    """Design, section 5.5: a press is a cross-site navigation that a person activated."""
    answer = server.get(f"valet/connect/stolen/{press}?auth={nonce('stolen')}", headers)
    assert answer.status == 403
    assert not any(p["transaction"] == "stolen" for p in server.asked(f"page.{press}"))


def test_a_wrong_nonce_approves_nothing(server: Server) -> None:
    answer = server.get("valet/connect/guess/approve?auth=guess", PRESSED)
    assert answer.status == 409
    assert "Location" not in answer.headers


def test_a_press_without_the_login_cookie_is_not_a_press(server: Server) -> None:
    """ES-30, ES-26: who is not logged in is sent to the login and must look at the page again."""
    path = f"valet/connect/anonymous/approve?auth={nonce('anonymous')}"
    answer = server.get(path, PRESSED, login=False)
    again = re.search(r'url=[^"]*auth_again=([\w-]+)', answer.body)
    assert again
    second = server.get(
        f"valet/connect/anonymous/approve?auth_again={again[1]}", LOADED, login=False
    )
    assert second.status == 302
    assert second.location.endswith("next=%2Fa%2540b%2Fvalet%2Fconnect%2Fanonymous")
    assert server.asked("page.approve") == [
        p for p in server.asked("page.approve") if p["transaction"] != "anonymous"
    ]


def test_a_press_survives_a_strict_login_cookie(server: Server) -> None:
    """SameSite=Strict: the cookie is not there at first, and is when the page loads itself again.

    The kept press is good once, and only for what was pressed.
    """
    path = "valet/connect/strict/approve"
    answer = server.get(f"{path}?auth={nonce('strict')}", PRESSED, login=False)
    assert nonce("strict") not in answer.body
    assert "sandbox" not in answer.headers["Content-Security-Policy"]
    again = re.search(r'url=[^"]*(auth_again=[\w-]+)', answer.body)
    assert again
    same_site = {k: v for k, v in LOADED.items() if k != "Sec-Fetch-User"}
    assert server.get(f"valet/connect/other/approve?{again[1]}", same_site).status == 409
    assert server.get(f"{path}?{again[1]}", same_site).status == 409  # used up by the theft

    answer = server.get(f"{path}?auth={nonce('strict')}", PRESSED, login=False)
    again = re.search(r'url=[^"]*(auth_again=[\w-]+)', answer.body)
    assert again
    assert server.get(f"{path}?{again[1]}", same_site).status == 303


def test_a_provider_url_that_is_not_http_is_never_followed(server: Server) -> None:
    """BP-19, EC-22."""
    answer = server.get(f"valet/connect/evil/approve?auth={nonce('evil')}", PRESSED)
    assert answer.status == 502
    assert "Location" not in answer.headers


def test_declining_ends_it(server: Server) -> None:
    server.get("valet/connect/no")
    answer = server.get(f"valet/connect/no/decline?auth={nonce('no')}", PRESSED)
    assert (answer.status, answer.location) == (303, f"{server.base}valet/done/no")
    assert "Declined" in server.get("valet/done/no").body
    assert "Declined" in server.get("valet/connect/no").body


def test_a_sign_in_of_another_person_is_refused_in_fixed_words(server: Server) -> None:
    """ES-30, ES-31."""
    answer = server.get("valet/connect/theirs")
    assert answer.status == 403
    assert "another person" in answer.body


def test_a_typed_secret_goes_to_the_broker_unread(server: Server) -> None:
    """The form comes without a login cookie and with an opaque origin; the body is not touched."""
    page = server.get("valet/connect/client-1")
    assert 'id="redirect" readonly' in page.body
    assert "javascript:" not in page.body  # an address that is none is not linked
    form = f"nonce={nonce('client-1')}&client_id=i%20d&client_secret=s%2Bcret&x=%C3%A4"
    answer = server.request("POST", "valet/connect/client-1/save", POSTED, body=form, login=False)
    assert (answer.status, answer.location) == (303, f"{server.base}valet/connect/client-1")
    asked = server.asked("page.save")[-1]
    assert asked == {"transaction": "client-1", "origin": server.url, "form": form}


@pytest.mark.parametrize(
    "headers",
    [
        {**POSTED, "Origin": "http://127.0.0.1:8888"},
        {k: v for k, v in POSTED.items() if k != "Origin"},
        {**POSTED, "Sec-Fetch-Site": "same-origin"},
        {k: v for k, v in POSTED.items() if k != "Sec-Fetch-User"},
        {**POSTED, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {**POSTED, "Content-Type": "text/plain"},
    ],
)
@pytest.mark.parametrize("path", ["valet/connect/client-2/save", "valet/unlock"])
def test_only_the_form_of_an_isolated_page_is_taken(
    server: Server, path: str, headers: dict[str, str]
) -> None:
    """B04: neither notebook JavaScript nor another site can post one, nonce or not."""
    before = len(server.asked("page.save") + server.asked("vault.unlock"))
    answer = server.request("POST", path, headers, body=f"nonce={nonce('client-2')}")
    assert answer.status == 403
    assert len(server.asked("page.save") + server.asked("vault.unlock")) == before


def test_a_form_that_is_too_long_is_refused(server: Server) -> None:
    answer = server.request(
        "POST", "valet/connect/client-3/save", POSTED, body="nonce=" + "x" * 200_000
    )
    assert answer.status == 400


def test_the_callback_hands_the_answer_over_unread_and_leaves_no_code_behind(
    server: Server,
) -> None:
    """Design, section 5.6."""
    cookie = approve(server, "back")
    query = "code=C0DE-back&state=STATE-back&x=%41&x=2"
    answer = server.get(f"valet/callback/demo?{query}", PRESSED, cookie=cookie)
    assert (answer.status, answer.location) == (303, f"{server.base}valet/done/back")
    assert server.asked("oauth.callback")[-1] == {
        "provider": "demo",
        "query": query,
        "binding": binding("back"),
        "principal": "owner",
        "origin": server.url,
    }
    assert [m.value for name, m in answer.cookies.items() if "valet-binding" in name] == [""]
    assert "Connected as" in server.get("valet/done/back").body


def test_two_sign_ins_in_one_browser_do_not_disturb_each_other(server: Server) -> None:
    cookies = "; ".join([approve(server, "one"), approve(server, "two")])
    for transaction in ("one", "two"):
        query = f"code=C0DE&state=STATE-{transaction}"
        server.get(f"valet/callback/demo?{query}", PRESSED, cookie=cookies)
        assert server.asked("oauth.callback")[-1]["binding"] == binding(transaction)


def test_a_callback_in_another_browser_has_no_binding(server: Server) -> None:
    """L1, ES-31: the broker decides, and learns that the browser is another."""
    approve(server, "elsewhere")
    answer = server.get("valet/callback/demo?code=C0DE&state=STATE-elsewhere", PRESSED)
    assert server.asked("oauth.callback")[-1]["binding"] == ""
    assert "Not connected" in server.get(answer.location.removeprefix(server.base)).body


def test_a_callback_after_the_login_ran_out_is_finished_after_the_login(server: Server) -> None:
    """The answer waits in memory under the binding: not in a URL, a page or a log."""
    cookie = approve(server, "late")
    first = server.get(
        "valet/callback/demo?code=C0DE-late&state=STATE-late", PRESSED, login=False, cookie=cookie
    )
    assert "C0DE" not in first.body
    again = server.get("valet/callback/demo?auth_again=1", LOADED, login=False, cookie=cookie)
    assert again.status == 302
    assert "C0DE" not in again.location
    assert again.location.endswith("next=%2Fa%2540b%2Fvalet%2Fcallback%2Fdemo")
    last = server.get("valet/callback/demo", LOADED, cookie=cookie)
    assert last.location == f"{server.base}valet/done/late"
    assert server.asked("oauth.callback")[-1]["query"] == "code=C0DE-late&state=STATE-late"


def test_a_callback_from_nobody_is_not_kept(server: Server) -> None:
    """Without a login and without a binding there is nothing to wait for."""
    before = len(server.asked("oauth.callback"))
    answer = server.get("valet/callback/demo?code=C0DE&state=STATE-x", PRESSED, login=False)
    assert answer.status == 303
    assert "C0DE" not in answer.location
    page = server.get(answer.location.removeprefix(server.base), login=False)
    assert "another browser" in page.body
    assert len(server.asked("oauth.callback")) == before


@pytest.mark.parametrize(
    "query", ["", "?error=access_denied&state=none", "?code=1&state=a&state=b"]
)
def test_a_callback_that_makes_no_sense_ends_on_a_page_with_fixed_words(
    server: Server, query: str
) -> None:
    answer = server.get(f"valet/callback/demo{query}", PRESSED)
    assert answer.status == 303
    assert server.get(answer.location.removeprefix(server.base)).status == 409


@pytest.mark.parametrize("page", ["valet/connect/login", "valet/connections", "valet/done/login"])
def test_who_is_not_logged_in_is_sent_to_the_login_and_back(server: Server, page: str) -> None:
    """The first try loads itself again, for browsers that keep a Strict cookie back."""
    first = server.get(page, login=False)
    assert first.status == 200
    assert f'url={server.base}{page}?auth_again=1"' in first.body
    second = server.get(f"{page}?auth_again=1", login=False)
    assert second.status == 302
    assert second.location.startswith(f"{server.base}login?next=")
    assert server.get(f"{page}?auth_again=1").status == 200


def test_connections_are_listed_and_ended_by_a_press(server: Server) -> None:
    page = server.get("valet/connections")
    assert "amara" in page.body
    end = f"valet/connections/end?connection=c1&revoke=true&auth={nonce('connections')}"
    assert server.get(end, LOADED).status == 403
    assert server.get(end, PRESSED).location == f"{server.base}valet/connections"
    assert server.asked("connections.end") == [
        {
            "principal": "owner",
            "connection": "c1",
            "nonce": nonce("connections"),
            "revoke": True,
        }
    ]


def test_a_page_survives_the_end_of_the_broker(server: Server) -> None:
    """The request in flight fails with a fixed text; the next one finds a new broker."""
    answer = server.get("valet/connect/crash")
    assert answer.status == 503
    assert "The broker does not answer" in answer.body
    assert server.get("valet/connect/after").status == 200


def test_a_broker_that_breaks_the_protocol_is_not_believed(server: Server) -> None:
    assert server.get("valet/connect/garbage").status == 503
    assert server.get("valet/connect/after").status == 200


def test_a_foreign_host_is_refused_before_anything_else(server: Server) -> None:
    """DNS rebinding: Jupyter's own check, with our headers and without the query in the log."""
    answer = server.get("valet/connect/rebind?auth=REB1ND", {**LOADED, "Host": "evil.example"})
    assert answer.status == 403
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_no_log_line_holds_a_nonce_a_code_or_a_state(server: Server) -> None:
    """Also where Jupyter would write the whole URL: errors, faults, unknown paths, logins."""
    cookie = approve(server, "logged")
    for path in (
        "valet/callback/demo?code=C0DE-logged&state=STATE-logged",
        "valet/callback/demo?code=C0DE-logged&state=STATE-nonsense",
        "valet/callback/demo/deeper?code=C0DE-logged&state=STATE-logged",
        "valet/callback/de%20mo?code=C0DE-logged&state=STATE-logged",
        "valet/nowhere?auth=C0DE-logged&id_hint=C0DE-logged",
    ):
        for how in ({"cookie": cookie}, {"login": False, "cookie": cookie}, {"login": False}):
            server.get(path, PRESSED, **how)
            server.get(path, {}, **how)
            server.request("POST", path, POSTED, **how)
    server.get("valet/connect/logged/approve?auth=C0DE-logged", {**PRESSED, "Host": "evil.example"})
    log = server.log
    assert "valet/callback/demo" in log  # it does log
    assert "Uncaught exception" in log  # and faults of ours, too
    for secret in ("C0DE", "STATE-", "N0NCE", "B1ND", "REB1ND", "s%2Bcret"):
        assert secret not in log, secret


def test_what_the_broker_says_on_standard_error_is_in_the_server_log(server: Server) -> None:
    assert "it has started" in server.log
