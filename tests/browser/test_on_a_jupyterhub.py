"""JupyterLab on a real JupyterHub: logged in by its form, with no token in any page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hub import PASSWORD, Hub, jupyterhub
from jlab import Jupyter, Notebook, write_lab_configuration, write_notebook
from leaks import must_not_leak
from playwright.sync_api import Browser, Page, expect
from signing_in import TIMEOUT, sign_in, sign_in_link

CALL = "issues = tools.demo.list_issues('tidepool')\nprint(len(issues), 'open issues')"
LAB = "c.LabApp.expose_app_in_browser = True\nc.ValetExtension.demo = True\n"
NAMED = """
c.JupyterHub.public_url = told["url"].replace("127.0.0.1", "localhost")
"""
ERROR_PAGE = """async path => {
    const headers = {'X-XSRFToken': /_xsrf=([^;]+)/.exec(document.cookie)[1]};
    const answer = await fetch(path, {headers});
    return [answer.status, /data-jupyter-api-token="[^"]/.test(await answer.text())];
}"""
TOKENS = """() => [
    JSON.parse(document.getElementById('jupyter-config-data').textContent).token,
    window.jupyterapp.serviceManager.serverSettings.token,
]"""


@dataclass
class OnHub(Jupyter):
    """A server that people reach by the Hub's login, never by a token."""

    def notebook_url(self, name: str) -> str:
        return f"{self.url}lab/tree/{name}"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """At a name that is told to its servers: what is on cards does not depend on who asks."""
    home = tmp_path_factory.mktemp("hub")
    with jupyterhub(home, server_config=LAB, hub_config=NAMED) as running:
        write_lab_configuration(home / "etc" / "labconfig")
        running.start("jane")
        running.up("jane")
        running.url = running.url.replace("127.0.0.1", "localhost")
        yield running
    must_not_leak(home / "people", running.state_of("jane"))


def log_in(page: Page, hub: Hub, name: str) -> None:
    page.goto(f"{hub.url}hub/login")
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[type=submit], button[type=submit]").first.click()
    page.wait_for_url(f"{hub.url}**", timeout=TIMEOUT, wait_until="commit")
    expect(page).not_to_have_url(f"{hub.url}hub/login", timeout=TIMEOUT)


@pytest.fixture(scope="module")
def notebook(hub: Hub, browser: Browser) -> Iterator[Notebook]:
    root = hub.home_of("jane") / "work"
    write_notebook(root / "test.ipynb", "")
    server = OnHub(hub.process, f"{hub.url}user/jane/", root, hub.home, hub.home / "hub.log", "lab")
    with browser.new_context() as context:
        log_in(context.new_page(), hub, "jane")
        opened = Notebook.open(context, server, "test.ipynb")
        opened.run_code("%load_ext jupyter_valet")
        yield opened


def test_the_call_that_asked_is_the_call_that_finishes(
    hub: Hub, browser: Browser, notebook: Notebook
) -> None:
    """By the login cookie alone; and joe, who has the address, gets nothing of the page."""
    cell = notebook.start_code(CALL)
    address = str(sign_in_link(notebook, cell).get_attribute("href"))
    assert address.startswith(f"{hub.url}user/jane/valet/connect/")
    with browser.new_context() as of_joe:
        page = of_joe.new_page()
        log_in(page, hub, "joe")
        page.goto(address)
        expect(page.locator("body")).to_contain_text("You do not have permission to access")
        assert page.locator("#approve").count() == 0
    sign_in(notebook, cell)
    notebook.wait_done(cell)
    assert "4 open issues" in notebook.text(cell)
    assert "Signed in to Demo as amara" in notebook.text(cell)


def test_a_script_finds_no_token_in_a_page(hub: Hub, notebook: Notebook) -> None:
    """R79: neither the login's, in JupyterLab's page, nor the server's own, in an error page."""
    assert notebook.page.evaluate(TOKENS) == ["", ""]
    found = notebook.page.evaluate(ERROR_PAGE, f"{hub.url}user/jane/files/nothing.txt")
    assert found == [404, False]
    assert "jupyterhub-user-jane" not in notebook.page.evaluate("document.cookie")
