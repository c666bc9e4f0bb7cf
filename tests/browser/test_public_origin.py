"""Behind a TLS proxy, at a path as on a JupyterHub: what people see is the public origin."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from free_ports import free_port
from jlab import Notebook, jupyter, write_notebook
from playwright.sync_api import Browser, expect
from reverse_proxy import tls_proxy
from signing_in import TIMEOUT, card, consent_page, sign_in_link
from wavering_provider import Wavering, wavering_provider

BASE = "/user/jane/"


@pytest.fixture(scope="module")
def wavering() -> Iterator[Wavering]:
    with wavering_provider() as running:
        yield running


@pytest.fixture(scope="module")
def notebook(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, wavering: Wavering
) -> Iterator[Notebook]:
    home = tmp_path_factory.mktemp("proxied")
    (home / "config").mkdir()
    settings = {
        "ServerApp": {"base_url": BASE, "allow_remote_access": True},
        "ValetExtension": {"providers": {"wavering": wavering.profile()}},
    }
    (home / "config" / "jupyter_server_config.json").write_text(json.dumps(settings))
    with jupyter(home, demo=False) as server:
        inside = server.url.removesuffix(BASE)
        with (
            tls_proxy(home, "lab.example", inside, free_port()) as public,
            browser.new_context(ignore_https_errors=True) as context,
        ):
            server.url = public + BASE
            write_notebook(server.root / "test.ipynb", "")
            yield Notebook.open(context, server, "test.ipynb")


def test_card_page_and_redirect_uri_show_the_public_origin(
    notebook: Notebook, wavering: Wavering
) -> None:
    """Learned from the person's own browser; the sign-in then comes back to it."""
    public = notebook.server.url
    assert public.startswith("https://lab.example:")
    notebook.run_code("%load_ext jupyter_valet")
    cell = notebook.start_code("%connect wavering")
    address = str(sign_in_link(notebook, cell).get_attribute("href"))
    assert address.startswith(f"{public}valet/connect/")
    assert address in card(notebook, cell).locator(".jv-url").inner_text()
    with consent_page(notebook, cell) as tab:
        redirect_uri = f"{public}valet/callback/wavering"
        expect(tab.locator("main")).to_contain_text(public)
        tab.get_by_text("Details", exact=True).click()
        expect(tab.locator("main")).to_contain_text(redirect_uri)
        tab.locator("#approve").click()
        tab.wait_for_url(f"{wavering.url}/authorize?**", timeout=TIMEOUT)
        cookies = [c for c in tab.context.cookies() if "valet-binding" in c["name"]]
        assert [(c["secure"], c["httpOnly"], c["domain"]) for c in cookies] == [
            (True, True, "lab.example")
        ]
        tab.get_by_role("link", name="Allow").click()
        tab.wait_for_url(f"{public}valet/done/**", timeout=TIMEOUT)
        expect(tab.get_by_role("heading").first).to_contain_text("Connected as jane")
    notebook.wait_done(cell)
    assert "Signed in to Wavering as jane" in notebook.text(cell)
    [sent] = wavering.forms("/token")
    assert sent["redirect_uri"] == redirect_uri
    assert f"{public}valet/connections" in notebook.run_code("%valet")


def test_another_name_of_the_server_gets_into_no_card(notebook: Notebook) -> None:
    """A `Host` counts only with the login of the person who sent it."""
    tab = notebook.page.context.new_page()
    elsewhere = notebook.server.url.replace("lab.example", "evil.example")
    tab.goto(f"{elsewhere}valet/connections")
    tab.wait_for_url("**/login?**", timeout=TIMEOUT)
    tab.close()
    cell = notebook.start_code("%connect wavering --new-account")
    address = str(sign_in_link(notebook, cell).get_attribute("href"))
    assert address.startswith(notebook.server.url)
    notebook.interrupt()
    notebook.wait_done(cell)
