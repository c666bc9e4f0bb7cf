"""A person makes an API key for a program, in a real Chromium: seen once, and gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jupyter_process import TOKEN, Server, jupyter_server
from leaks import must_not_leak
from playwright.sync_api import Browser, Page, expect
from program import ask, modern

pytestmark = [pytest.mark.timeout(120)]

LIST = modern("tools/list")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    with jupyter_server(home, fake=False, config="c.ValetExtension.demo = True\n") as running:
        yield running
    must_not_leak(home, home / "state")


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{server.url}api/status?token={TOKEN}")
        page.goto(f"{server.url}valet/connections")
        yield page


def make_key(page: Page, name: str) -> str:
    """Fill the form in and press; the button takes no press in its first moment."""
    page.get_by_text("Make an API key").click()
    page.get_by_label("For which program").fill(name)
    page.get_by_role("button", name="Make the key").click()
    field = page.get_by_label("API key", exact=True)
    expect(field).to_be_visible()
    return field.input_value()


def test_a_key_is_made_used_and_taken_back_on_the_page(server: Server, page: Page) -> None:
    token = make_key(page, "editor")
    assert ask(server, *LIST, token=token)[0] == 200
    page.get_by_role("link", name="Your connections").click()
    section = page.get_by_role("region", name="editor")
    expect(section).to_contain_text("use all tools that read")
    section.get_by_role("button", name="Take the key back").click()
    expect(page.get_by_role("region", name="editor")).to_have_count(0)
    assert ask(server, *LIST, token=token)[0] == 401


def test_neither_a_reload_nor_the_history_shows_it_again(page: Page) -> None:
    token = make_key(page, "once")
    assert token not in page.url
    page.reload()
    expect(page.locator("main")).not_to_contain_text("jva_")
    assert token not in page.content()
    page.go_back()
    assert token not in page.content()
    page.go_forward()
    assert token not in page.content()
    expect(page.get_by_role("region", name="once")).to_have_count(0)
    page.goto(page.url.partition("/key")[0])
    expect(page.get_by_role("region", name="once")).to_have_count(1)


def test_only_one_kind_of_answer_fits_the_form(page: Page) -> None:
    """What a person forgets is said where they are, in the browser's own words."""
    page.get_by_text("Make an API key").click()
    page.get_by_role("button", name="Make the key").click()
    assert page.url.endswith("/valet/connections")
    page.get_by_label("For which program").fill("narrow")
    page.get_by_label("use all tools that read", exact=True).uncheck()
    page.get_by_text("Only some toolsets").click()
    page.get_by_label("use the tools of demo that read", exact=True).check()
    page.get_by_label("For how long").select_option("7")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("main")).to_contain_text("use the tools of demo that read")
