"""Attacks of notebook JavaScript on the isolated pages, in a real Chromium; then the honest uses.

The attacker's script runs on the Jupyter origin with the person's cookies: as code in an output
does. The broker is a fake, whose nonces are canaries: an attack has won when the script holds one,
or when the broker has been asked to approve, save or end anything.
"""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fake_broker import binding, nonce
from jupyter_process import TOKEN, Server, jupyter_server
from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as BrowserError

CANARY = "N0NCE"
DECIDES = (
    "page.approve",
    "page.accept",
    "page.grant",
    "page.allow",
    "page.save",
    "page.decline",
    "connections.end",
    "grants.end",
    "grants.change",
    "client_keys.make",
    "client_keys.end",
    "vault.unlock",
)


class _Provider(http.server.BaseHTTPRequestHandler):
    """Sends the browser back with a code; `localhost`, so it is another site than 127.0.0.1."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        fields = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
        back = http.server.urllib.parse.unquote(fields.get("redirect_uri", ""))  # type: ignore[attr-defined]
        if path != "/authorize" or not back:
            self.send_error(404)
            return
        self.send_response(302)
        self.send_header("Location", f"{back}?code=C0DE&state={fields['state']}")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """A provider on another site."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/authorize"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, provider: str) -> Iterator[Server]:
    with jupyter_server(tmp_path_factory.mktemp("isolated"), provider=provider) as running:
        (running.home / "work" / "sw.js").write_text(SERVICE_WORKER)
        yield running


@dataclass
class Notebook:
    """A page of the Jupyter origin on which the attacker's script runs, the person logged in."""

    page: Page
    context: BrowserContext
    server: Server
    decided: dict[str, int] = field(default_factory=dict)

    def run(self, script: str) -> str:
        """Run the body of an async function; return what it gives, or what stopped it."""
        try:
            return str(self.page.evaluate(f"async () => {{ {script} }}"))
        except BrowserError as error:
            return f"error: {error}"

    def popup(self, script: str) -> Page:
        """Run a script that opens a window; return the window once it has loaded."""
        with self.context.expect_page() as opened:
            self.page.evaluate(f"() => {{ {script} }}")
        opened.value.wait_for_load_state()
        return opened.value

    def path(self, path: str) -> str:
        return self.server.base + path

    def nothing_was_decided(self) -> bool:
        return self.decided == {method: len(self.server.asked(method)) for method in DECIDES}


@pytest.fixture
def notebook(browser: Browser, server: Server) -> Iterator[Notebook]:
    with browser.new_context(accept_downloads=True) as context:
        page = context.new_page()
        # Any page of the origin does; this one has no policy of its own against scripts.
        page.goto(f"{server.url}login?token={TOKEN}&next={server.base}api/status")
        page.goto(f"{server.url}login")
        before = {method: len(server.asked(method)) for method in DECIDES}
        yield Notebook(page, context, server, before)


SERVICE_WORKER = """
const look = async answer => {
    const text = await answer.clone().text();
    const found = text.match(/N0NCE[0-9a-f]+/);
    if (found) await fetch('leak-' + found[0]);
    return answer;
};
self.addEventListener('fetch', event => event.respondWith(fetch(event.request).then(look)));
"""

READS: dict[str, str] = {
    "fetch": "return await (await fetch(PAGE)).text()",
    "fetch that says it navigates": ("return await (await fetch(PAGE, {mode: 'navigate'})).text()"),
    "fetch with forged headers": """
        const headers = {'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document'};
        return await (await fetch(PAGE, {headers})).text()""",
    "XMLHttpRequest": """
        const request = new XMLHttpRequest();
        request.open('GET', PAGE, false);
        request.send();
        return request.responseText""",
    "iframe": """
        const frame = document.createElement('iframe');
        frame.src = PAGE;
        document.body.append(frame);
        await new Promise(done => setTimeout(done, 800));
        return frame.contentDocument?.documentElement.outerHTML""",
    "iframe that is sandboxed itself": """
        const frame = document.createElement('iframe');
        frame.sandbox = 'allow-same-origin allow-scripts';
        frame.src = PAGE;
        document.body.append(frame);
        await new Promise(done => setTimeout(done, 800));
        return frame.contentDocument?.documentElement.outerHTML""",
    "object": """
        const object = document.createElement('object');
        object.data = PAGE;
        document.body.append(object);
        await new Promise(done => setTimeout(done, 800));
        return object.contentDocument?.documentElement.outerHTML""",
    "embed": """
        const embed = document.createElement('embed');
        embed.src = PAGE;
        document.body.append(embed);
        await new Promise(done => setTimeout(done, 800));
        return embed.getSVGDocument?.()?.documentElement.outerHTML""",
    "link prefetch": """
        const link = document.createElement('link');
        link.rel = 'prefetch';
        link.href = PAGE;
        document.head.append(link);
        await new Promise(done => setTimeout(done, 800));
        return await (await fetch(PAGE, {cache: 'force-cache'})).text()""",
    "speculation rules": """
        const rules = document.createElement('script');
        rules.type = 'speculationrules';
        rules.textContent = JSON.stringify({
            prerender: [{urls: [PAGE]}], prefetch: [{urls: [PAGE + '-prefetched']}]});
        document.head.append(rules);
        await new Promise(done => setTimeout(done, 1500));
        return await (await fetch(PAGE, {cache: 'only-if-cached', mode: 'same-origin'})).text()""",
    "service worker for all pages": """
        const worker = await navigator.serviceWorker.register(BASE + 'files/sw.js', {scope: BASE});
        return 'registered ' + worker.scope""",
}


@pytest.mark.redteam
@pytest.mark.parametrize("attack", READS)
def test_a_script_cannot_read_the_page(notebook: Notebook, attack: str) -> None:
    transaction = "read-" + attack.replace(" ", "-")
    before = len(notebook.server.asked("page.open"))
    setting = f"const BASE = '{notebook.server.base}';"
    setting += f"const PAGE = BASE + 'valet/connect/{transaction}';"
    got = notebook.run(setting + READS[attack])
    assert CANARY not in got
    assert not got.startswith("registered")
    assert len(notebook.server.asked("page.open")) == before, "the page was made for a script"
    assert notebook.nothing_was_decided()


def test_a_service_worker_in_its_own_folder_sees_no_page(notebook: Notebook) -> None:
    """B12: `/files/` is the only place where a notebook can plant one."""
    base = notebook.server.base
    notebook.run(f"await navigator.serviceWorker.register('{base}files/sw.js')")
    popup = notebook.popup(f"window.open('{base}valet/connect/worker')")
    assert popup.locator("#approve").count() == 1
    assert "leak-" not in notebook.server.log


@pytest.mark.redteam
def test_a_script_cannot_read_a_window_that_it_opened(notebook: Notebook) -> None:
    """The opaque origin, and the opener that is cut off."""
    popup = notebook.popup(f"window.w = window.open('{notebook.path('valet/connect/popup')}')")
    assert popup.locator("#approve").count() == 1
    got = notebook.run(
        "try { return String(window.w.document?.documentElement.outerHTML) }"
        "catch (error) { return error.name + ', closed: ' + window.w.closed }"
    )
    assert CANARY not in got
    assert got in ("undefined", "SecurityError, closed: true")


@pytest.mark.redteam
def test_a_script_cannot_run_in_a_window_that_it_opened(notebook: Notebook) -> None:
    notebook.popup(f"window.w = window.open('{notebook.path('valet/connect/url')}')")
    got = notebook.run(
        "try { window.w.location = 'javascript:opener.stolen = document.body.innerHTML' }"
        "catch (error) { return error.name }"
        "await new Promise(done => setTimeout(done, 500)); return String(window.stolen)"
    )
    assert CANARY not in got


@pytest.mark.redteam
def test_a_script_cannot_read_a_window_of_its_own_that_it_sends_there(notebook: Notebook) -> None:
    """The window was same-origin, and the script kept what it could of it."""
    base = notebook.server.base
    popup = notebook.popup(f"window.w = window.open('{base}login', 'w')")
    got = notebook.run(
        "const kept = window.w.document, inner = window.w.eval('() => document.body.innerHTML');"
        f"window.w.location = '{base}valet/connect/sent';"
        "await new Promise(done => setTimeout(done, 1200));"
        "let said = kept.documentElement?.outerHTML ?? '';"
        "for (const look of [() => window.w.document.body.innerHTML, inner])"
        "  try { said += look() } catch (error) { said += error.name }"
        "return said"
    )
    popup.wait_for_url("**/valet/connect/sent")
    assert CANARY not in got


@pytest.mark.redteam
def test_a_download_link_saves_a_refusal(notebook: Notebook) -> None:
    with contextlib.suppress(BrowserError), notebook.page.expect_download(timeout=3000) as saved:
        notebook.page.evaluate(
            f"""() => {{
                const link = document.createElement('a');
                link.href = '{notebook.path("valet/connect/download")}';
                link.download = 'page.html';
                document.body.append(link);
                link.click();
            }}"""
        )
    with contextlib.suppress(BrowserError):
        assert CANARY not in Path(saved.value.path()).read_text()
    asked = notebook.server.asked("page.open")
    assert not any(params["transaction"] == "download" for params in asked)


@pytest.mark.redteam
@pytest.mark.parametrize(
    "press",
    [
        "connect/known/approve?",
        "connect/known/decline?",
        "connect/known/accept?understood=yes&",
        "connect/known/grant?connection=c1&access=read_write&until=always&",
        "connect/known/allow?choice=notebook&",
        "connections/grant?grant=g1&access=read_write&until=always&",
        "connections/grant/end?grant=g1&",
    ],
)
def test_a_script_that_knows_the_nonce_cannot_press(notebook: Notebook, press: str) -> None:
    """A navigation of the Jupyter origin says `same-origin`, also when a person clicked there."""
    url = f"valet/{press}auth={nonce('known' if 'known' in press else 'connections')}"
    popup = notebook.popup(f"window.open('{notebook.path(url)}')")
    assert "press the button" in popup.inner_text("body")
    notebook.page.evaluate(
        f"""() => {{
            document.body.innerHTML = '<a id=lure target=_blank>Free coffee</a>';
            document.getElementById('lure').href = '{notebook.path(url)}';
        }}"""
    )
    with notebook.context.expect_page() as opened:
        notebook.page.click("#lure")
    opened.value.wait_for_load_state()
    assert "press the button" in opened.value.inner_text("body")
    assert notebook.nothing_was_decided()


@pytest.mark.redteam
@pytest.mark.parametrize("press", ["approve", "grant", "allow"])
def test_a_form_of_the_notebook_cannot_press(notebook: Notebook, press: str) -> None:
    notebook.popup(
        f"""const form = document.createElement('form');
        form.action = '{notebook.path(f"valet/connect/form/{press}")}';
        form.target = '_blank';
        form.innerHTML = '<input name=auth value={nonce("form")}>';
        document.body.append(form);
        form.submit()"""
    )
    assert notebook.nothing_was_decided()


@pytest.mark.redteam
@pytest.mark.parametrize("place", ["valet/connect/post/save", "valet/unlock"])
def test_a_script_cannot_post_a_form(notebook: Notebook, place: str) -> None:
    """B04, B05: neither by fetch nor by a form of the notebook's own."""
    target = notebook.path(place)
    got = notebook.run(
        f"""const body = new URLSearchParams({{nonce: '{nonce("post")}', client_id: 'mine'}});
        return (await fetch('{target}', {{method: 'POST', body}})).status"""
    )
    assert got == "403"
    notebook.popup(
        f"""const form = document.createElement('form');
        form.method = 'post'; form.action = '{target}'; form.target = '_blank';
        form.innerHTML = '<input name=nonce value={nonce("post")}><input name=client_id>';
        document.body.append(form);
        form.submit()"""
    )
    assert notebook.nothing_was_decided()


@pytest.mark.redteam
def test_a_script_cannot_post_the_callback(notebook: Notebook) -> None:
    """Login CSRF: a fetch would carry the cookies; only a page load is taken."""
    notebook.run(f"await fetch('{notebook.path('valet/callback/demo?code=x&state=STATE-x')}')")
    assert not notebook.server.asked("oauth.callback")


@pytest.mark.redteam
def test_a_press_meant_for_what_was_there_before_does_not_count(notebook: Notebook) -> None:
    """Double-click hijacking: in the first moment the button takes neither mouse nor keyboard."""
    page = open_from_card(notebook, "valet/connect/early")
    button = page.locator("#approve")
    button.wait_for(state="visible")
    place = button.bounding_box()
    assert place is not None
    page.reload(wait_until="commit")
    button.wait_for(state="attached")
    assert not button.is_visible()
    page.mouse.dblclick(place["x"] + 20, place["y"] + 10)
    button.focus()
    page.keyboard.press("Enter")
    button.wait_for(state="visible")
    assert not any(p["transaction"] == "early" for p in notebook.server.asked("page.approve"))
    assert "/valet/connect/early" in page.url


def open_from_card(notebook: Notebook, path: str) -> Page:
    """Open a page as the card's link does."""
    return notebook.popup(f"window.open('{notebook.path(path)}', '_blank', 'noopener')")


def test_a_person_approves_and_comes_back_connected(notebook: Notebook) -> None:
    """Design, sections 5.5 and 5.6, with a provider on another site."""
    page = open_from_card(notebook, "valet/connect/honest")
    page.click("#approve")
    page.wait_for_url("**/valet/done/honest")
    assert "Connected as amara" in page.inner_text("h1")
    assert "C0DE" not in page.url
    callback = notebook.server.asked("oauth.callback")[-1]
    assert callback["binding"] == binding("honest")
    assert callback["query"] == "code=C0DE&state=STATE-honest"
    cookies = [cookie["name"] for cookie in notebook.context.cookies()]
    assert not any("binding" in name for name in cookies)


def test_a_person_declines(notebook: Notebook) -> None:
    page = open_from_card(notebook, "valet/connect/declined")
    page.click("#decline")
    page.wait_for_url("**/valet/done/declined")
    assert "Declined" in page.inner_text("h1")


def test_a_person_grants_what_they_choose(notebook: Notebook) -> None:
    """A form that is a navigation: no script, no cookie that is missing, the nonce in the query."""
    page = open_from_card(notebook, "valet/connect/grant-1-low")
    page.get_by_label("Read and write").check()
    page.get_by_label("for 30 days").check()
    page.fill("#per_hour", "60")
    page.click("#grant")
    page.wait_for_timeout(200)
    assert "/grant-1-low/grant" not in page.url  # the box is not ticked: the browser says so
    page.check("#understood")
    page.click("#grant")
    page.wait_for_url("**/valet/done/grant-1-low")
    asked = notebook.server.asked("page.grant")[-1]
    assert asked["nonce"] == nonce("grant-1-low")
    assert asked["choices"] == {
        "connection": "c1",
        "access": "read_write",
        "until": "month",
        "per_hour": "60",
        "understood": "yes",
    }


def test_a_person_approves_a_write_that_they_can_read(notebook: Notebook) -> None:
    """What the request says is text, and cannot be anything else."""
    page = open_from_card(notebook, "valet/connect/approval-1")
    body = page.locator("#body")
    assert body.inner_text().startswith('{\n  "title": "</pre><script>')
    assert "\u202e" not in body.inner_text()
    assert page.locator("script").count() == 0
    page.click("#allow")
    page.wait_for_url("**/valet/done/approval-1")
    assert notebook.server.asked("page.allow")[-1]["choices"] == {"choice": "once"}


def test_a_person_accepts_a_level_before_the_question(notebook: Notebook) -> None:
    page = open_from_card(notebook, "valet/connect/level-1-low")
    page.check("#understood")
    page.click("#accept")
    page.wait_for_url("**/valet/connect/level-1-low")
    assert notebook.server.asked("page.accept")[-1]["choices"] == {"understood": "yes"}


def test_a_person_narrows_a_grant_and_takes_it_back(notebook: Notebook) -> None:
    page = open_from_card(notebook, "valet/connections")
    page.get_by_text("Change", exact=True).first.click()
    page.get_by_label("Only these paths").fill("/api/me /api/projects/*")
    page.get_by_role("button", name="Change the grant of a.ipynb").click()
    page.wait_for_url("**/valet/connections")
    changed = notebook.server.asked("grants.change")[-1]
    assert changed["grant"] == "g1"
    assert changed["choices"] == {
        "access": "read",
        "until": "kept",
        "per_hour": "5",
        "hosts": "",
        "methods": "",
        "paths": "/api/me /api/projects/*",
        "scopes": "",
        "write0": "demo_create_issue",
    }
    page.get_by_role("button", name="Take the grant of a.ipynb back").click()
    page.wait_for_url("**/valet/connections")
    assert notebook.server.asked("grants.end")[-1]["grant"] == "g1"


@pytest.mark.redteam
@pytest.mark.parametrize(("step", "button"), [("grant", "#grant"), ("approval", "#allow")])
def test_leave_is_not_given_in_the_first_moment(notebook: Notebook, step: str, button: str) -> None:
    """Double-click hijacking, where a yes would widen what a notebook may do."""
    page = open_from_card(notebook, f"valet/connect/{step}-early")
    page.locator(button).wait_for(state="visible")
    place = page.locator(button).bounding_box()
    assert place is not None
    page.reload(wait_until="commit")
    page.locator(button).wait_for(state="attached")
    page.mouse.dblclick(place["x"] + 20, place["y"] + 10)
    page.keyboard.press("Enter")
    page.locator(button).wait_for(state="visible")
    asked = notebook.server.asked("page.grant") + notebook.server.asked("page.allow")
    assert not any(params["transaction"] == f"{step}-early" for params in asked)


def test_a_person_approves_with_the_keyboard(notebook: Notebook) -> None:
    page = open_from_card(notebook, "valet/connect/keyboard")
    page.locator("#approve").wait_for(state="visible")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "approve"
    page.keyboard.press("Enter")
    page.wait_for_url("**/valet/done/keyboard")


@pytest.mark.parametrize("step", ["client", "api_key"])
def test_a_person_types_a_secret(notebook: Notebook, step: str) -> None:
    """The post comes from an opaque origin; the broker gets the body as it was sent."""
    transaction = f"{step}-typed"
    page = open_from_card(notebook, f"valet/connect/{transaction}")
    if step == "client":
        page.fill("#client_id", "an id")
    page.fill("#client_secret" if step == "client" else "#api_key", "s&cret")
    page.click("#save")
    page.wait_for_url(f"**/valet/connect/{transaction}")
    saved = notebook.server.asked("page.save")[-1]
    assert saved["transaction"] == transaction
    assert f"nonce={nonce(transaction)}" in saved["form"]
    assert "s%26cret" in saved["form"]


def test_the_redirect_uri_can_be_copied_with_the_keyboard(notebook: Notebook) -> None:
    """No script on the page: Tab marks the whole field, as browsers do."""
    page = open_from_card(notebook, "valet/connect/client-copy")
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "redirect":
            break
    field_ = page.locator("#redirect")
    length = len(field_.input_value())
    assert field_.input_value() == f"{notebook.server.url}valet/callback/demo"
    assert page.evaluate(
        "[document.activeElement.selectionStart, document.activeElement.selectionEnd]"
    ) == [0, length]


def test_a_person_goes_back_and_forth(notebook: Notebook) -> None:
    """L2: back, reload and a second tab show the same nonce; the button still works."""
    page = open_from_card(notebook, "valet/connect/again")
    open_from_card(notebook, "valet/connect/again")
    page.reload()
    page.goto(f"{notebook.server.url}valet/connections")
    page.go_back()
    page.click("#approve")
    page.wait_for_url("**/valet/done/again")


def test_a_person_disconnects(notebook: Notebook) -> None:
    page = open_from_card(notebook, "valet/connections")
    page.get_by_role("button", name="Disconnect and revoke at Demo").click()
    page.get_by_text("Nothing is connected yet").wait_for()
    assert notebook.server.asked("connections.end")[-1]["revoke"] is True


@pytest.fixture
def strict_server(tmp_path: Path, provider: str) -> Iterator[Server]:
    config = "c.IdentityProvider.cookie_options = {'SameSite': 'Strict'}\n"
    with jupyter_server(tmp_path, provider=provider, config=config) as running:
        yield running


def test_a_strict_login_cookie_does_not_strand_the_person(
    browser: Browser, strict_server: Server
) -> None:
    """SameSite=Strict keeps the login from the press and from the callback; both come again."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{strict_server.url}login?token={TOKEN}")
        [login] = [c for c in context.cookies() if c["name"].startswith("username-")]
        assert login["sameSite"] == "Strict"
        page.goto(f"{strict_server.url}valet/connect/strict")
        page.click("#approve")
        page.wait_for_url("**/valet/done/strict")
        assert "Connected as amara" in page.inner_text("h1")
        page.goto(f"{strict_server.url}valet/connect/client-strict")
        page.fill("#client_id", "an id")
        page.click("#save")
        page.wait_for_url("**/valet/connect/client-strict*")
        assert "C0DE" not in strict_server.log


def test_no_page_breaks_its_own_policy(notebook: Notebook) -> None:
    """A style or a form that the policy blocks would be told on the console."""
    said: list[str] = []
    listen: Callable[[Any], None] = lambda message: said.append(message.text)  # noqa: E731
    page = notebook.context.new_page()
    page.on("console", listen)
    for path in ("connect/look", "connect/client-look", "connect/api_key-look", "connections"):
        page.goto(f"{notebook.server.url}valet/{path}")
        style = page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth")
        assert style == "640px"
    assert said == []
