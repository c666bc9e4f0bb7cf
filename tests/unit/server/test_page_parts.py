"""The small parts of the pages: words, cookies, what is held, headers."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest

from jupyter_valet.server.pages import binding, headers, words
from jupyter_valet.server.pages.held import Held
from jupyter_valet.server.pages.render import TEMPLATES, render
from jupyter_valet.wire.control import PageFacts
from jupyter_valet.wire.views import TransactionState


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://github.com/login/oauth/authorize?x=1", True),
        ("http://127.0.0.1:9000/authorize", True),
        ("http://localhost/authorize", True),
        ("http://github.com/authorize", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        ("//github.com/authorize", False),
        ("https://user@github.com/", False),
        ("https://", False),
        ("https://git hub.com/", False),
        ("https://github.com/\r\nSet-Cookie: a=b", False),
        ("https://github.com:port/", False),
        ("", False),
    ],
)
def test_a_browser_is_sent_to_http_s_only(url: str, fine: bool) -> None:
    """BP-19, EC-22."""
    assert words.may_open(url) is fine


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200b", "\x1b", "\r", "\n", "\ufeff"])
def test_marks_that_deceive_are_shown_as_such(mark: str) -> None:
    """D7."""
    assert words.plain(f"a{mark}b") == "a\ufffdb"


def test_every_final_state_has_words() -> None:
    titles = [words.ending(state)[0] for state in TransactionState if state.final]
    assert len(set(titles)) == len(titles)
    assert "Not finished yet" not in titles


def test_each_sign_in_has_a_cookie_of_its_own() -> None:
    one = binding.name_for("https://idp.example/authorize?state=one&x=1", secure=True)
    two = binding.name_for("https://idp.example/authorize?state=two", secure=True)
    assert one != two
    assert one.startswith("__Secure-valet-binding-")
    assert one == binding.name("code=1&state=one", secure=True)
    assert "one" not in one


def test_the_cookie_goes_to_its_callback_alone() -> None:
    back = "redirect_uri=https%3A%2F%2Fhub.example%2Fa%2540b%2Fvalet%2Fcallback%2Fgithub"
    callbacks = "/a%40b/valet/callback"
    location = f"https://idp.example/authorize?{back}"
    assert binding.path_for(location, callbacks) == f"{callbacks}/github"
    elsewhere = "https://idp.example/authorize?redirect_uri=https%3A%2F%2Fhub.example%2F"
    assert binding.path_for(elsewhere, callbacks) == callbacks


def test_a_held_value_is_taken_once_and_in_time() -> None:
    now = [0.0]
    held: Held[str] = Held(seconds=10, clock=lambda: now[0])
    held.put("a", "A")
    held.put("b", "B")
    assert held.take("a") == "A"
    assert held.take("a") is None
    now[0] = 10.0
    assert held.take("b") is None


def test_strangers_cannot_fill_the_memory() -> None:
    held: Held[int] = Held(seconds=10, limit=3)
    for number in range(10):
        held.put(str(number), number)
    assert [held.take(str(number)) for number in range(10)] == [None] * 7 + [7, 8, 9]


@pytest.mark.parametrize(
    ("asker", "it", "others"),
    [
        ({"notebook": "a.ipynb"}, "the notebook <bdi>a.ipynb</bdi>", "No other notebook"),
        ({"client": "An IDE"}, "the program <bdi>An IDE</bdi>", "No notebook and no other program"),
    ],
)
def test_the_consent_page_says_how_far_a_yes_goes(
    asker: dict[str, str], it: str, others: str
) -> None:
    """BP-03: to read, for who asks alone, until it is taken back."""
    known = {
        "step": "consent",
        "state": "opened",
        "expires_at": 0,
        "redirect_uri": "",
        "reason": "",
    }
    named = dict.fromkeys(
        ("transaction", "nonce", "provider", "provider_title", "provider_host"), "x"
    )
    facts = PageFacts.from_json({"notebook": "", **known, **named, **asker})
    page = render("consent.html", facts=facts, here="/", origin="http://x/", base="/")
    text = " ".join(page.split())
    assert f"{it} may read with this account until you take it back" in text
    assert "each write is shown to you and waits for your word" in text
    assert f"{others} may use it before you say so" in text


def test_the_policy_lets_the_one_style_sheet_in() -> None:
    page = render("problem.html", title="T", words="W")
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = headers.security_headers()["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'" in policy


def test_no_template_holds_a_script_or_switches_escaping_off() -> None:
    for template in TEMPLATES.glob("*.html"):
        source = template.read_text(encoding="utf-8")
        assert not re.search(r"<script|\son\w+=|javascript:|\|\s*safe|autoescape|style=", source)


def code_page(**more: Any) -> str:
    known = {
        "step": "code",
        "state": "at_provider",
        "expires_at": 0,
        "redirect_uri": "",
        "reason": "",
        "notebook": "a.ipynb",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://known.example/device",
        "verification_host": "known.example",
        "provider_host": "id.evil.example",
        "provider_title": "GitHub",
        **dict.fromkeys(("transaction", "nonce", "provider"), "x"),
    }
    facts = PageFacts.from_json({**known, **more})
    page = render("code.html", facts=facts, here="/", origin="http://x/", base="/")
    return " ".join(page.split())


def test_the_page_of_a_code_names_the_hosts_and_never_what_a_provider_calls_itself() -> None:
    """RFC 8628 §5.4: where it is typed, whose it is, and who says that there is such a provider."""
    text = code_page(
        code_is_elsewhere=True, named_by="a document of a notebook, https://evil\u202e"
    )
    assert "<h1>Type this code at known.example</h1>" in text
    assert "The code is of <strong>id.evil.example</strong>, which sends you to" in text
    assert "<dt>Named by</dt><dd><bdi>a document of a notebook, https://evil\ufffd</bdi>" in text
    assert "settings know nothing of <bdi>id.evil.example</bdi>" in text
    usual = code_page()
    assert "which sends you to" not in usual
    assert "Named by" not in usual
