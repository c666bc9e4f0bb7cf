"""What the server offers to the scripts of its own page."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from browser_rows import LISTEN

from browser import Tab


def wait(mark: Path, seconds: float = 12) -> str:
    """Wait for what a payload leaves; return nothing."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not mark.exists():
        time.sleep(0.1)
    return ""


def payload(tab: Tab, mark: Path) -> str:
    """Have the kernel write the payload into the project; return the command that runs it."""
    target = tab.world.target(mark)
    path = tab.world.root / "payload.py"
    tab.notebook.run_code(f"open({str(path)!r}, 'w').write({target['payload']!r})")
    return str(target["command"])


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
    command = payload(tab, mark)
    said = tab.script(
        "const made = await post('api/terminals', {});"
        "if (!made.ok) return 'api/terminals: ' + made.status;"
        "const shell = new WebSocket('ws://' + location.host + BASE +"
        "  'terminals/websocket/' + (await made.json()).name);"
        "await new Promise(done => shell.onopen = done); await sleep(500);"
        f"shell.send(JSON.stringify(['stdin', {json.dumps(command)} + '\\r']));"
        "await sleep(2000); return 'sent'"
    )
    return said + wait(mark, 12 if "sent" in said else 1)


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
    return said + wait(mark, 3)


def template(tab: Tab, mark: Path) -> str:
    """R90."""
    command = payload(tab, mark)
    text = '{{ cycler.__init__.__globals__.os.popen("' + command + '").read() }}'
    folder = tab.world.root / "lab"
    tab.notebook.run_code(
        f"import os; os.makedirs({str(folder)!r}, exist_ok=True);"
        f"open({str(folder / 'index.html.j2')!r}, 'w').write({text!r})"
    )
    said = tab.script(
        "return String((await fetch(BASE + 'nbconvert/html/plain.ipynb')).status)", 60
    )
    return f"nbconvert: {said}" + wait(mark, 2)


def extension_manager(tab: Tab, mark: Path) -> str:
    """R91."""
    payload = tab.world.target(mark)["payload"]
    path = tab.world.root / "pip.py"
    tab.notebook.run_code(f"open({str(path)!r}, 'w').write({payload!r})")
    said = tab.script(
        # a version that there is not: where ./pip.py is not run, nothing is installed
        "const made = await post('lab/api/extensions',"
        "  {cmd: 'install', extension_name: 'jupyter-valet', extension_version: '0'});"
        "return made.status + ' ' + (await made.text()).slice(0, 200)",
        60,
    )
    return said + wait(mark, 3)


def settings(tab: Tab, mark: Path) -> str:
    """R92: by the plugin's name, and by other spellings of it."""
    plugin = "@jupyterlab/apputils-extension:sanitizer"
    spellings = [plugin, plugin.replace(":", "%3A"), plugin.replace("/", "%2F"),
                 plugin.replace("@", "%40"), f"./{plugin}", f"x/../{plugin}", plugin.upper(),
                 plugin + "/", "%00" + plugin]  # fmt: skip
    weak = json.dumps({"raw": '{"allowedSchemes": ["javascript"]}'})
    return tab.script(
        f"let said = ''; for (const name of {json.dumps(spellings)})"
        "  said += (await fetch(BASE + 'lab/api/settings/' + name, {method: 'PUT',"
        f"    headers: {{'X-XSRFToken': XSRF}}, body: {weak!r}}})).status + ' ';"
        f"const now = await (await fetch(BASE + 'lab/api/settings/{plugin}')).json();"
        "return (now.raw || '').includes('javascript') ? 'CONTROL settings written ' + said : said"
    )


def shortcuts(tab: Tab, mark: Path) -> str:
    """X11: a key that runs a command of JupyterLab's, from the next start on."""
    shortcut = {"command": "runmenu:run-all", "keys": ["Accel S"], "selector": "body"}
    text = json.dumps({"raw": json.dumps({"shortcuts": [shortcut]})})
    plugin = "@jupyterlab/shortcuts-extension:shortcuts"
    return tab.script(
        f"const made = await fetch(BASE + 'lab/api/settings/{plugin}', {{method: 'PUT',"
        f"  headers: {{'X-XSRFToken': XSRF}}, body: {text!r}}});"
        f"const now = await (await fetch(BASE + 'lab/api/settings/{plugin}')).json();"
        "return (now.raw || '').includes('run-all') ? 'CONTROL written' : String(made.status)"
    )


def proxy(tab: Tab, mark: Path) -> str:
    """R54: what arrives at a port of the kernel's when the page asks for it through the server."""
    said = tab.notebook.run_code(LISTEN)
    found = re.search(r"at ([\d.]+) port (\d+)", said)
    if not found:
        return said.splitlines()[-1] if said else "no port"
    host, port = found.groups()
    answers = tab.script(
        "let said = '';"
        f"for (const there of ['proxy/{port}/x', 'proxy/{host}:{port}/x'])"
        "  said += (await fetch(BASE + there)).status + ' ';"
        "await sleep(500); return said"
    )
    heard = tab.notebook.run_code("print('|'.join(_heard))")
    for name in ("Cookie", "Authorization"):
        if sent := re.search(rf"^{name}: (.+)$", heard, re.MULTILINE | re.IGNORECASE):
            known = tab.world.server.get("api/me", {name: sent[1].strip()}, login=False)
            if known.status == 200:
                return f"CONTROL logged in with the {name} that came along"
    return f"proxy: {answers}"
