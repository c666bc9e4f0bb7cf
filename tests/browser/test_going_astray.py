"""What people do besides the straight way: late, back, elsewhere, in two notebooks, restarted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from jlab import REPOSITORY, Notebook, write_notebook
from playwright.sync_api import expect
from signing_in import (
    TIMEOUT,
    agree,
    allow,
    approve,
    card,
    consent_page,
    grant,
    sign_in,
    sign_in_link,
)

from jupyter_valet.broker.elicitation import Transactions
from jupyter_valet.broker.vault import open_vault

CALL = "print(len(tools.demo.list_issues('tidepool')), 'open issues')"


@pytest.fixture
def notebook(lab: Notebook) -> Notebook:
    """A notebook in JupyterLab, in which nobody is signed in."""
    lab.run_code("%load_ext jupyter_valet")
    lab.run_code("%disconnect demo")
    return lab


@pytest.fixture
def other(notebook: Notebook) -> Iterator[Notebook]:
    """A second notebook of the same person, in another tab of the same browser."""
    write_notebook(notebook.server.root / "other.ipynb", "")
    second = Notebook.open(notebook.page.context, notebook.server, "other.ipynb")
    second.run_code("%load_ext jupyter_valet")
    yield second
    second.page.close()


def state_dir(notebook: Notebook) -> Path:
    return notebook.server.home / "data" / "valet"


def let_it_expire(notebook: Notebook, address: str) -> None:
    """Let eleven minutes go by for one sign-in: another process of the same vault says so."""
    with closing(open_vault(state_dir(notebook))) as vault:
        transactions = Transactions(vault, clock=lambda: time.time() + 660)
        found = transactions.get(address.rpartition("/")[2])
        assert found is not None
        assert found.state == "expired"


def test_one_sign_in_leaves_the_other_notebook_s_card_the_grant_alone(
    notebook: Notebook, other: Notebook
) -> None:
    """The card that waits changes its question: who is signed in need not sign in again."""
    first, second = notebook.start_code(CALL), other.start_code(CALL)
    sign_in_link(notebook, first)
    sign_in(other, second)
    other.wait_done(second)
    assert "Signed in to Demo" in other.text(second)
    expect(card(notebook, first)).to_contain_text("May this notebook use", timeout=TIMEOUT)
    grant(notebook, first)
    notebook.wait_done(first)
    assert "This notebook may use Demo" in notebook.text(first)
    for each, cell in ((notebook, first), (other, second)):
        assert "4 open issues" in each.text(cell)
        assert card(each, cell).locator("a").count() == 0


def test_who_comes_back_too_late_is_told_and_can_try_again(notebook: Notebook) -> None:
    """The link is dead for good; *Try again* asks anew in the same cell, and the call finishes."""
    cell = notebook.start_code(CALL)
    address = str(sign_in_link(notebook, cell).get_attribute("href"))
    with consent_page(notebook, cell) as tab:
        let_it_expire(notebook, address)
        tab.locator("#approve").click(timeout=TIMEOUT)
        tab.wait_for_load_state()
        assert "/authorize" not in tab.url
        tab.goto(address)
        expect(tab.get_by_role("heading").first).to_contain_text("Too late")
        assert tab.locator("#approve").count() == 0
    notebook.cell(cell).get_by_role("button", name="Try again").click(timeout=40_000)
    expect(sign_in_link(notebook, cell)).not_to_have_attribute("href", address)
    sign_in(notebook, cell)
    notebook.wait_done(cell)
    assert "4 open issues" in notebook.text(cell)


def test_coming_back_from_the_provider_too_late_connects_nothing(notebook: Notebook) -> None:
    cell = notebook.start_code(CALL)
    address = str(sign_in_link(notebook, cell).get_attribute("href"))
    with consent_page(notebook, cell) as tab:
        approve(tab)
        let_it_expire(notebook, address)
        agree(tab)
        tab.wait_for_url("**/valet/done?*", timeout=TIMEOUT)
        expect(tab.locator("body")).to_contain_text("out of date")
    notebook.interrupt()
    notebook.wait_done(cell)
    assert "amara" not in notebook.run_code("%connections")


def test_the_back_button_leads_to_a_page_that_works(notebook: Notebook) -> None:
    """Back from the provider, approve again; back from the last page, and nothing happens."""
    cell = notebook.start_code(CALL)
    with consent_page(notebook, cell) as tab:
        approve(tab)
        tab.go_back()
        approve(tab)
        allow(tab)
        expect(tab.locator("h1")).to_contain_text("Connected as")
        tab.go_back()
        tab.wait_for_load_state()
        assert tab.get_by_role("button", name="Approve").count() == 0
    notebook.wait_done(cell)
    assert "4 open issues" in notebook.text(cell)


def test_pressing_the_button_twice_is_one_sign_in(notebook: Notebook) -> None:
    cell = notebook.start_code(CALL)
    with consent_page(notebook, cell) as tab:
        tab.locator("#approve").dblclick(timeout=TIMEOUT)
        tab.wait_for_url("**/authorize?**", timeout=TIMEOUT)
        allow(tab)
        expect(tab.locator("h1")).to_contain_text("Connected as")
    notebook.wait_done(cell)
    assert "4 open issues" in notebook.text(cell)


def test_a_kernel_that_restarts_leaves_a_link_that_leads_nowhere(notebook: Notebook) -> None:
    """The card of the old kernel stays in the notebook for the eye; what it opens is over."""
    cell = notebook.start_code(CALL)
    address = str(sign_in_link(notebook, cell).get_attribute("href"))
    notebook.restart_kernel()
    tab = notebook.page.context.new_page()
    tab.goto(address)
    expect(tab.get_by_role("heading").first).to_contain_text("Cancelled")
    tab.close()
    notebook.run_code("%load_ext jupyter_valet")
    again = notebook.start_code(CALL)
    sign_in(notebook, again)
    notebook.wait_done(again)
    assert "4 open issues" in notebook.text(again)


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_kernel_whose_clock_is_wrong_waits_all_the_same(notebook: Notebook, hours: int) -> None:
    """Clock skew: who decides what has expired is the broker."""
    skew = f"import time; _real = time.time; time.time = lambda: _real() + {hours} * 3600"
    notebook.run_code(skew)
    cell = notebook.start_code(CALL)
    sign_in(notebook, cell)
    notebook.wait_done(cell)
    assert "4 open issues" in notebook.text(cell)


def test_the_audit_command_shows_what_happened(notebook: Notebook) -> None:
    """Made, used, refused and revoked, each a line; and the chain holds."""
    declined = notebook.start_code(CALL)
    with consent_page(notebook, declined) as tab:
        tab.locator("#decline").click(timeout=TIMEOUT)
        tab.wait_for_url("**/valet/done/**")
    notebook.wait_done(declined)
    cell = notebook.start_code(CALL)
    sign_in(notebook, cell)
    notebook.wait_done(cell)
    notebook.run_code("%disconnect demo --revoke")
    events = [json.loads(line) for line in audit(notebook, "--json").splitlines()]
    newest = [e["action"] for e in events][-8:]
    for action in (
        "transaction.declined",
        "connection.made",
        "connection.used",
        "connection.revoked",
    ):
        assert action in newest, newest
    used = next(e for e in reversed(events) if e["action"] == "connection.used")
    assert (used["provider"], used["account"], used["notebook"]) == ("demo", "amara", "test.ipynb")
    assert "connection.used" in audit(notebook)
    assert "as it was written" in audit(notebook, "--verify")


def audit(notebook: Notebook, *options: str) -> str:
    command = [sys.executable, "-m", "jupyter_valet.cli", "audit"]
    return subprocess.run(
        [*command, "--state-dir", str(state_dir(notebook)), *options],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPOSITORY,
    ).stdout
