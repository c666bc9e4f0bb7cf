"""JupyterLab on a real JupyterHub with subdomains: logged in by its form, no token in any page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hub import PASSWORD, Hub, jupyterhub
from jlab import Jupyter, Notebook, write_lab_configuration, write_notebook
from leaks import must_not_leak
from playwright.sync_api import Browser, Page, expect
from reverse_proxy import certificate
from signing_in import TIMEOUT, consent_page, sign_in_link
from wavering_provider import Wavering, wavering_provider

LAB = "c.LabApp.expose_app_in_browser = True\nc.ValetExtension.providers = {providers!r}\n"
SUBDOMAINS = """
c.JupyterHub.public_url = c.JupyterHub.subdomain_host = told["url"]
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
def wavering() -> Iterator[Wavering]:
    with wavering_provider() as running:
        yield running


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, wavering: Wavering) -> Iterator[Hub]:
    """Each person's server is an origin of its own; for browsers `*.localhost` is this machine."""
    home = tmp_path_factory.mktemp("hub")
    with jupyterhub(
        home,
        server_config=LAB.format(providers={"wavering": wavering.profile()}),
        hub_config=SUBDOMAINS,
        host="localhost",
        certificate=certificate(home, "localhost"),
    ) as running:
        write_lab_configuration(home / "etc" / "labconfig")
        running.start("jane")
        running.up("jane")
        yield running
    must_not_leak(home / "people", running.state_of("jane"), wavering.issued)


def url_of(hub: Hub, name: str) -> str:
    return f"{hub.url.replace('//', f'//{name}.')}user/{name}/"


def log_in(page: Page, hub: Hub, name: str) -> None:
    page.goto(f"{hub.url}hub/login")
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[type=submit], button[type=submit]").first.click()
    page.wait_for_url(lambda url: "/hub/login" not in url, timeout=TIMEOUT, wait_until="commit")


@pytest.fixture(scope="module")
def notebook(hub: Hub, browser: Browser) -> Iterator[Notebook]:
    root = hub.home_of("jane") / "work"
    write_notebook(root / "test.ipynb", "")
    server = OnHub(hub.process, url_of(hub, "jane"), root, hub.home, hub.home / "hub.log", "lab")
    with browser.new_context(ignore_https_errors=True) as context:
        log_in(context.new_page(), hub, "jane")
        opened = Notebook.open(context, server, "test.ipynb")
        opened.run_code("%load_ext jupyter_valet")
        yield opened


def test_a_sign_in_on_a_subdomain(
    hub: Hub, browser: Browser, notebook: Notebook, wavering: Wavering
) -> None:
    """By the login cookie alone; and joe, who has the address, gets nothing of the page."""
    cell = notebook.start_code("%connect wavering")
    address = str(sign_in_link(notebook, cell).get_attribute("href"))
    assert address.startswith(f"{url_of(hub, 'jane')}valet/connect/")
    with browser.new_context(ignore_https_errors=True) as of_joe:
        page = of_joe.new_page()
        log_in(page, hub, "joe")
        page.goto(address)
        expect(page.locator("body")).to_contain_text("You do not have permission to access")
        assert page.locator("#approve").count() == 0
    with consent_page(notebook, cell) as tab:
        tab.locator("#approve").click()
        tab.wait_for_url(f"{wavering.url}/authorize?**", timeout=TIMEOUT)
        tab.get_by_role("link", name="Allow").click()
        tab.wait_for_url(f"{url_of(hub, 'jane')}valet/done/**", timeout=TIMEOUT)
        expect(tab.get_by_role("heading").first).to_contain_text("Connected as jane")
    notebook.wait_done(cell)
    assert "Signed in to Wavering as jane" in notebook.text(cell)


def test_a_script_finds_no_token_in_a_page(hub: Hub, notebook: Notebook) -> None:
    """R79: neither the login's, in JupyterLab's page, nor the server's own, in an error page."""
    assert notebook.page.evaluate(TOKENS) == ["", ""]
    found = notebook.page.evaluate(ERROR_PAGE, f"{url_of(hub, 'jane')}files/nothing.txt")
    assert found == [404, False]
    assert "jupyterhub-user-jane" not in notebook.page.evaluate("document.cookie")
