"""Where the vault's key is, as the person meets it: a passphrase page, the desktop's keyring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jlab import Notebook, jupyter, write_notebook
from keyring_desktop import Desktop, session_bus
from playwright.sync_api import Browser, Page, expect
from signing_in import TIMEOUT, sign_in

CALL = "print(len(tools.demo.list_issues('tidepool')), 'open issues')"
PASSPHRASE = "correct horse battery staple"


@contextmanager
def opened(browser: Browser, home: Path, source: str, **environ: str) -> Iterator[Notebook]:
    """Open a notebook of a server with that key source; the folder may have been used before."""
    arguments = [f"--ValetExtension.key_source={source}"]
    with (
        jupyter(home, arguments=arguments, environ=environ) as server,
        browser.new_context() as context,
    ):
        write_notebook(server.root / "test.ipynb", "")
        notebook = Notebook.open(context, server, "test.ipynb")
        notebook.run_code("%load_ext jupyter_valet")
        yield notebook


def unlock(tab: Page, passphrase: str) -> None:
    tab.locator("#passphrase").fill(passphrase)
    tab.locator("#unlock").click()


def unlock_page(notebook: Notebook) -> Page:
    """Call a tool, and open the address that its one line names."""
    line = notebook.run_code(CALL)
    assert "The vault is locked" in line
    address = next(word.rstrip(".") for word in line.split() if "/valet/unlock" in word)
    tab = notebook.page.context.new_page()
    tab.goto(address)
    tab.locator("#passphrase").wait_for(timeout=TIMEOUT)
    return tab


def test_a_vault_with_a_passphrase_is_opened_on_its_page(browser: Browser, tmp_path: Path) -> None:
    """First start: chosen on the page. Second start: a wrong one is refused, the right one opens.

    The passphrase is in no file, and neither kernel nor log has seen it.
    """
    with opened(browser, tmp_path, "passphrase") as notebook:
        tab = unlock_page(notebook)
        unlock(tab, PASSPHRASE)
        expect(tab.get_by_role("heading").first).to_contain_text("Your connections")
        tab.close()
        cell = notebook.start_code(CALL)
        sign_in(notebook, cell)
        notebook.wait_done(cell)
        assert "4 open issues" in notebook.text(cell)

    with opened(browser, tmp_path, "passphrase") as notebook:
        tab = unlock_page(notebook)
        unlock(tab, "incorrect horse")
        expect(tab.locator("main")).to_contain_text("The passphrase is refused")
        assert "The vault is locked" in notebook.run_code(CALL)
        tab.go_back()
        unlock(tab, PASSPHRASE)
        expect(tab.locator("main")).to_contain_text("amara")
        tab.close()
        assert "amara" in notebook.run_code("%connections")
        assert "passphrase" in notebook.run_code("%valet")

    for path in filter(Path.is_file, tmp_path.rglob("*")):
        assert PASSPHRASE.encode() not in path.read_bytes(), path
    assert not (tmp_path / "data" / "valet" / "keys" / "key-ring").exists()


def test_a_vault_keeps_its_key_in_the_desktop_s_keyring(
    browser: Browser, tmp_path: Path, desktop: Desktop
) -> None:
    """A real Secret Service. `auto` finds it; no key lies beside the vault."""
    home = tmp_path / "home"
    home.mkdir()
    bus = {"DBUS_SESSION_BUS_ADDRESS": desktop.bus}
    with opened(browser, home, "auto", **bus) as notebook:
        assert "keyring" in notebook.run_code("%valet")
        cell = notebook.start_code(CALL)
        sign_in(notebook, cell)
        notebook.wait_done(cell)
        assert "4 open issues" in notebook.text(cell)
    with opened(browser, home, "auto", **bus) as notebook:
        assert "amara" in notebook.run_code("%connections")
    assert [path.name for path in (home / "data/valet/keys").iterdir()] == ["witness"]


@pytest.fixture
def desktop(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desktop]:
    with session_bus(tmp_path_factory.mktemp("desktop"), monkeypatch.setenv) as desktop:
        desktop.log_in()
        yield desktop
