"""Which notebook may use an account: asked on a page, shown in the notebook, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from jlab import TOKEN, Notebook, write_notebook
from playwright.sync_api import expect
from signing_in import TIMEOUT, card, grant, grant_page, sign_in, sign_in_link

CALL = "print(len(tools.demo.list_issues('tidepool')), 'open issues')"


@pytest.fixture
def notebook(lab: Notebook) -> Notebook:
    """A notebook in JupyterLab that has signed in."""
    lab.run_code("%load_ext jupyter_valet")
    lab.run_code("%disconnect demo")
    cell = lab.start_code(CALL)
    sign_in(lab, cell)
    lab.wait_done(cell)
    return lab


@contextmanager
def opened(notebook: Notebook, name: str) -> Iterator[Notebook]:
    write_notebook(notebook.server.root / name, "")
    second = Notebook.open(notebook.page.context, notebook.server, name)
    yield second
    second.page.close()


@pytest.fixture(scope="module")
def other_page(lab_page: Notebook) -> Iterator[Notebook]:
    with opened(lab_page, "copy of \u202ebpyni.tset.ipynb") as second:
        yield second


@pytest.fixture
def other(notebook: Notebook, other_page: Notebook) -> Notebook:
    """A second notebook, whose name would like to be another, with a fresh kernel."""
    other_page.restart()
    other_page.run_code("%load_ext jupyter_valet")
    return other_page


def test_another_notebook_asks_for_a_grant_and_for_no_login(
    notebook: Notebook, other: Notebook
) -> None:
    """The call that asked is the call that finishes; then the table says what was given."""
    assert "may use no account" in other.run_code("%connections")
    cell = other.start_code(CALL)
    sign_in_link(other, cell)
    expect(card(other, cell)).to_contain_text("May this notebook use Demo")
    expect(sign_in_link(other, cell)).to_have_text("Choose")
    with grant_page(other, cell) as tab:
        expect(tab.locator("body")).to_contain_text("copy of \ufffdbpyni.tset.ipynb")
        expect(tab.get_by_label("amara")).to_be_checked()
        expect(tab.locator("#read")).to_be_checked()
        tab.get_by_label("for 30 days").check()
        tab.locator("#grant").click(timeout=TIMEOUT)
        tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
        expect(tab.locator("h1")).to_contain_text("amara")
    other.wait_done(cell)
    assert "4 open issues" in other.text(cell)
    assert "This notebook may use Demo" in other.text(cell)
    table = other.run_code("%connections")
    assert "read, until 20" in table
    other.run_code("%connections --end demo")
    assert "may use no account" in other.run_code("%connections")
    assert "amara" in notebook.run_code("%connections")


def test_the_connections_page_shows_grants_and_takes_them_back(
    notebook: Notebook, other: Notebook
) -> None:
    cell = other.start_code(CALL)
    grant(other, cell)
    other.wait_done(cell)
    tab = notebook.page.context.new_page()
    tab.goto(f"{notebook.server.url}valet/connections?token={TOKEN}")
    expect(tab.get_by_role("heading", level=3)).to_have_count(2)
    tab.get_by_role("button", name="Take the grant of test.ipynb back").click(timeout=TIMEOUT)
    expect(tab.get_by_role("heading", level=3)).to_have_count(1)
    tab.close()
    assert "4 open issues" in other.run_code(CALL)
    asking = notebook.start_code(CALL)
    grant(notebook, asking)
    notebook.wait_done(asking)
    assert "4 open issues" in notebook.text(asking)


def test_a_grant_follows_a_rename_in_jupyter_and_no_copy(notebook: Notebook) -> None:
    """The contents manager says so; a copy is another file, and a file that moved by itself is."""
    with opened(notebook, "before.ipynb") as second:
        second.run_code("%load_ext jupyter_valet")
        cell = second.start_code(CALL)
        grant(second, cell)
        second.wait_done(cell)
        rename = "a => window.jupyterapp.serviceManager.contents.rename(a[0], a[1])"
        second.page.evaluate(rename, ["before.ipynb", "after.ipynb"])
        assert "4 open issues" in second.run_code(CALL)  # the kernel runs on
        copied = second.page.evaluate(
            "() => window.jupyterapp.serviceManager.contents.copy('after.ipynb', '')"
            ".then(model => model.path)"
        )
        (second.server.root / "after.ipynb").rename(second.server.root / "elsewhere.ipynb")
    for name in (copied, "elsewhere.ipynb"):
        third = Notebook.open(notebook.page.context, notebook.server, name)
        third.run_code("%load_ext jupyter_valet")
        cell = third.start_code(CALL)
        sign_in_link(third, cell)
        expect(card(third, cell)).to_contain_text("May this notebook use Demo")
        third.interrupt()
        third.wait_done(cell)
        third.page.close()


def test_a_script_that_makes_up_a_rename_moves_no_grant(notebook: Notebook) -> None:
    """Any script of the page may post events; the server looks for itself."""
    write_notebook(notebook.server.root / "evil.ipynb", "")
    forged = """async () => {
        const settings = window.jupyterapp.serviceManager.serverSettings;
        const body = JSON.stringify({
            schema_id: 'https://events.jupyter.org/jupyter_server/contents_service/v1',
            version: '1',
            data: {action: 'rename', path: 'evil.ipynb', source_path: 'test.ipynb'},
        });
        const headers = {Authorization: 'token ' + settings.token};
        const answer = await fetch(settings.baseUrl + 'api/events',
            {method: 'POST', body, headers});
        return answer.status;
    }"""
    assert notebook.page.evaluate(forged) == 204
    assert "4 open issues" in notebook.run_code(CALL)
