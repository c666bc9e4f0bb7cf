"""The card's one output in a notebook: with widgets and without, from first to last."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import IPython.display
import pytest

from jupyter_valet.kernel.cards import notebook
from jupyter_valet.kernel.cards.notebook import WIDGET_MIME, NotebookCard
from jupyter_valet.wire.views import TransactionView

URL = "https://hub.example/valet/connect/" + "T" * 43
VIEW = TransactionView("T" * 43, 1, "waiting", "demo", "Demo", "valet", "why", URL, "a.ipynb", 0)


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was displayed, in order; every update goes to the same output."""
    shown: list[dict[str, Any]] = []
    ids = set()

    def display(bundle: dict[str, Any], *, raw: bool, display_id: str, update: bool) -> None:
        assert raw
        assert update is bool(shown)
        ids.add(display_id)
        assert len(ids) == 1
        shown.append(bundle)

    monkeypatch.setattr(IPython.display, "display", display)
    return shown


@pytest.fixture
def without_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an environment without ipywidgets."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)


@pytest.mark.usefixtures("without_widgets")
def test_without_widgets_the_card_is_html_that_follows_the_state(
    output: list[dict[str, Any]],
) -> None:
    """The most portable form: HTML and text in one output, updated in place."""
    card = NotebookCard(VIEW, "")
    card.show(replace(VIEW, state="opened", revision=2))
    card.show(replace(VIEW, state="done", revision=3, account="jane"))
    card.close()
    assert [set(bundle) for bundle in output] == [{"text/plain", "text/html"}] * 3
    assert URL in output[0]["text/html"]
    assert "interrupt the kernel" in output[0]["text/html"]
    assert "is open" in output[1]["text/html"]
    assert "Signed in to Demo as jane" in output[2]["text/html"]
    assert "valet/connect" not in json.dumps(output[2])
    assert not card.offer_again()


def test_widgets_lose_the_address_before_they_go(
    output: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No saved widget state with a live link, whatever the front end saves and when."""
    monkeypatch.setattr(notebook, "buttons_arrive", lambda: True)
    card = NotebookCard(VIEW, "")
    parts: Any = card._parts
    values = (parts._facts, parts._sign_in, parts._status)
    assert any(URL in part.value for part in values)
    card.close()
    assert all(part.value == "" for part in values)
    assert all(part.comm is None for part in values)
    assert WIDGET_MIME in output[0]
    assert WIDGET_MIME not in output[-1]


def test_only_the_status_changes_while_the_person_signs_in(
    output: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The focus stays on the link, and the button's comm stays silent (ipykernel 7.4.0)."""
    monkeypatch.setattr(notebook, "buttons_arrive", lambda: True)
    card = NotebookCard(VIEW, "")
    parts: Any = card._parts
    before = (parts._facts.value, parts._sign_in.value)
    card.show(replace(VIEW, state="at_provider", revision=2))
    assert (parts._facts.value, parts._sign_in.value) == before
    assert "at Demo" in parts._status.value
    assert len(output) == 1
    card.close()


def test_a_click_sets_a_flag_and_nothing_else(
    output: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callbacks run in whatever thread the kernel picks."""
    monkeypatch.setattr(notebook, "buttons_arrive", lambda: True)
    card = NotebookCard(VIEW, "")
    parts: Any = card._parts
    assert not card.declined()
    parts._buttons[0].click()
    assert card.declined()
    assert len(output) == 1
    card.close()


@pytest.mark.usefixtures("output")
def test_a_kernel_that_hears_no_clicks_gets_no_button(monkeypatch: pytest.MonkeyPatch) -> None:
    """ipykernel 6: a button that does nothing would be a lie."""
    monkeypatch.setattr(notebook, "buttons_arrive", lambda: False)
    card = NotebookCard(VIEW, "")
    parts: Any = card._parts
    assert parts._buttons == []
    assert "press Decline on that page" in parts._status.value
    assert not card.offer_again()
    card.close()
