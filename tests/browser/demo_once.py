"""`make demo ARGS=--once`: the quickstart, unattended, with a real Chromium and a real kernel.

Runs every cell of the quickstart, signs in where a card asks for it, and prints what the tool
answered. Screenshots go to build/demo/. Any step that fails ends it with a non-zero status.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from pathlib import Path

import nbformat
from jlab import REPOSITORY, Notebook, chromium, jupyter
from playwright.sync_api import BrowserContext
from signing_in import (
    TIMEOUT,
    allow,
    approval_page,
    approve,
    card,
    consent_page,
    sign_in_link,
)

from jupyter_valet.cli.demo import NOTEBOOK, copy_notebooks

BUILD = REPOSITORY / "build" / "demo"

Screenshots = dict[str, Path]


def main() -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=BUILD, help="where the screenshots go")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="valet-demo-") as home:
        try:
            _run(Path(home), folder)
        except Exception:
            traceback.print_exc()
            _keep_log(Path(home), folder)
            return 1
    return 0


def _run(home: Path, folder: Path) -> None:
    copy_notebooks(home / "work")
    with (
        jupyter(home) as server,
        chromium() as browser,
        browser.new_context(
            viewport={"width": 1100, "height": 900}, device_scale_factor=2
        ) as context,
    ):
        notebook = Notebook.open(context, server, NOTEBOOK)
        _run_cells(notebook, context, folder)


def _run_cells(notebook: Notebook, context: BrowserContext, folder: Path) -> None:
    cells = nbformat.read(REPOSITORY / "notebooks" / NOTEBOOK, as_version=4).cells
    for index, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        notebook.start(index)
        if cell.id == "call":
            _sign_in(notebook, index, folder)
        elif cell.id == "step":
            _step_up(notebook, index, folder)
        notebook.wait_done(index)
        _must_have_worked(notebook, index)
        print(f"In : {cell.source}\nOut: {notebook.text(index)}\n", flush=True)
        if cell.id == "call":
            _shoot_cell(notebook, index, folder / "card-after.png")


def _sign_in(notebook: Notebook, index: int, folder: Path) -> None:
    sign_in_link(notebook, index)
    _shoot_cell(notebook, index, folder / "card-before.png")
    with consent_page(notebook, index) as tab:
        tab.screenshot(path=folder / "consent.png")
        approve(tab)
        tab.screenshot(path=folder / "provider.png")
        allow(tab)
        tab.screenshot(path=folder / "done.png")


def _step_up(notebook: Notebook, index: int, folder: Path) -> None:
    with consent_page(notebook, index) as tab:
        approve(tab)
        allow(tab)
    card(notebook, index).get_by_text("Send this to").wait_for(timeout=TIMEOUT)
    with approval_page(notebook, index) as tab:
        tab.screenshot(path=folder / "approval.png")
        tab.locator("#allow").click(timeout=TIMEOUT)
        tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)


def _shoot_cell(notebook: Notebook, index: int, path: Path) -> None:
    cell = notebook.cell(index)
    cell.scroll_into_view_if_needed()
    cell.screenshot(path=path)


def _must_have_worked(notebook: Notebook, index: int) -> None:
    for output in notebook.outputs(index):
        if output["output_type"] == "error":
            raise RuntimeError(f"Cell {index} failed: {output['ename']}: {output['evalue']}")


def _keep_log(home: Path, folder: Path) -> None:
    log = home / "server.log"
    if log.exists():
        kept = folder / "server.log"
        kept.write_bytes(log.read_bytes())
        print(f"The Jupyter server's log is in {kept}.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
