"""A sign-in that does not go straight to its end: refused, given up, pressed twice, cut off."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from jlab import Notebook
from playwright.sync_api import expect
from signing_in import TIMEOUT, allow, approve, card, consent_page, sign_in, sign_in_link

CALL = "print(len(tools.demo.list_issues('tidepool')), 'open issues')"


@pytest.fixture
def notebook(lab: Notebook) -> Notebook:
    """A notebook in JupyterLab, in which nobody is signed in."""
    lab.run_code("%load_ext jupyter_valet")
    lab.run_code("%disconnect demo")
    return lab


def kill_broker(notebook: Notebook) -> None:
    """kill -9 the broker of the notebook's server, as a crash would."""
    for process in psutil.Process(notebook.server.process.pid).children(recursive=True):
        if "jupyter_valet.broker" in process.cmdline():
            os.kill(process.pid, signal.SIGKILL)
            return
    raise AssertionError("there is no broker")


def finishes_with(notebook: Notebook, index: int, text: str) -> None:
    notebook.wait_done(index)
    assert text in notebook.text(index)


def test_declining_on_the_page_ends_the_call(notebook: Notebook) -> None:
    cell = notebook.start_code(CALL)
    with consent_page(notebook, cell) as tab:
        tab.locator("#decline").click(timeout=TIMEOUT)
        tab.wait_for_url("**/valet/done/**")
    finishes_with(notebook, cell, "was declined")


def test_refusing_at_the_provider_ends_the_call(notebook: Notebook) -> None:
    """The callback carries `error=access_denied`."""
    cell = notebook.start_code(CALL)
    with consent_page(notebook, cell) as tab:
        approve(tab)
        cancel = tab.get_by_role("button", name="Cancel")
        person = tab.get_by_role("button", name="Amara")
        cancel.or_(person).first.wait_for(timeout=TIMEOUT)
        if person.is_visible():
            person.click()
        cancel.click()
        tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)
    notebook.wait_done(cell)
    assert "open issues" not in notebook.text(cell)
    assert notebook.outputs(cell)[-1]["output_type"] == "error"


def test_after_a_decline_the_next_call_asks_again(notebook: Notebook) -> None:
    cell = notebook.start_code(CALL)
    with consent_page(notebook, cell) as tab:
        tab.locator("#decline").click(timeout=TIMEOUT)
        tab.wait_for_url("**/valet/done/**")
    notebook.wait_done(cell)
    again = notebook.start_code(CALL)
    sign_in(notebook, again)
    finishes_with(notebook, again, "4 open issues")


def test_an_interrupt_closes_the_card_and_the_link(notebook: Notebook) -> None:
    """Interrupt cancels the wait; the link that was shown leads to an end, not to a sign-in."""
    cell = notebook.start_code(CALL)
    address = sign_in_link(notebook, cell).get_attribute("href")
    notebook.interrupt()
    notebook.wait_done(cell)
    assert card(notebook, cell).locator("a").count() == 0
    tab = notebook.page.context.new_page()
    tab.goto(str(address))
    expect(tab.get_by_role("heading")).to_contain_text("Cancelled")
    tab.close()


def test_a_closed_tab_can_be_opened_again(notebook: Notebook) -> None:
    cell = notebook.start_code(CALL)
    with consent_page(notebook, cell):
        pass
    sign_in(notebook, cell)
    finishes_with(notebook, cell, "4 open issues")


def test_pressing_twice_is_one_sign_in(notebook: Notebook) -> None:
    cell = notebook.start_code(CALL)
    with consent_page(notebook, cell) as first, consent_page(notebook, cell) as second:
        approve(second)
        allow(second)
        first.locator("#approve").click(timeout=TIMEOUT)
        first.wait_for_load_state()
        assert "/authorize" not in first.url
    finishes_with(notebook, cell, "4 open issues")


def test_a_broker_killed_while_the_person_is_at_the_provider_loses_nothing(
    notebook: Notebook,
) -> None:
    """The pending sign-in is sealed in the vault, so the next broker finishes it."""
    cell = notebook.start_code(CALL)
    with consent_page(notebook, cell) as tab:
        approve(tab)
        kill_broker(notebook)
        allow(tab)
    finishes_with(notebook, cell, "4 open issues")


def test_a_broker_killed_later_keeps_the_connection(notebook: Notebook) -> None:
    cell = notebook.start_code(CALL)
    sign_in(notebook, cell)
    notebook.wait_done(cell)
    kill_broker(notebook)
    assert "4 open issues" in notebook.run_code(CALL)


def test_a_kernel_restart_keeps_the_connection(notebook: Notebook) -> None:
    cell = notebook.start_code(CALL)
    sign_in(notebook, cell)
    notebook.wait_done(cell)
    notebook.restart()
    notebook.run_code("%load_ext jupyter_valet")
    assert "4 open issues" in notebook.run_code(CALL)


def test_one_sign_in_serves_two_calls_that_wait(notebook: Notebook) -> None:
    """Two cards of the same provider: one sign-in finishes both."""
    both = (
        "import asyncio\n"
        "found = await asyncio.gather(tools.demo.list_issues.aio('tidepool'),\n"
        "                             tools.demo.list_projects.aio())\n"
        "print(*map(len, found))"
    )
    cell = notebook.start_code(both)
    sign_in(notebook, cell)
    finishes_with(notebook, cell, "4 3")
