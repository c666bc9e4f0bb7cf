"""The consent and unlock pages, which scripts must neither read nor press."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_process import LOADED
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page

from browser import Tab

_ASK = """
import json, os, urllib.request
def _ask(method, path, body=None):
    request = urllib.request.Request(os.environ["JUPYTER_VALET_URL"] + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": "Bearer " + os.environ["JUPYTER_VALET_CAPABILITY"],
         "Content-Type": "application/json"}, method=method)
    return urllib.request.urlopen(request, timeout=60).read().decode()
"""


def sign_in(tab: Tab) -> str:
    """Have the kernel ask for a further account; return the transaction's id."""
    wanted = {"provider": "canary", "scopes": [], "new_account": True}
    printed = tab.world.attacker.run(_ASK + f"print(_ask('POST', '/connect', {wanted!r}))")
    return str(json.loads(printed)["transaction"]["id"])


def decided(tab: Tab, transaction: str, said: str) -> str:
    """Say whether the sign-in went on, by the broker's own word; then end it."""
    path = f"/transactions/{transaction}"
    printed = tab.world.attacker.run(_ASK + f"print(_ask('GET', {path!r}))")
    state = json.loads(printed)["state"]
    with contextlib.suppress(Exception):
        tab.world.attacker.run(_ASK + f"_ask('DELETE', {path + '?action=cancel'!r})")
    moved = state in ("at_provider", "done")
    return f"CONTROL the sign-in went on: {state}" if moved else f"still {state}; {said[:80]}"


_READ = """
let text = await (await fetch(BASE + PAGE)).text();
if (!text.includes('auth=')) {
    const frame = document.createElement('iframe'); frame.src = BASE + PAGE;
    document.body.append(frame); await sleep(1500);
    try { text += frame.contentDocument.documentElement.outerHTML } catch (error) {}
    const popup = window.open(BASE + PAGE); await sleep(1500);
    try { text += popup.document.documentElement.outerHTML } catch (error) {}
    try { popup.close() } catch (error) {}
}
const nonce = (text.match(/approve\\?auth=([\\w-]+)/) || [])[1];
if (!nonce) return 'no nonce';
await fetch(BASE + PAGE + '/approve?auth=' + nonce, {redirect: 'manual'});
const again = window.open(BASE + PAGE + '/approve?auth=' + nonce); await sleep(1000);
return 'tried with the nonce';
"""


def approve(tab: Tab, mark: Path) -> str:
    """R76: by fetch, frame or popup."""
    transaction = sign_in(tab)
    said = tab.script(f"const PAGE = 'valet/connect/{transaction}';" + _READ, 40)
    return decided(tab, transaction, said)


def keylogger(tab: Tab, mark: Path) -> str:
    """R77: keys that are typed into a window of the unlock page."""
    with tab.context.expect_page() as opened:
        tab.script("window.w = window.open(BASE + 'valet/unlock'); await sleep(1500); return 1")
    popup = opened.value
    popup.wait_for_load_state()
    said = tab.script(
        "window.keys = ''; try {"
        "  window.w.document.addEventListener('keydown', e => window.keys += e.key, true);"
        "  return 'hooked' } catch (error) { return error.name }"
    )
    popup.keyboard.type(tab.world.planted["typed"])
    keys = tab.notebook.page.evaluate("window.keys")
    popup.close()
    return f"{said} {keys}"


def framed_unlock(tab: Tab, mark: Path) -> str:
    """R78."""
    said = tab.script(
        "const frame = document.createElement('iframe'); frame.src = BASE + 'valet/unlock';"
        "document.body.append(frame); await sleep(1500);"
        "const text = frame.contentDocument?.body?.innerText || ''; frame.remove();"
        "return text"
    )
    return f"CONTROL the frame is open to us: {said}" if "vault" in said else said


class _Evil(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>another port</title><p>hello")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _other_port(tab: Tab) -> Iterator[Page]:
    """Open a page at another port of the same host: same site, another origin."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Evil)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = tab.context.new_page()
    try:
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        yield page
    finally:
        page.close()
        server.shutdown()
        server.server_close()


def cross_port_forgery(tab: Tab, mark: Path) -> str:
    """R85: a page at another port that even knows the nonce sends the browser to the press."""
    transaction = sign_in(tab)
    path = f"valet/connect/{transaction}"
    shown = tab.world.server.get(path, LOADED).body
    found = re.search(r"approve\?auth=([\w-]+)", shown)
    url = f"{tab.world.server.url}{path}/approve?auth={found[1] if found else ''}"
    with _other_port(tab) as page:
        with contextlib.suppress(BrowserError):
            page.evaluate("url => fetch(url, {mode: 'no-cors', credentials: 'include'})", url)
        with contextlib.suppress(BrowserError):
            page.evaluate("url => { location = url }", url)
            page.wait_for_load_state()
        return decided(tab, transaction, page.title())


def clickjacking(tab: Tab, mark: Path) -> str:
    """R86: from another port, and from an output."""
    transaction = sign_in(tab)
    url = f"{tab.world.server.url}valet/connect/{transaction}"
    add = (
        "url => { const f = document.createElement('iframe'); f.src = url;"
        " document.body.append(f) }"
    )
    with _other_port(tab) as evil:
        found = 0
        for page in (evil, tab.notebook.page):
            page.evaluate(add, url)
            time.sleep(2)
            found += any(_has_button(frame) for frame in page.frames[1:])
    decided(tab, transaction, "")
    return f"CONTROL the button is framed in {found} pages" if found else "nothing is framed"


def _has_button(frame: Any) -> bool:
    with contextlib.suppress(BrowserError):
        frame.locator("#approve").wait_for(state="attached", timeout=2000)
        return True
    return False


def cross_port_read(tab: Tab, mark: Path) -> str:
    """R87."""
    transaction = sign_in(tab)
    url = f"{tab.world.server.url}valet/connect/{transaction}"
    read = """async url => {
        let said = '';
        try { said += await (await fetch(url, {credentials: 'include'})).text() }
        catch (error) { said += error }
        const popup = window.open(url); await new Promise(done => setTimeout(done, 1500));
        try { said += popup.document.body.innerText } catch (error) { said += error.name }
        return said }"""
    with _other_port(tab) as page:
        said = str(page.evaluate(read, url))
    decided(tab, transaction, "")
    return "CONTROL the page was read" if "approve?auth=" in said else said
