"""A program signs in with Jupyter, in a real Chromium: hostile notebooks first, then a person.

The attacker's script runs on the Jupyter origin with the person's cookies, and knows the program's
whole request; it may have registered the program. It has won when the program got an answer that
nobody pressed for, or the script holds the nonce of the page.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dance
import pytest
from jupyter_process import TOKEN, Server, jupyter_server
from leaks import must_not_leak
from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as BrowserError

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@dataclass
class Program:
    """Listens at a loopback redirect, as editors do."""

    redirect: str
    client_id: str = ""
    came: list[str] = field(default_factory=list)
    """What the browser asked it for."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("signs-in")
    with jupyter_server(home, fake=False) as running:
        yield running
    must_not_leak(home, home / "state")


@pytest.fixture(scope="module")
def listening(server: Server) -> Iterator[Program]:
    came: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/callback"):
                came.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>You may close this window</h1>")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    at = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=at.serve_forever, daemon=True).start()
    program = Program(f"http://127.0.0.1:{at.server_port}/callback", came=came)
    program.client_id = dance.registered(server, "http://127.0.0.1/callback")
    yield program
    at.shutdown()
    at.server_close()


@pytest.fixture
def program(listening: Program) -> Program:
    listening.came.clear()
    return listening


@pytest.fixture
def person(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """A browser whose person is logged in."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{server.url}login?token={TOKEN}&next={server.base}api/status")
        page.close()
        yield context


@pytest.fixture
def notebook(person: BrowserContext, server: Server) -> Page:
    """A page of the Jupyter origin on which the attacker's script runs."""
    page = person.new_page()
    page.goto(f"{server.url}login")
    return page


def path(server: Server, program: Program, **changes: str | None) -> str:
    changes = {"redirect_uri": program.redirect, **changes}
    return server.base + dance.request(server, program.client_id, **changes)


def run(page: Page, script: str) -> str:
    """Run the body of an async function; return what it gives, or what stopped it."""
    try:
        return str(page.evaluate(f"async () => {{ {script} }}"))
    except BrowserError as error:
        return f"error: {error}"


def opened(person: BrowserContext, server: Server, program: Program, **changes: str) -> Page:
    """Open the page as a program does that starts a browser."""
    page = person.new_page()
    page.goto(f"http://127.0.0.1:{server.port}{path(server, program, **changes)}")
    return page


FRAME = """
    const frame = document.createElement('iframe');
    frame.src = PAGE;
    document.body.append(frame);
    await new Promise(done => setTimeout(done, 800));
    return frame.contentDocument?.documentElement.outerHTML"""

READS = {
    "fetch": "return await (await fetch(PAGE)).text()",
    "XMLHttpRequest": """
        const request = new XMLHttpRequest();
        request.open('GET', PAGE, false);
        request.send();
        return request.responseText""",
    "iframe": FRAME,
    "prefetch": """
        const link = document.createElement('link');
        link.rel = 'prefetch';
        link.href = PAGE;
        document.head.append(link);
        await new Promise(done => setTimeout(done, 800));
        return await (await fetch(PAGE, {cache: 'force-cache'})).text()""",
    "prerender": """
        const rules = document.createElement('script');
        rules.type = 'speculationrules';
        rules.textContent = JSON.stringify({prerender: [{urls: [PAGE]}]});
        document.head.append(rules);
        await new Promise(done => setTimeout(done, 1500));
        return await (await fetch(PAGE, {cache: 'only-if-cached', mode: 'same-origin'})).text()""",
    "popup": """
        const popup = window.open(PAGE);
        await new Promise(done => setTimeout(done, 1200));
        try { return String(popup.document?.documentElement.outerHTML) }
        catch (error) { return error.name }""",
}


@pytest.mark.redteam
@pytest.mark.parametrize("attack", READS)
def test_a_script_cannot_read_the_page_of_a_programs_sign_in(
    notebook: Page, server: Server, program: Program, attack: str
) -> None:
    """BP-03: neither the nonce, nor a code."""
    got = run(notebook, f"const PAGE = {json.dumps(path(server, program))};" + READS[attack])
    assert 'name="auth"' not in got
    assert "jvc_" not in got
    assert not program.came


PRESSES = {
    "fetch": "return (await fetch(PAGE)).url",
    "fetch that follows nothing": "return (await fetch(PAGE, {redirect: 'manual'})).type",
    "iframe": FRAME,
    "window": "window.open(PAGE); await new Promise(done => setTimeout(done, 800))",
    "own window": "location = PAGE; await new Promise(done => setTimeout(done, 800))",
    "form": """
        const url = new URL(PAGE, location), form = document.createElement('form');
        form.action = url.pathname;
        form.target = '_blank';
        for (const [name, value] of url.searchParams) {
            const field = document.createElement('input');
            [field.name, field.value] = [name, value];
            form.append(field);
        }
        document.body.append(form);
        form.submit();
        await new Promise(done => setTimeout(done, 800))""",
}


@pytest.mark.redteam
@pytest.mark.parametrize("attack", PRESSES)
def test_a_script_that_knows_the_nonce_lets_no_program_in(
    person: BrowserContext, notebook: Page, server: Server, program: Program, attack: str
) -> None:
    """BP-01, BP-03: its navigations say `same-origin`; and the person's own press still counts."""
    page = opened(person, server, program)
    nonce = page.get_attribute('input[name="auth"]', "value")
    press = f"{server.base}valet/oauth/authorize/approve?auth={nonce}&scope0=tools:read"
    run(notebook, f"const PAGE = {json.dumps(press)};" + PRESSES[attack])
    assert not program.came
    page.click("#approve")
    page.wait_for_url(f"{program.redirect}?code=**")


@pytest.mark.redteam
def test_a_lure_of_the_notebook_is_no_press(
    person: BrowserContext, notebook: Page, server: Server, program: Program
) -> None:
    """A person's click, but on the notebook's own link."""
    nonce = opened(person, server, program).get_attribute('input[name="auth"]', "value")
    press = f"{server.base}valet/oauth/authorize/approve?auth={nonce}&scope0=tools:read"
    run(notebook, f"document.body.innerHTML = '<a id=lure href=\"{press}\">Free coffee</a>'")
    notebook.click("#lure")
    assert "press the button" in notebook.inner_text("body")
    assert not program.came


def test_a_person_lets_a_program_in_which_listens_at_a_loopback_port(
    person: BrowserContext, server: Server, program: Program, tmp_path: Path
) -> None:
    """AS-05: past the sandbox and `form-action`, to a port that was not known at registration."""
    page = opened(person, server, program)
    assert program.redirect in page.inner_text("#redirect")
    assert page.locator("script").count() == 0
    page.screenshot(path=tmp_path / "sign-in.png")
    page.get_by_label("for 7 days").check()
    page.click("#approve")
    page.wait_for_url(f"{program.redirect}?code=**")
    [came] = program.came
    told = dance.answered(came)
    assert (told["state"], told["iss"]) == ("the-state", f"{server.url}valet/oauth")
    answer = dance.redeem(server, program.client_id, told["code"], redirect_uri=program.redirect)
    assert answer.status == 200, answer.body


def test_a_person_gives_less_than_was_asked_for(
    person: BrowserContext, server: Server, program: Program
) -> None:
    """BP-23."""
    page = opened(person, server, program, scope="tools:write")
    page.uncheck('input[value="tools:write"]')
    page.click("#narrower")
    page.check('input[value="tools:read:github"]')
    page.click("#approve")
    page.wait_for_url(f"{program.redirect}?code=**")
    code = dance.answered(program.came[-1])["code"]
    told = dance.redeem(server, program.client_id, code, redirect_uri=program.redirect)
    assert json.loads(told.body)["scope"] == "tools:read:github"


def test_a_person_says_no(person: BrowserContext, server: Server, program: Program) -> None:
    """AS-05."""
    opened(person, server, program).click("#decline")
    person.pages[-1].wait_for_url(f"{program.redirect}?error=access_denied**")
    assert dance.answered(program.came[-1])["iss"] == f"{server.url}valet/oauth"


def test_an_unfit_request_goes_back_when_the_person_says_so(
    person: BrowserContext, server: Server, program: Program
) -> None:
    """AS-02."""
    page = opened(person, server, program, code_challenge_method="plain")
    assert "cannot go on" in page.inner_text("h1")
    assert not program.came
    page.click("#back")
    page.wait_for_url(f"{program.redirect}?error=invalid_request**")


def test_a_program_with_a_scheme_of_its_own_gets_its_answer(
    person: BrowserContext, server: Server
) -> None:
    """RFC 8252 §7.1: the browser hands it to the system, and no policy of ours stops it."""
    uri = "cursor://anysphere.cursor-mcp/oauth/callback"
    program = Program(uri, dance.registered(server, uri))
    page = opened(person, server, program)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    with page.expect_request_finished(lambda request: "authorize/approve" in request.url) as asked:
        page.click("#approve")
    answer = asked.value.response()
    assert answer is not None
    assert (answer.headers["location"] or "").startswith(f"{uri}?code=jvc_")
    page.wait_for_timeout(300)
    assert not [text for text in said if "Content Security Policy" in text], said
