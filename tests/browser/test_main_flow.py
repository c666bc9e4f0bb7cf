"""A tool call asks for a login, the person signs in, and the same call finishes."""

from __future__ import annotations

import pytest
from jlab import Notebook
from signing_in import TIMEOUT, approve_write, card, sign_in, sign_in_link

CALL = "issues = tools.demo.list_issues('tidepool')\nprint(len(issues), 'open issues')"


@pytest.fixture(params=["lab", "notebook7"])
def notebook(request: pytest.FixtureRequest) -> Notebook:
    """A notebook in either front end, in which nobody is signed in."""
    notebook: Notebook = request.getfixturevalue(request.param)
    assert notebook.run_code("%load_ext jupyter_valet").count("\n") == 0
    notebook.run_code("%disconnect demo")
    return notebook


def test_the_call_that_asked_is_the_call_that_finishes(notebook: Notebook) -> None:
    cell = notebook.start_code(CALL)
    sign_in(notebook, cell)
    notebook.wait_done(cell)
    assert "4 open issues" in notebook.text(cell)
    assert "Signed in to Demo" in notebook.text(cell)


def test_the_next_call_asks_nothing(notebook: Notebook) -> None:
    sign_in(notebook, notebook.start_code(CALL))
    again = notebook.start_code(CALL)
    notebook.wait_done(again)
    assert notebook.text(again) == "4 open issues"


def test_the_saved_notebook_keeps_no_live_link(notebook: Notebook) -> None:
    """What is over cannot be pressed, now or when the file is opened again."""
    cell = notebook.start_code(CALL)
    address = sign_in_link(notebook, cell).get_attribute("href")
    assert address
    sign_in(notebook, cell)
    notebook.wait_done(cell)
    assert card(notebook, cell).locator("a").count() == 0
    assert address.rpartition("/")[2] not in notebook.saved()


def test_a_top_level_await_waits_too(notebook: Notebook) -> None:
    cell = notebook.start_code("print(len(await tools.demo.list_issues.aio('tidepool')))")
    sign_in(notebook, cell)
    notebook.wait_done(cell)
    assert "4" in notebook.text(cell)


def test_an_unticked_scope_is_named_and_asked_for_again(notebook: Notebook) -> None:
    """Granted scopes differ from those asked: the tool says what it still needs."""
    cell = notebook.start_code(CALL)
    sign_in(notebook, cell, untick=["issues:read"])
    notebook.wait_done(cell)
    assert "still needs" in notebook.text(cell)
    again = notebook.start_code(CALL)
    sign_in(notebook, again)
    notebook.wait_done(again)
    assert "4 open issues" in notebook.text(again)


def test_a_further_right_is_asked_for_when_it_is_needed(notebook: Notebook) -> None:
    """Step-up: the second sign-in asks for the union, and the write itself for an approval."""
    cell = notebook.start_code(CALL)
    sign_in(notebook, cell)
    notebook.wait_done(cell)
    writing = notebook.start_code(
        "print(tools.demo.create_issue('logbook', title='New rope')['author'])"
    )
    sign_in(notebook, writing)
    card(notebook, writing).get_by_text("Send this to").wait_for(timeout=TIMEOUT)
    approve_write(notebook, writing)
    notebook.wait_done(writing)
    assert "amara" in notebook.text(writing)
    reading = notebook.start_code(CALL)
    notebook.wait_done(reading)
    assert "4 open issues" in notebook.text(reading)
