"""An API key in a real browser: typed on the isolated page, never seen by the notebook."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from jlab import Notebook, jupyter, write_notebook
from playwright.sync_api import Browser, expect
from signing_in import TIMEOUT, sign_in_link

KEY = "wk-9fK2Zq7Lw_8Xv3Tn5Rb1Yc6Md0Hp4Gs"


@contextmanager
def quiet_api() -> Iterator[tuple[str, list[str]]]:
    """Yield an API that echoes nothing, and the credentials that it got."""
    got: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(self.headers.get("X-Api-Key", ""))
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_a_person_types_an_api_key_and_the_cell_goes_on(browser: Browser, tmp_path: Path) -> None:
    """Issue 2, item 8: a slip is said in one line, the key goes to the vault, and nowhere else."""
    with quiet_api() as (url, got):
        weather = {
            "kind": "api_key",
            "title": "Weather",
            "origins": [url],
            "loopback": True,
            "key": {"in": "header", "name": "X-Api-Key"},
            "register_url": "https://weather.example/keys",
        }
        (tmp_path / "config").mkdir()
        settings = {"ValetExtension": {"providers": {"weather": weather}}}
        (tmp_path / "config/jupyter_server_config.json").write_text(json.dumps(settings))
        with jupyter(tmp_path, demo=False) as server, browser.new_context() as context:
            write_notebook(server.root / "test.ipynb", "")
            notebook = Notebook.open(context, server, "test.ipynb")
            _type_it(notebook, url)
            assert KEY not in notebook.page.content()
            assert KEY not in notebook.saved()
            assert "forgotten here; the key itself is good until you delete it there" in (
                notebook.run_code("%disconnect work --revoke")
            )
    assert got
    assert KEY not in got  # no tool was called yet: only the probe's fakes went there


def _type_it(notebook: Notebook, url: str) -> None:
    notebook.run_code("%load_ext jupyter_valet")
    cell = notebook.start_code("%connect weather")
    link = sign_in_link(notebook, cell)
    with notebook.page.context.expect_page() as opened:
        link.click()
    tab = opened.value
    key = tab.locator("#api_key")
    key.wait_for(timeout=TIMEOUT)
    expect(tab.locator("body")).to_contain_text("https://weather.example/keys")
    expect(tab.locator("body")).to_contain_text(url.partition("//")[2])
    expect(key).to_have_attribute("type", "password")
    key.fill("two words")
    tab.locator("#save").click()
    expect(tab.locator("body")).to_contain_text("a space or a line break inside the key")
    tab.go_back()
    key.wait_for(timeout=TIMEOUT)
    key.fill(KEY)
    tab.locator("#label").fill("work")
    tab.locator("#save").click()
    expect(tab.get_by_role("heading").first).to_contain_text("Connected", timeout=TIMEOUT)
    assert KEY not in tab.content() + tab.url
    tab.close()
    notebook.wait_done(cell)
    assert "Connected to Weather as work" in notebook.text(cell)
