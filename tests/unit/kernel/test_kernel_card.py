"""What a card says and what it never says, as data, HTML and text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from jupyter_valet.kernel.cards import markup
from jupyter_valet.kernel.cards.face import face
from jupyter_valet.wire.views import ScopeView, TransactionView

URL = "https://hub.example/user/jane/valet/connect/" + "T" * 43
VIEW = TransactionView(
    id="T" * 43,
    revision=1,
    state="waiting",
    provider="demo",
    provider_title="Demo Provider",
    server="jupyter-valet at hub.example",
    reason="list_issues needs it.",
    url=URL,
    notebook="work/a.ipynb",
    expires_at=0,
    scopes=[ScopeView("read", "Read your issues"), ScopeView("openid", "")],
)
HOSTILE = (
    '<img src=x onerror=alert(1)><a href="https://evil.example">x</a> '
    "https://evil.example \x1b[31m\u202e"
)


class Page(HTMLParser):
    """The elements of a card."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(view: TransactionView = VIEW, message: str = "Please sign in.", **more: Any) -> Page:
    return Page(markup.page(face(view, message, **more)))


def test_the_card_says_who_asks_for_what_and_why() -> None:
    """EC-04, EC-18: server, provider, reason, scopes in words, notebook."""
    text = page().text
    for words in (
        "Sign in to Demo Provider",
        "jupyter-valet at hub.example",
        "list_issues needs it.",
        "Please sign in.",
        "Read your issues (read)",
        "openid",
        "work/a.ipynb",
    ):
        assert words in text


def test_the_card_says_what_the_notebook_gets() -> None:
    """Use is given, to this notebook and to read; the credential is not (level L0)."""
    for said in (page().text, markup.text(face(VIEW))):
        assert "Code in this notebook can read with this sign-in through tools" in said
        assert "not given the token" in said


def test_the_card_says_the_level_and_what_it_means() -> None:
    """D4: it is what the broker found for this kernel, and no other words of ours."""
    told = face(replace(VIEW, level="L2+", level_words="code here may use, and cannot read"))
    for said in (Page(markup.page(told)).text, markup.text(told)):
        assert "L2+: code here may use, and cannot read" in said
    assert "Isolation" not in markup.page(face(VIEW))


def test_what_keeps_a_kernel_from_l2_plus_is_for_the_command_to_say() -> None:
    """The list is long, and half of it in the middle of a card says less than where to read it."""
    words = (
        "direct attacks are stopped; not L2+: terminals are on (R22, R74), nbconvert " + "x" * 400
    )
    told = face(replace(VIEW, level="L2", level_words=words))
    assert told.isolation == "L2: direct attacks are stopped; not L2+, %valet says why"


def test_the_full_url_is_shown_with_its_host_marked() -> None:
    """EC-07, EC-13, EC-15."""
    html = markup.page(face(VIEW))
    assert "<mark>hub.example</mark>" in html
    assert URL in Page(html).text


def test_there_is_one_link_and_it_opens_apart() -> None:
    """EC-12, EC-14: a new top-level tab without an opener, after a click and never before."""
    found = page()
    assert found.all("a") == [
        {
            "class": "jv-sign-in",
            "href": URL,
            "target": "_blank",
            "rel": "noopener noreferrer",
            "aria-label": "Sign in to Demo Provider, in a new tab",
        }
    ]


@pytest.mark.parametrize(
    "name", ["server", "reason", "provider_title", "notebook", "account", "error"]
)
@pytest.mark.parametrize("state", ["waiting", "done", "failed"])
def test_nothing_that_is_said_becomes_markup(name: str, state: str) -> None:
    """EC-17: message and facts are text, and nothing in them can be pressed."""
    found = page(replace(VIEW, state=state, **{name: HOSTILE}), HOSTILE)
    assert not found.all("img")
    assert len(found.all("a")) == (1 if state == "waiting" else 0)
    assert "\x1b" not in found.text
    assert "\u202e" not in found.text


def test_scopes_are_text_too() -> None:
    """EC-17."""
    assert not page(replace(VIEW, scopes=[ScopeView(HOSTILE, HOSTILE)])).all("img")


def test_nothing_is_loaded_by_the_card() -> None:
    """EC-11: no image, frame, script, font or import, so nothing is fetched before the click."""
    html = markup.page(face(VIEW))
    tags = {tag for tag, _ in Page(html).tags}
    assert not tags & {
        "img",
        "iframe",
        "script",
        "link",
        "object",
        "embed",
        "video",
        "form",
        "base",
    }
    assert "url(" not in html
    assert "@import" not in html
    assert not re.search(r"\son\w+=", html)


@pytest.mark.parametrize("state", ["done", "declined", "cancelled", "expired", "failed"])
def test_a_card_that_is_over_has_no_address(state: str) -> None:
    """The saved notebook keeps no live link, in HTML or text."""
    over = face(replace(VIEW, state=state, account="jane", error="no"))
    for rendered in (
        markup.page(over),
        markup.text(over),
        markup.facts(over) + markup.status(over),
    ):
        assert "valet/connect" not in rendered
        assert "href" not in rendered


def test_a_card_that_nobody_waits_for_is_closed() -> None:
    """Interrupt closes the card, whatever the broker says later."""
    closed = face(VIEW, closed=True)
    assert not closed.live
    assert "Run it again" in closed.status


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("waiting", "Waiting"),
        ("opened", "is open"),
        ("at_provider", "at Demo Provider"),
        ("done", "Signed in to Demo Provider as jane"),
        ("declined", "Declined"),
        ("cancelled", "Cancelled"),
        ("expired", "expired"),
        ("failed", "did not work: the provider said no."),
    ],
)
def test_every_state_has_its_words(state: str, words: str) -> None:
    """The state is live while the cell runs."""
    view = replace(VIEW, state=state, account="jane", error="the provider said no.")
    assert words in face(view).status


def test_the_status_is_announced() -> None:
    """Screen readers hear progress politely and the end at once."""
    busy = Page(markup.status(face(VIEW))).all("p")[0]
    over = Page(markup.status(face(replace(VIEW, state="done")))).all("p")[0]
    assert (busy["role"], busy["aria-live"]) == ("status", "polite")
    assert (over["role"], over["aria-live"]) == ("alert", "assertive")


def test_the_address_can_be_reached_by_keyboard() -> None:
    """A long URL can be focused and read."""
    assert page().all("code")[0]["tabindex"] == "0"


def test_warnings_stand_beside_the_address() -> None:
    """EC-16."""
    view = replace(VIEW, url=URL.replace("hub.example", "hub.ex\u0430mple"))
    assert "mixes alphabets" in page(view).text
    assert "WARNING" in markup.text(face(view))


def test_an_unsafe_address_is_text_and_never_a_link() -> None:
    """EC-22, as a second line behind the flow's own check."""
    found = page(replace(VIEW, url="javascript:alert(1)"))
    assert not found.all("a")
    assert "Do not open it" in found.text


def test_there_is_a_way_to_say_no() -> None:
    """EC-05, EC-10, EC-18."""
    assert "decline" in page().text.lower()
    assert "decline" in markup.text(face(VIEW)).lower()


def test_only_the_address_can_become_a_link_in_text() -> None:
    """EC-17: front ends make links of URLs in plain text."""
    text = markup.text(
        face(replace(VIEW, reason="see https://evil.example"), "https://evil.example")
    )
    assert "https://evil.example" not in text
    assert re.findall(r"https?://\S+", text) == [URL]


@pytest.mark.parametrize("message", [VIEW.reason, f"Sign in at Demo. {VIEW.reason}"])
def test_the_message_is_not_said_twice(message: str) -> None:
    """What the elicitation and the transaction both say is one line, and nothing is left out."""
    text = page(message=message).text
    assert text.count(VIEW.reason) == 1
    assert message in text


@pytest.mark.parametrize("state", ["", ":visited", ":hover", ":focus", ":active"])
def test_the_link_is_white_whatever_the_front_end_does_to_links(state: str) -> None:
    """WCAG 1.4.3: JupyterLab paints a link black when it is under the mouse or has the focus."""
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", markup.stylesheet())
    selector = f".jv-card .jv-actions .jv-sign-in{state}"
    bodies = [body for names, body in rules if selector in map(str.strip, names.split(","))]
    assert any("\n  color: #fff;" in body for body in bodies)


def test_the_style_follows_the_theme() -> None:
    """Light and dark: JupyterLab's variables, with fallbacks for other front ends."""
    css = markup.stylesheet()
    assert re.findall(r"var\(--jp-[\w-]+\)", css) == []  # each has a fallback
    assert '[data-jp-theme-light="false"]' in css
    assert "prefers-reduced-motion" in css
    assert all(
        line.lstrip().startswith((".jv-", "[data-", "@", "5", "}"))
        for line in css.split("\n")
        if "{" in line or "}" in line
    )
