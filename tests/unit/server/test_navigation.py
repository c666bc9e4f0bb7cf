"""What a browser says about a request, and which page takes it."""

from __future__ import annotations

from itertools import product

import pytest

from jupyter_valet.server.pages.navigation import posted, pressed, shown

LOCAL = "127.0.0.1:8888"
LOADED = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
PRESSED = {**LOADED, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-User": "?1"}
POSTED = {**PRESSED, "Origin": "null", "Content-Type": "application/x-www-form-urlencoded"}

MODES = (None, "navigate", "cors", "no-cors", "same-origin", "websocket", "navigate,navigate")
DESTS = (None, "document", "iframe", "frame", "object", "embed", "empty", "script", "worker")
SITES = (None, "none", "same-origin", "same-site", "cross-site")
USERS = (None, "?0", "?1")


def headers(**values: str | None) -> dict[str, str]:
    names = {"mode": "Mode", "dest": "Dest", "site": "Site", "user": "User"}
    return {f"Sec-Fetch-{names[k]}": v for k, v in values.items() if v is not None}


def test_only_a_page_load_is_shown_a_page() -> None:
    taken = [
        (mode, dest)
        for mode, dest in product(MODES, DESTS)
        if shown(headers(mode=mode, dest=dest), LOCAL) is None
    ]
    assert taken == [("navigate", "document")]


def test_only_a_cross_site_press_of_a_person_counts() -> None:
    taken = [
        (site, user)
        for site, user in product(SITES, USERS)
        if pressed({**LOADED, **headers(site=site, user=user)}, LOCAL) is None
    ]
    assert taken == [("cross-site", "?1")]


def test_a_press_is_a_page_load_first() -> None:
    for mode, dest in product(MODES, DESTS):
        press = {**PRESSED, **headers(mode=mode or "", dest=dest or "")}
        assert (pressed(press, LOCAL) is None) == ((mode, dest) == ("navigate", "document"))


@pytest.mark.parametrize("purpose", ["Sec-Purpose", "Purpose"])
def test_what_a_browser_fetches_ahead_is_refused(purpose: str) -> None:
    for check, good in ((shown, LOADED), (pressed, PRESSED), (posted, POSTED)):
        assert check(good, LOCAL) is None
        assert check({**good, purpose: "prefetch"}, LOCAL) is not None


@pytest.mark.parametrize("origin", [None, "", "http://127.0.0.1:8888", "https://evil.example"])
def test_a_form_comes_from_an_opaque_origin(origin: str | None) -> None:
    form = {**POSTED, "Origin": origin} if origin is not None else dict(POSTED)
    if origin is None:
        del form["Origin"]
    assert posted(form, LOCAL) is not None


def test_a_form_is_a_form() -> None:
    assert posted({**POSTED, "Content-Type": "text/plain"}, LOCAL) is not None
    charset = "application/x-www-form-urlencoded; charset=UTF-8"
    assert posted({**POSTED, "Content-Type": charset}, LOCAL) is None


def test_a_browser_over_plain_http_is_told_why() -> None:
    """Design, section 5.5: browsers send Sec-Fetch-* to https and loopback only."""
    far, near = shown({}, "hub.example"), shown({}, "localhost:8888")
    assert far is not None
    assert near is not None
    assert "https" in far.words
    assert "https" not in near.words
