"""Output JavaScript of a real kernel, in a real JupyterLab, in a real Chromium.

The rows are in `page_rows.py` (what the server offers), `consent_rows.py` (pages that scripts must
not press), `token_rows.py` (what the Jupyter token is worth) and `browser_rows.py` (what the
browser does by itself). Each function is one row: it returns what was got, in the words that
`judge.py` reads. In the control level the server's pages are without their headers and checks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import jlab
from channel import Got
from jupyter_process import TOKEN
from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import TimeoutError as BrowserTimeout
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
        said = self.result(self.notebook.page, seconds)
        if said == "undefined":
            raise BrowserTimeout("the output's script did not end")
        return said

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
        return Got(_row(name)(tab, mark) or "")
    except BrowserTimeout as error:  # nobody refused anything: the row did not run
        return Got(f"Timeout: {error.message.splitlines()[0][:200]}", ("Timeout",))
    except BrowserError as error:
        return Got(f"BrowserError: {error.message.splitlines()[0][:200]}", ("BrowserError",))


def _row(name: str) -> Callable[[Tab, Path], str]:
    import browser_rows
    import consent_rows
    import page_rows
    import token_rows

    for module in (page_rows, consent_rows, token_rows, browser_rows):
        if hasattr(module, name):
            return getattr(module, name)  # type: ignore[no-any-return]
    raise LookupError(f"no row of the browser is called {name}")


@contextlib.contextmanager
def tab(world: World, browser: Browser) -> Iterator[Tab]:
    """Open the person's browser on a notebook."""
    with browser.new_context() as context:
        yield Tab(world, context)
