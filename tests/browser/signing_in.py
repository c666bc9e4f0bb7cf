"""What a person does between the card and the last page, one function a page."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from jlab import Notebook
from playwright.sync_api import Locator, Page

TIMEOUT = 60_000
"""Milliseconds; loading the broker's parts for the first time takes seconds on a busy machine."""


def card(notebook: Notebook, index: int) -> Locator:
    """Return the newest card of a cell."""
    return notebook.cell(index).locator(".jv-card").last


def sign_in_link(notebook: Notebook, index: int) -> Locator:
    """Return the one link of a cell's card, once it is there."""
    link = card(notebook, index).locator("a.jv-sign-in")
    link.wait_for(timeout=TIMEOUT)
    return link


@contextmanager
def question_page(notebook: Notebook, index: int, button: str) -> Iterator[Page]:
    """Press the button of a cell's card; yield the tab that opens, and close it at the end.

    `button` is what the tab's page goes on by. Where this machine has no wall for kernels, a page
    comes first on which the person says that they know.
    """
    link = sign_in_link(notebook, index)
    with notebook.page.context.expect_page() as opened:
        link.click()
    tab = opened.value
    accept = tab.locator("#accept")
    tab.locator(button).or_(accept).first.wait_for(timeout=TIMEOUT)
    if accept.is_visible():
        tick(tab)
        accept.click(timeout=TIMEOUT)
        tab.locator(button).wait_for(timeout=TIMEOUT)
    try:
        yield tab
    finally:
        tab.close()


def tick(tab: Page) -> None:
    """Say that the isolation of the kernel is known, where the page asks for it."""
    box = tab.locator("#understood")
    if box.count():
        box.check()


@contextmanager
def consent_page(notebook: Notebook, index: int) -> Iterator[Page]:
    """Open the page of a sign-in."""
    with question_page(notebook, index, "#approve") as tab:
        yield tab


@contextmanager
def grant_page(notebook: Notebook, index: int) -> Iterator[Page]:
    """Open the page of a grant."""
    with question_page(notebook, index, "#grant") as tab:
        tick(tab)
        yield tab


def grant(notebook: Notebook, index: int, *choose: str) -> None:
    """Let the notebook of a cell's card use the connection; `choose` are the radios to press."""
    with grant_page(notebook, index) as tab:
        for selector in choose:
            tab.locator(selector).check()
        tab.locator("#grant").click(timeout=TIMEOUT)
        tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)


@contextmanager
def approval_page(notebook: Notebook, index: int) -> Iterator[Page]:
    """Open the page that shows what a cell wants to write."""
    with question_page(notebook, index, "#allow") as tab:
        yield tab


def approve_write(notebook: Notebook, index: int, choice: str = "once") -> None:
    """Approve what a cell wants to write."""
    with approval_page(notebook, index) as tab:
        tab.locator(f"#{choice}").check()
        tab.locator("#allow").click(timeout=TIMEOUT)
        tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)


def approve(tab: Page) -> None:
    """Approve on our page; the tab is at the provider afterwards."""
    tab.locator("#approve").click(timeout=TIMEOUT)
    tab.wait_for_url("**/authorize?**", timeout=TIMEOUT)


def allow(tab: Page, person: str = "Amara Okafor", untick: Collection[str] = ()) -> None:
    """Agree at the demo provider; the tab is on our last page afterwards."""
    agree(tab, person, untick)
    tab.wait_for_url("**/valet/done/**", timeout=TIMEOUT)


def agree(tab: Page, person: str = "Amara Okafor", untick: Collection[str] = ()) -> None:
    """Choose who signs in at the demo provider, unless it knows, and what is allowed there."""
    allow_button = tab.get_by_role("button", name="Allow")
    choice = tab.get_by_role("button", name=person)
    allow_button.or_(choice).first.wait_for(timeout=TIMEOUT)
    if choice.is_visible():
        choice.click()
    for scope in untick:
        tab.locator(f"input[value='{scope}']").uncheck()
    allow_button.click()


def sign_in(notebook: Notebook, index: int, untick: Collection[str] = ()) -> None:
    """Do all of it for the card of a cell."""
    with consent_page(notebook, index) as tab:
        approve(tab)
        allow(tab, untick=untick)
