"""The public origin: configured, told by the Hub, or the browser's own; never somebody else's."""

from __future__ import annotations

import pytest

from jupyter_valet.server.origin import Origins, is_loopback, of_navigation, of_request, parse

HUB = "https://hub.example/user/jane/"


def origins(configured: str = "", hub_url: str = "") -> Origins:
    own = "http://127.0.0.1:1234/user/jane/"
    return Origins("/user/jane/", configured, lambda: own, hub_url)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://hub.example", "https://hub.example"),
        ("https://HUB.example/user/jane/", "https://hub.example"),
        ("https://hub.example:443/", "https://hub.example"),
        ("http://localhost:8888", "http://localhost:8888"),
        ("http://[::1]:8888", "http://[::1]:8888"),
        ("hub.example", None),
        ("ftp://hub.example", None),
        ("javascript:alert(1)", None),
        ("https://", None),
        ("https://user@hub.example", None),
        ("https://hub.example:port", None),
        ("https://hub.example\\@evil.example", None),
        ("https://hub .example", None),
        ("https://[::1", None),
        ("null", None),
    ],
)
def test_an_origin_has_one_spelling(text: str, origin: str | None) -> None:
    assert parse(text) == origin


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost:8888", True),
        ("lab.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1:80", True),
        ("[::1]:8888", True),
        ("192.168.1.5", False),
        ("localhost.evil.example", False),
        ("hub.example", False),
        ("", False),
        ("[::1", False),
        ("a[b", False),
        ("[zz]:1", False),
    ],
)
def test_what_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_navigation_with_metadata_to_another_host_was_https() -> None:
    """A proxy ends the TLS and does not say so; the browser's Sec-Fetch-* headers do."""
    assert of_navigation("http", "hub.example") == "https://hub.example"
    assert of_navigation("http", "127.0.0.1:8888") == "http://127.0.0.1:8888"
    assert of_navigation("https", "localhost:8443") == "https://localhost:8443"


def test_a_request_of_a_page_names_its_origin() -> None:
    assert of_request({"Origin": "https://hub.example"}, "http", "hub.example") == (
        "https://hub.example"
    )
    same = {"Sec-Fetch-Site": "same-origin"}
    assert of_request(same, "http", "hub.example") == "https://hub.example"


def test_an_origin_that_is_not_the_host_is_not_believed() -> None:
    """A page of another origin, allowed by CORS, or a client that makes things up (L20)."""
    assert of_request({"Origin": "https://evil.example"}, "http", "hub.example") is None
    assert of_request({"Origin": "null"}, "http", "hub.example") is None
    assert of_request({}, "http", "evil.example") is None


def test_what_is_configured_wins() -> None:
    told = origins("https://proxy.example/", HUB)
    assert told.guess() == "https://proxy.example/user/jane/"
    assert told.for_page("http", "evil.example") == "https://proxy.example/user/jane/"
    evil = {"Origin": "https://evil.example"}
    assert told.for_kernel(evil, "https", "evil.example") == "https://proxy.example/user/jane/"


def test_what_the_hub_says_comes_next() -> None:
    assert origins("", HUB).for_page("http", "evil.example") == "https://hub.example/user/jane/"


def test_only_configuration_and_the_hub_fix_an_origin() -> None:
    """RS-05: an audience must not come from a `Host`, which the client writes."""
    learned = Origins(base_url="/b/", configured="", fallback=lambda: "http://127.0.0.1:8888")
    learned.learn("http", "localhost:8888")
    assert learned.fixed() == ""
    told = Origins(base_url="/b/", configured="https://j.example", fallback=lambda: "")
    assert told.fixed() == "https://j.example/b/"
    hub = Origins(
        base_url="/b/", configured="", fallback=lambda: "", hub_url="https://h.example/b/"
    )
    assert hub.fixed() == "https://h.example/b/"


def test_a_page_belongs_to_the_origin_of_its_own_navigation() -> None:
    told = origins()
    assert told.for_page("http", "localhost:9999") == "http://localhost:9999/user/jane/"


def test_a_kernel_that_no_browser_started_gets_what_was_learned() -> None:
    told = origins()
    assert told.for_kernel({}, "http", "evil.example") == "http://127.0.0.1:1234/user/jane/"
    told.learn("http", "hub.example")
    assert told.for_kernel({}, "http", "evil.example") == "https://hub.example/user/jane/"
    assert told.guess() == "https://hub.example/user/jane/"


def test_a_configured_origin_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="public_origin"):
        origins("hub.example")
