"""A whole life of a connection, and no secret of it in anything that was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from jlab import Notebook
from leaks import in_vault, search
from playwright.sync_api import Request
from signing_in import TIMEOUT, allow, approve, consent_page

CALL = "print(len(tools.demo.list_issues('tidepool')), 'open issues')"
SECRET = ("code", "state", "auth")
"""Parameters of URLs that must leave no trace: the provider's answer, and our pages' nonces."""


class Wire:
    """Keeps the secrets that go by in the browser's address bar and cookies."""

    def __init__(self) -> None:
        self.seen: dict[str, set[str]] = {name: set() for name in SECRET}

    def take(self, request: Request) -> None:
        query = parse_qs(urlsplit(request.url).query)
        for name in SECRET:
            self.seen[name].update(query.get(name, []))


@pytest.fixture
def notebook(lab: Notebook) -> Notebook:
    lab.run_code("%load_ext jupyter_valet")
    lab.run_code("%disconnect demo")
    return lab


@pytest.fixture
def wire(notebook: Notebook) -> Iterator[Wire]:
    wire = Wire()
    context = notebook.page.context
    context.on("request", wire.take)
    yield wire
    context.remove_listener("request", wire.take)


def test_no_secret_of_a_whole_flow_is_in_any_file(notebook: Notebook, wire: Wire) -> None:
    """ES-21, D1: not in log, notebook, audit, vault file, history or runtime folder."""
    home = notebook.server.home
    state_dir = home / "data" / "valet"
    cell = notebook.start_code(CALL)
    with consent_page(notebook, cell) as tab:
        approve(tab)
        verifiers = in_vault(state_dir)  # the person is at the provider: it is still needed
        bindings = {
            cookie["value"] for cookie in tab.context.cookies() if "valet-binding" in cookie["name"]
        }
        allow(tab)
    notebook.wait_done(cell)
    tokens = in_vault(state_dir) - verifiers
    page = notebook.page.context.new_page()
    page.goto(f"{notebook.server.url}valet/connections")
    page.get_by_role("heading", name="Demo").first.wait_for(timeout=TIMEOUT)
    page.close()
    assert "4 open issues" in notebook.run_code(CALL)
    notebook.saved()

    assert all(wire.seen.values()), {name: len(found) for name, found in wire.seen.items()}
    assert verifiers
    assert bindings
    assert len(tokens) >= 2  # access and refresh
    known = set().union(verifiers, bindings, tokens, *wire.seen.values())
    assert search(home, known) == []
    _the_search_would_have_found_them(home, known)


def _the_search_would_have_found_them(home: Path, known: set[str]) -> None:
    """Each of them, where notebooks and logs are."""
    planted = home / "work" / "planted.txt"
    try:
        for secret in known:
            planted.write_text(f"key={secret}")
            assert [leak.path for leak in search(planted.parent, [secret])] == [planted]
    finally:
        planted.unlink(missing_ok=True)
