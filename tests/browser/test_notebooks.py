"""The shipped notebooks in a real JupyterLab, run from top to bottom by a person who reads them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import nbformat
import pytest
from jlab import REPOSITORY, Jupyter, Notebook, jupyter
from playwright.sync_api import Browser, BrowserContext, Page, expect
from signing_in import (
    TIMEOUT,
    allow,
    approval_page,
    approve,
    card,
    consent_page,
    question_page,
    sign_in,
)

FOLDER = REPOSITORY / "notebooks"
SHOTS = os.environ.get("VALET_SHOTS", "")
"""A folder for screenshots of every card and page, for those who change their words."""

Person = Callable[[Notebook, int], None]
"""What somebody does while the cell of that index waits for them."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Jupyter]:
    """A JupyterLab in which nobody has signed in yet."""
    with jupyter(tmp_path) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1100, "height": 900}) as context:
        yield context


def run(
    context: BrowserContext, server: Jupyter, name: str, people: Mapping[str, Person]
) -> tuple[Notebook, dict[str, str]]:
    """Run every cell of a notebook; return it, and what each code cell shows by the cell's id."""
    shutil.copyfile(FOLDER / name, server.root / name)
    cells = nbformat.read(FOLDER / name, as_version=4).cells
    assert people.keys() <= {cell.id for cell in cells}
    notebook = Notebook.open(context, server, name)
    shown: dict[str, str] = {}
    for index, cell in enumerate(cells):
        if cell.cell_type == "code":
            notebook.start(index)
            people.get(cell.id, _nobody)(notebook, index)
            notebook.wait_done(index)
            shown[cell.id] = notebook.text(index)
            _shoot(notebook.cell(index), f"{name}-{cell.id}")
            kinds = [output["output_type"] for output in notebook.outputs(index)]
            assert "error" not in kinds, (cell.id, shown[cell.id])
    return notebook, shown


def _nobody(notebook: Notebook, index: int) -> None:
    """The cell waits for nobody."""


def _shoot(what: object, name: str) -> None:
    if SHOTS:
        what.screenshot(path=Path(SHOTS) / f"{name}.png")  # type: ignore[attr-defined]


def _sign_in(notebook: Notebook, index: int) -> None:
    sign_in(notebook, index)


def _close_the_issue(notebook: Notebook, index: int) -> None:
    """Give the further right, then read what is to be sent, and approve it."""
    with consent_page(notebook, index) as tab:
        _shoot(tab, "step-up")
        approve(tab)
        allow(tab)
    card(notebook, index).get_by_text("Send this to").wait_for(timeout=TIMEOUT)
    with approval_page(notebook, index) as tab:
        _shoot(tab, "approval")
        expect(tab.locator("#request")).to_contain_text("PATCH /api/projects/lighthouse/issues/")
        expect(tab.locator("#body")).to_contain_text('"state": "closed"')
        _press(tab, "#allow")


def _type_the_key(notebook: Notebook, index: int) -> None:
    """Fetch the key from the provider's page, and type it where it belongs."""
    address = re.search(r"http://127\.0\.0\.1:\d+/weather", notebook.text(index - 2))
    assert address
    theirs = notebook.page.context.new_page()
    theirs.goto(address[0])
    key = theirs.locator("#key").inner_text()
    _shoot(theirs, "weather-key")
    theirs.close()
    with question_page(notebook, index, "#save") as tab:
        _shoot(tab, "api-key")
        tab.locator("#api_key").fill(key)
        tab.locator("#save").click(timeout=TIMEOUT)
        expect(tab.get_by_role("heading").first).to_contain_text("Connected", timeout=TIMEOUT)
    assert key not in notebook.page.content()


def _use_the_open_api(notebook: Notebook, index: int) -> None:
    with question_page(notebook, index, "#approve") as tab:
        _shoot(tab, "use")
        _press(tab, "#approve")


def _file_the_issue(notebook: Notebook, index: int) -> None:
    """Read on the card's page what an agent wants to send, and approve it."""
    with approval_page(notebook, index) as tab:
        expect(tab.locator("#request")).to_have_text("POST /api/projects/logbook/issues")
        _shoot(tab, "agent-approval")
        _press(tab, "#allow")


def _press(tab: Page, button: str) -> None:
    tab.locator(button).click(timeout=TIMEOUT)
    tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
    _shoot(tab, f"done{button}")


def test_an_api_of_ones_own(context: BrowserContext, server: Jupyter) -> None:
    """By sign-in, by key, and open; read, written after approval, renamed, removed."""
    people = {
        "read": _sign_in,
        "write": _close_the_issue,
        "observations": _type_the_key,
        "open": _use_the_open_api,
    }
    notebook, shown = run(context, server, "your-api.ipynb", people)
    assert "4 that read and 2 that write" in shown["add"]
    assert "Demo (%connect tracker)" in shown["add"]
    assert "closed" in shown["write"]
    assert "48" in shown["observations"]
    assert "1 that read and 0 that write" in shown["better"]
    assert "high" in shown["open"]
    assert "read" in shown["see"]
    assert "gone from this notebook" in shown["remove"]
    assert "revoked there" in shown["end"]
    assert "API key is forgotten here" in shown["end"]
    assert notebook.run_code("print({'tracker', 'weather', 'tides'} & {*dir(tools)})") == "set()"
    _nothing_secret_in(notebook)


def test_functions_of_a_notebook(context: BrowserContext, server: Jupyter) -> None:
    """With data, with an account, with a mistake; called by an agent, which cannot approve."""
    people = {"sign-in": _sign_in, "more": _sign_in, "write": _file_the_issue}
    notebook, shown = run(context, server, "tools-in-the-notebook.ipynb", people)
    assert "2026-03-05" in shown["call"]
    assert "storm" in shown["sign-in"]
    asked = shown["ask"]
    assert "notebook_gaps, notebook_search_issues, notebook_mean_level" in asked
    assert "github_list_pulls" in asked
    assert '"hours":8' in asked
    assert "… Tidepool" in asked
    assert "Outlier filter removes real storm surges" in asked
    assert "KeyError" in asked
    assert "KeyError: 'varberg'" in shown["errors"]
    assert "the record goes from 2026-03-01 to 2026-03-14" in shown["ask-again"]
    assert re.search(r"answer: -?0\.\d{3} m$", shown["ask-again"])
    assert '"author":"amara"' in shown["write"]
    _nothing_secret_in(notebook)


def test_agents_with_a_model_that_is_a_script(context: BrowserContext, server: Jupyter) -> None:
    """By hand; that of a framework is in tests/frameworks, where there is one."""
    notebook, shown = run(context, server, "agents.ipynb", {"ask": _sign_in})
    assert "4 are open, first: Support Python 3.14" in shown["ask"]
    assert "MCPToolset(**tools.mcp.pydantic_ai())" in shown["frameworks"]
    assert "%pip install" in shown["pydantic"]
    _nothing_secret_in(notebook)


def _nothing_secret_in(notebook: Notebook) -> None:
    """The files are searched for what the vault holds when the server has ended."""
    saved = notebook.saved()
    assert "jvk_" not in saved
    assert "tw-" not in saved
    assert "/valet/connect/" not in saved
