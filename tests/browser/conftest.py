"""One Chromium for all browser tests; one JupyterLab and one Notebook 7, each with one page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jlab import Notebook, chromium, jupyter, write_notebook
from playwright.sync_api import Browser

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder, so that `-m browser` chooses it."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium() as browser:
        yield browser


def _opened(
    browser: Browser, home: Path, app: str, *arguments: str, host: str = "127.0.0.1"
) -> Iterator[Notebook]:
    with jupyter(home, app, arguments=arguments) as server, browser.new_context() as context:
        server.url = server.url.replace("127.0.0.1", host)
        write_notebook(server.root / "test.ipynb", "")
        yield Notebook.open(context, server, "test.ipynb")


@pytest.fixture(scope="session")
def lab_page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """One page of one JupyterLab, for the whole session."""
    yield from _opened(browser, tmp_path_factory.mktemp("lab"), "lab")


@pytest.fixture(scope="session")
def notebook7_page(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Notebook]:
    """One page of one Notebook 7, for the whole session.

    It has a base URL as on a JupyterHub, and the name that Jupyter prints by default, which makes
    the demo provider another site.
    """
    home = tmp_path_factory.mktemp("notebook7")
    base = "--ServerApp.base_url=/user/jane/"
    yield from _opened(browser, home, "notebook", base, host="localhost")


@pytest.fixture
def lab(lab_page: Notebook) -> Notebook:
    """An empty notebook in JupyterLab, with a fresh kernel."""
    lab_page.restart()
    return lab_page


@pytest.fixture
def notebook7(notebook7_page: Notebook) -> Notebook:
    """An empty notebook in Notebook 7, with a fresh kernel."""
    notebook7_page.restart()
    return notebook7_page
