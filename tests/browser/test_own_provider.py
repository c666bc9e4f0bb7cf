"""Providers of the person's own, end to end: the strict oidc-provider, and one that wavers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from free_ports import free_port
from jlab import Jupyter, Notebook, jupyter, write_notebook
from oauth_harness import oidc_provider
from playwright.sync_api import Browser, BrowserContext, Page, expect
from signing_in import TIMEOUT, sign_in_link
from wavering_provider import Wavering, wavering_provider

CLIENT = ("valet-basic", "basic secret: 100% +/&=~")


@dataclass
class World:
    """One Jupyter at a port of its own, so that it can be started again there."""

    home: Path
    port: int
    issuer: str
    wavering: Wavering

    @property
    def redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/valet/callback/corp"

    def jupyter(self):
        corp = {"issuer": self.issuer, "title": "Corp", "loopback": True}
        providers = {"corp": corp, "wavering": self.wavering.profile()}
        config = self.home / "config"
        config.mkdir(parents=True, exist_ok=True)
        settings = {"ValetExtension": {"providers": providers}}
        (config / "jupyter_server_config.json").write_text(json.dumps(settings))
        return jupyter(self.home, demo=False, port=self.port)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    port = free_port()
    back = f"http://127.0.0.1:{port}/valet/callback/corp"
    with (
        oidc_provider(tmp_path_factory.mktemp("oidc"), [back]) as issuer,
        wavering_provider() as wavering,
    ):
        yield World(tmp_path_factory.mktemp("own"), port, issuer, wavering)


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as context:
        yield context


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Jupyter]:
    with world.jupyter() as server:
        yield server


@pytest.fixture(scope="module")
def page(server: Jupyter, context: BrowserContext) -> Notebook:
    write_notebook(server.root / "test.ipynb", "")
    return Notebook.open(context, server, "test.ipynb")


@pytest.fixture
def notebook(page: Notebook, world: World) -> Notebook:
    page.restart()
    page.run_code("%load_ext jupyter_valet")
    world.wavering.mood = "well"
    world.wavering.posted.clear()
    return page


def press_sign_in(notebook: Notebook, cell: int) -> Page:
    link = sign_in_link(notebook, cell)
    with notebook.page.context.expect_page() as opened:
        link.click()
    opened.value.wait_for_load_state()
    return opened.value


def type_app(tab: Page, client: tuple[str, str], redirect_uri: str) -> None:
    """Fill in the page that asks for the person's own OAuth app."""
    expect(tab.locator("#redirect")).to_have_value(redirect_uri, timeout=TIMEOUT)
    tab.locator("#client_id").fill(client[0])
    tab.locator("#client_secret").fill(client[1])
    tab.locator("#save").click()
    tab.locator("#approve").wait_for(timeout=TIMEOUT)


def approve(tab: Page, issuer: str) -> None:
    tab.locator("#approve").click(timeout=TIMEOUT)
    tab.wait_for_url(f"{issuer}/**", timeout=TIMEOUT)


def sign_in_at_oidc(tab: Page) -> None:
    """Walk oidc-provider's own two pages, or the one it shows a browser that it knows."""
    login = tab.locator("input[name=login]")
    go_on = tab.get_by_role("button", name="Continue")
    login.or_(go_on).first.wait_for(timeout=TIMEOUT)
    if login.is_visible():
        login.fill("jane")
        tab.locator("input[name=password]").fill("any")
        tab.get_by_role("button", name="Sign-in").click()
        go_on.wait_for(timeout=TIMEOUT)
    go_on.click()
    tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)


def error_of(notebook: Notebook, cell: int) -> str:
    """Return the one line with which a cell failed."""
    notebook.wait_done(cell)
    last = notebook.outputs(cell)[-1]
    assert last["output_type"] == "error", last
    assert len(last["traceback"]) == 1
    return str(last["evalue"])


def test_an_issuer_url_and_an_app_typed_on_the_page_are_enough(
    notebook: Notebook, world: World
) -> None:
    """oidc-provider is strict; a mistyped secret is said, forgotten, and asked for again."""
    cell = notebook.start_code("%connect corp")
    tab = press_sign_in(notebook, cell)
    type_app(tab, (CLIENT[0], "mistyped"), world.redirect_uri)
    approve(tab, world.issuer)
    sign_in_at_oidc(tab)
    expect(tab.locator("body")).to_contain_text("does not accept the OAuth app")
    tab.close()
    assert "does not accept the OAuth app" in error_of(notebook, cell)

    cell = notebook.start_code("%connect corp")
    tab = press_sign_in(notebook, cell)
    type_app(tab, CLIENT, world.redirect_uri)
    approve(tab, world.issuer)
    sign_in_at_oidc(tab)
    expect(tab.get_by_role("heading").first).to_contain_text("Connected as jane")
    tab.close()
    notebook.wait_done(cell)
    assert "Signed in to Corp as jane" in notebook.text(cell)
    assert CLIENT[1] not in notebook.saved()


def test_what_was_typed_is_in_no_file_in_clear(server: Jupyter, world: World) -> None:
    """The app's secret is in the vault and nowhere else."""
    found = [
        path for path in world.home.rglob("*") if path.is_file() and b"basic secret" in _read(path)
    ]
    assert found == []


def _read(path: Path) -> bytes:
    return path.read_bytes().replace(b"+", b" ").replace(b"%20", b" ")


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        ("down", "did not answer"),
        ("html", "Wavering"),
        ("error", "Wavering"),
    ],
)
def test_a_provider_that_fails_in_the_middle_is_told_on_the_page_and_in_the_cell(
    notebook: Notebook, world: World, mood: str, words: str
) -> None:
    """The person has agreed, then the token endpoint fails: fixed words, at once, both places."""
    cell = notebook.start_code("%connect wavering")
    tab = press_sign_in(notebook, cell)
    approve(tab, world.wavering.url)
    world.wavering.mood = mood
    tab.get_by_role("link", name="Allow").click()
    tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
    expect(tab.locator(".problem")).to_contain_text(words)
    assert "Welcome!" not in tab.content()
    tab.close()
    assert words in error_of(notebook, cell)


def test_a_slow_provider_is_waited_for(notebook: Notebook, world: World) -> None:
    notebook.run_code("%disconnect wavering")
    cell = notebook.start_code("%connect wavering")
    tab = press_sign_in(notebook, cell)
    approve(tab, world.wavering.url)
    world.wavering.mood = "slow"
    tab.get_by_role("link", name="Allow").click()
    tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
    expect(tab.get_by_role("heading").first).to_contain_text("Connected as jane")
    tab.close()
    notebook.wait_done(cell)
    assert "Signed in to Wavering as jane" in notebook.text(cell)


def test_revoking_in_the_notebook_reaches_the_provider(notebook: Notebook, world: World) -> None:
    """RFC 7009: what the provider gave last is taken back there."""
    notebook.run_code("%disconnect wavering")
    cell = notebook.start_code("%connect wavering")
    tab = press_sign_in(notebook, cell)
    approve(tab, world.wavering.url)
    tab.get_by_role("link", name="Allow").click()
    tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
    tab.close()
    notebook.wait_done(cell)
    assert "revoked there" in notebook.run_code("%disconnect wavering --revoke")
    revoked = [form["token"] for form in world.wavering.forms("/revoke")]
    assert revoked
    assert set(revoked) <= set(world.wavering.issued)


def test_jupyter_may_be_restarted_while_the_person_is_at_the_provider(
    world: World, browser: Browser, page: Notebook, server: Jupyter
) -> None:
    """The login completes at the new server, and its first kernel finds the connection."""
    page.restart()
    page.run_code("%load_ext jupyter_valet")
    page.run_code("%disconnect wavering")
    cell = page.start_code("%connect wavering")
    tab = press_sign_in(page, cell)
    approve(tab, world.wavering.url)
    server.process.terminate()
    server.process.wait(30)
    page.page.close()
    with world.jupyter() as again:
        tab.get_by_role("link", name="Allow").click()
        tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
        expect(tab.get_by_role("heading").first).to_contain_text("Connected as jane")
        new = Notebook.open(tab.context, again, "test.ipynb")
        new.run_code("%load_ext jupyter_valet")
        assert "jane" in new.run_code("%connections")
        assert "signed in as jane" in new.run_code("%connect wavering")
        new.page.close()
    tab.close()
