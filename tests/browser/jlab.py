"""A real JupyterLab or Notebook 7, driven by a real Chromium: the harness of the browser tests.

Loading the page is what costs (6 to 16 s); a cell takes tenths of a second. So one server, one
browser and one page serve many tests: `Notebook.run_code` appends a cell and runs it, and
`Notebook.restart` gives a fresh kernel and an empty notebook.

Waits look at JupyterLab's own model (`--expose-app-in-browser`), never at CSS or at the clock.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from leaks import must_not_leak
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

REPOSITORY = Path(__file__).parents[2]
TOKEN = "the-harness-token"

_MODULES = {"lab": "jupyterlab", "notebook": "notebook"}
_PATHS = {"lab": "doc/tree/", "notebook": "notebooks/"}
_CHROMIUM_FLAGS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # A public name, for the tests in which Jupyter has one (RFC 2606).
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]


@dataclass
class Jupyter:
    """A running Jupyter server; `url` ends with a slash and includes the base URL."""

    process: subprocess.Popen[bytes]
    url: str
    root: Path
    home: Path
    log: Path
    app: str

    def notebook_url(self, name: str) -> str:
        """Where a browser opens the notebook `name`, already logged in."""
        return f"{self.url}{_PATHS[self.app]}{name}?token={TOKEN}"


@contextlib.contextmanager
def jupyter(
    home: Path,
    app: str = "lab",
    *,
    arguments: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    demo: bool = True,
    port: int = 0,
) -> Iterator[Jupyter]:
    """Run an isolated Jupyter server with the extension, as a plain install finds it.

    `port` is taken or the start fails; 0 means any free one. When it has ended, no secret may be
    in anything that it wrote.
    """
    root = home / "work"
    log = home / "server.log"
    runtime = home / "runtime"
    for folder in (root, runtime, home / "data", home / "ipython"):
        folder.mkdir(parents=True, exist_ok=True)
    write_lab_configuration(home / "config" / "labconfig")
    command = [
        *(sys.executable, "-m", _MODULES[app]),
        *("--no-browser", "--allow-root", "--expose-app-in-browser"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"),
        f"--ServerApp.root_dir={root}",
        f"--ValetExtension.demo={demo}",
        *arguments,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=_environment(home, environ or {}),
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = _wait_for_url(process, runtime / f"jpserver-{process.pid}.json", log)
        yield Jupyter(process, url, root, home, log, app)
    finally:
        _stop(process)
    must_not_leak(home, home / "data" / "valet")


def _environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which nothing of the person's own is found.

    The repository's `jupyter_config` stands for what the wheel puts into `etc/jupyter`.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY_", "DBUS"))}
    return {
        **kept,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_CONFIG_PATH": str(REPOSITORY / "jupyter_config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_TOKEN": TOKEN,
        "IPYTHONDIR": str(home / "ipython"),
        **more,
    }


def write_lab_configuration(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (folder / "page_config.json").write_text(json.dumps(news))


def _wait_for_url(process: subprocess.Popen[bytes], runtime_file: Path, log: Path) -> str:
    """Wait for the file that a Jupyter server writes once it listens."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(runtime_file.read_text())["url"])
        time.sleep(0.02)
    raise RuntimeError("Jupyter did not start:\n" + log.read_text(errors="replace")[-4000:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's (or whoever's) Chromium without a window."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise RuntimeError("There is no Chromium: on Debian, apt-get install chromium.")
    # Chromium's own sandbox does not start as root.
    flags = _CHROMIUM_FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=flags)
        try:
            yield browser
        finally:
            browser.close()


def write_notebook(path: Path, *cells: str, kernel: str = "python3") -> None:
    """Write a notebook of code cells that opens without asking for a kernel."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": kernel, "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, path)


_OPENED = """() => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    const kernel = panel?.context?.sessionContext?.session?.kernel;
    return !!panel?.content?.widgets?.length && kernel?.status === 'idle';
}"""
_IDLE = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    return panel.context.sessionContext.session?.kernel?.status === 'idle';
}"""
_ASK = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    void panel.context.sessionContext.session?.kernel?.requestKernelInfo().catch(() => null);
}"""
_START = """index => {
    const panel = window.jupyterapp.shell.currentWidget;
    panel.content.activeCellIndex = index;
    panel.content.deselectAll();
    window.jupyterapp.commands.execute('notebook:run-cell');
}"""
_DONE = """index => {
    const panel = window.jupyterapp.shell.currentWidget;
    const cell = panel.model.cells.get(index);
    const state = cell.executionState;
    return cell.executionCount !== null && (state === undefined || state === 'idle')
        && panel.context.sessionContext.session.kernel.status === 'idle';
}"""
_APPEND = """source => {
    const cells = window.jupyterapp.shell.currentWidget.model.sharedModel;
    cells.addCell({cell_type: 'code', source, metadata: {}});
    return cells.cells.length - 1;
}"""
_RESTART = """() => window.jupyterapp.shell.currentWidget
    .context.sessionContext.session.kernel.restart()"""
_CLEAR = """() => {
    const cells = window.jupyterapp.shell.currentWidget.model.sharedModel;
    cells.deleteCellRange(0, cells.cells.length);
}"""
_INTERRUPT = """() => window.jupyterapp.shell.currentWidget
    .context.sessionContext.session.kernel.interrupt()"""
_OUTPUTS = """index => window.jupyterapp.shell.currentWidget
    .model.cells.get(index).outputs.toJSON()"""
_SAVE = "() => window.jupyterapp.shell.currentWidget.context.save()"


@dataclass
class Notebook:
    """One open notebook in one page."""

    page: Page
    server: Jupyter
    name: str
    console: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, context: BrowserContext, server: Jupyter, name: str) -> Notebook:
        """Open the notebook in a new page and wait until its kernel has answered."""
        page = context.new_page()
        notebook = cls(page, server, name)
        page.on("console", lambda message: notebook.console.append(message.text))
        page.on("pageerror", lambda error: notebook.console.append(f"error: {error}"))
        page.goto(server.notebook_url(name))
        page.wait_for_function(_OPENED, timeout=120_000)
        return notebook

    def cell(self, index: int) -> Locator:
        """Return the cell at `index`."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def start(self, index: int) -> None:
        """Start a cell and return at once: what follows happens while it runs."""
        self.page.evaluate(_START, index)

    def wait_done(self, index: int, timeout: float = 60) -> None:
        """Wait until the cell has run and the kernel is idle; `timeout` in seconds."""
        self.page.wait_for_function(_DONE, arg=index, timeout=timeout * 1000)

    def run(self, index: int, timeout: float = 60) -> str:
        """Run a cell and return what it shows."""
        self.start(index)
        self.wait_done(index, timeout)
        return self.text(index)

    def start_code(self, code: str) -> int:
        """Append a cell with `code`, start it, and return its index."""
        index: int = self.page.evaluate(_APPEND, code)
        self.start(index)
        return index

    def run_code(self, code: str, timeout: float = 60) -> str:
        """Append a cell with `code`, run it, and return what it shows."""
        index = self.start_code(code)
        self.wait_done(index, timeout)
        return self.text(index)

    def text(self, index: int) -> str:
        """Return the outputs of a cell as a person reads them."""
        shown = self.cell(index).locator(".jp-OutputArea-output").all_inner_texts()
        return "\n".join(shown).strip()

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Return the outputs of a cell as the notebook's model holds them."""
        found: list[dict[str, Any]] = self.page.evaluate(_OUTPUTS, index)
        return found

    def restart(self) -> None:
        """Give the page a fresh kernel and an empty notebook."""
        self.restart_kernel()
        self.page.evaluate(_CLEAR)

    def restart_kernel(self) -> None:
        """Press the kernel's restart button; the cells and their outputs stay."""
        self.page.evaluate(_RESTART)
        # On a busy machine a kernel may say that it is idle before the server listens to it again.
        for attempt in range(1, 12):
            with contextlib.suppress(PlaywrightTimeout):
                self.page.wait_for_function(_IDLE, timeout=10_000)
                return
            # Once in many runs the page sent no restart at all: then a person presses once more.
            self.page.evaluate(_ASK if attempt % 4 else _RESTART)
        self.page.wait_for_function(_IDLE, timeout=10_000)

    def interrupt(self) -> None:
        """Press ■."""
        self.page.evaluate(_INTERRUPT)

    def saved(self) -> str:
        """Save the notebook and return the file's text."""
        self.page.evaluate(_SAVE)
        return (self.server.root / self.name).read_text("utf-8")
