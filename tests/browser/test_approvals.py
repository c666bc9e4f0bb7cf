"""What a notebook wants to write is read and approved by its person, and by nobody else."""

from __future__ import annotations

import pytest
from jlab import TOKEN, Notebook
from playwright.sync_api import expect
from signing_in import TIMEOUT, approval_page, approve_write, card, sign_in, sign_in_link

TITLE = "A tide \u202eegaugatnom"
WRITE = f"print(tools.demo.create_issue('logbook', title={TITLE!r})['author'])"
COUNT = f"print(sum(i['title'] == {TITLE!r} for i in tools.demo.list_issues('logbook')), 'filed')"


@pytest.fixture
def notebook(lab: Notebook) -> Notebook:
    """A notebook whose account may write, and which itself may read."""
    lab.run_code("%load_ext jupyter_valet")
    lab.run_code("%disconnect demo")
    cell = lab.start_code("%connect demo --scopes issues:read,issues:write")
    sign_in(lab, cell)
    lab.wait_done(cell)
    return lab


def test_a_write_is_shown_and_approved_once(notebook: Notebook) -> None:
    """Method, host, path, body and account, from the request itself; then it is sent, once."""
    cell = notebook.start_code(WRITE)
    expect(sign_in_link(notebook, cell)).to_have_text("Review")
    expect(card(notebook, cell)).to_contain_text("Send this to Demo")
    with approval_page(notebook, cell) as tab:
        expect(tab.locator("#request")).to_have_text("POST /api/projects/logbook/issues")
        expect(tab.locator("#body")).to_contain_text("A tide \\u{202e}egaugatnom")
        expect(tab.locator("body")).to_contain_text("amara")
        tab.locator("#allow").click(timeout=TIMEOUT)
        tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
        expect(tab.locator("body")).to_contain_text("goes on by itself")
    notebook.wait_done(cell)
    assert "Approved for Demo" in notebook.text(cell)
    assert "amara" in notebook.text(cell)
    again = notebook.start_code(WRITE)
    sign_in_link(notebook, again)
    with approval_page(notebook, again) as tab:
        tab.locator("#decline").click(timeout=TIMEOUT)
        tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
    notebook.wait_done(again)
    assert "Declined. Nothing was sent." in notebook.text(again)
    assert "The approval of a write to Demo" in notebook.text(again)
    assert notebook.run_code(COUNT) == "1 filed"


def test_an_approval_for_the_run_asks_no_more_until_the_kernel_restarts(
    notebook: Notebook,
) -> None:
    cell = notebook.start_code(WRITE)
    approve_write(notebook, cell, "run")
    notebook.wait_done(cell)
    assert notebook.run_code(WRITE).endswith("amara")
    notebook.restart_kernel()
    notebook.run_code("%load_ext jupyter_valet")
    cell = notebook.start_code(WRITE)
    sign_in_link(notebook, cell)
    notebook.interrupt()
    notebook.wait_done(cell)


def test_a_question_that_waits_is_on_the_connections_page(notebook: Notebook) -> None:
    """For those whose client shows no link."""
    cell = notebook.start_code(WRITE)
    sign_in_link(notebook, cell)
    tab = notebook.page.context.new_page()
    tab.goto(f"{notebook.server.url}valet/connections?token={TOKEN}")
    tab.locator("#waiting a").first.click(timeout=TIMEOUT)
    tab.locator("#allow").click(timeout=TIMEOUT)
    tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
    tab.close()
    notebook.wait_done(cell)
    assert "amara" in notebook.text(cell)


def test_a_script_in_an_output_approves_nothing(notebook: Notebook) -> None:
    """Same origin, same cookies: neither the page nor its press is for it."""
    cell = notebook.start_code(WRITE)
    address = str(sign_in_link(notebook, cell).get_attribute("href"))
    tried = notebook.page.evaluate(
        """async address => {
            const statuses = [];
            for (const path of ['', '/allow?choice=once&auth=x', '/grant?auth=x'])
                for (const mode of ['same-origin', 'navigate'])
                    try { statuses.push((await fetch(address + path, {mode})).status) }
                    catch (error) { statuses.push(error.name) }
            return statuses;
        }""",
        address,
    )
    assert set(tried) <= {403, "TypeError"}, tried
    notebook.interrupt()
    notebook.wait_done(cell)
    assert "Cancelled" in notebook.text(cell) or "KeyboardInterrupt" in notebook.text(cell)
