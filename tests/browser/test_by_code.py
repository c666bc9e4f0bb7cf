"""Signing in by a code in a real browser: chosen, shown, typed elsewhere, looked at again."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from jlab import Jupyter, Notebook, jupyter, write_notebook
from playwright.sync_api import Browser, BrowserContext, Page, expect
from signing_in import TIMEOUT, consent_page
from wavering_provider import Wavering, wavering_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[Wavering]:
    with wavering_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def server(provider: Wavering, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    home = tmp_path_factory.mktemp("codes")
    (home / "config").mkdir()
    settings = {"ValetExtension": {"providers": {"wavering": provider.profile()}}}
    (home / "config/jupyter_server_config.json").write_text(json.dumps(settings))
    with jupyter(home, demo=False) as server:
        yield server


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as context:
        yield context


@pytest.fixture(scope="module")
def opened(server: Jupyter, context: BrowserContext) -> Notebook:
    write_notebook(server.root / "test.ipynb", "")
    return Notebook.open(context, server, "test.ipynb")


@pytest.fixture
def notebook(opened: Notebook) -> Notebook:
    opened.restart()
    opened.run_code("%load_ext jupyter_valet")
    return opened


def choose_a_code(tab: Page) -> str:
    """Say that this browser cannot come back; return the code that the page shows then."""
    tab.locator("#other").click()
    tab.locator("#code").click(timeout=TIMEOUT)
    code = tab.locator("#user_code")
    code.wait_for(timeout=TIMEOUT)
    return str(code.text_content())


def allow_elsewhere(browser: Browser, address: str) -> None:
    """Follow the address on another device: a browser that knows nothing of this one."""
    with browser.new_context() as device:
        page = device.new_page()
        page.goto(address)
        page.get_by_role("link", name="Allow").click()
        expect(page.locator("body")).to_contain_text("Allowed")


def test_a_code_is_chosen_on_the_page_and_typed_on_another_device(
    notebook: Notebook, provider: Wavering, browser: Browser
) -> None:
    """RFC 8628 on the isolated page: no script, the same headers, the code nowhere else."""
    cell = notebook.start_code("%connect wavering")
    with consent_page(notebook, cell) as tab:
        code = choose_a_code(tab)
        here = tab.url
        assert code in provider.issued[0]
        assert code not in here
        expect(tab.locator("#verify")).to_have_attribute("href", f"{provider.url}/activate")
        expect(tab.locator(".problem")).to_contain_text("Never type a code that somebody sent you")
        with tab.expect_response(here) as again:
            tab.locator("#again").click()
        policy = again.value.headers["content-security-policy"]
        assert "sandbox;" in policy  # neither scripts, forms nor windows
        assert again.value.headers["cache-control"] == "no-store"
        expect(tab.locator("#user_code")).to_have_text(code)
        assert code not in notebook.page.content()
        address = str(tab.locator("#verify_complete").get_attribute("href"))
        allow_elsewhere(browser, address)
        notebook.wait_done(cell)
        # By itself, though the page may run no script: the press above was the last.
        tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
        expect(tab.get_by_role("heading").first).to_contain_text("Connected as jane")
    assert "Signed in to Wavering as jane" in notebook.text(cell)
    assert code not in notebook.saved()
    assert "revoked there" in notebook.run_code("%disconnect wavering --revoke")


def test_the_page_of_a_code_can_be_declined_and_no_script_can_press_for_one(
    notebook: Notebook, provider: Wavering
) -> None:
    """A script of the notebook's page gets neither a code nor the page that shows one."""
    cell = notebook.start_code("%connect wavering")
    with consent_page(notebook, cell) as tab:
        before = len(provider.forms("/device"))
        status = "url => fetch(url).then(answer => answer.status)"
        assert notebook.page.evaluate(status, f"{tab.url}/code?auth=x") == 403
        assert len(provider.forms("/device")) == before
        choose_a_code(tab)
        assert notebook.page.evaluate(status, tab.url) == 403
        tab.locator("#decline").click()
        tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
        expect(tab.get_by_role("heading").first).to_contain_text("Declined")
    notebook.wait_done(cell)
    assert "declined" in notebook.text(cell).lower() + str(notebook.outputs(cell)[-1]).lower()
