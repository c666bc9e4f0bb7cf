"""Which URLs become a link, and what the person is told about them."""

from __future__ import annotations

import pytest

from jupyter_valet.kernel.cards.links import examine, is_loopback


@pytest.mark.parametrize(
    ("url", "before", "host", "after"),
    [
        (
            "https://hub.example/user/a/valet/connect/x",
            "https://",
            "hub.example",
            "/user/a/valet/connect/x",
        ),
        ("http://127.0.0.1:8888/valet/connect/x", "http://", "127.0.0.1", ":8888/valet/connect/x"),
        ("http://[::1]:8888/x", "http://", "[::1]", ":8888/x"),
        ("http://localhost/x?y=localhost", "http://", "localhost", "/x?y=localhost"),
        ("https://https.example/https.example", "https://", "https.example", "/https.example"),
    ],
)
def test_the_full_url_is_kept_and_its_host_stands_out(
    url: str, before: str, host: str, after: str
) -> None:
    """EC-13, EC-15."""
    link = examine(url)
    assert (link.before, link.host, link.after) == (before, host, after)
    assert link.url == url
    assert link.warnings == ()
    assert link.refusal == ""


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JAVASCRIPT://x/%0aalert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "ftp://example.org/",
        "//example.org/",
        "https:example.org",
        "https:/example.org",
        "https://",
        "",
        "valet/connect/x",
    ],
)
def test_only_web_addresses_become_links(url: str) -> None:
    """EC-22, BP-19."""
    assert examine(url).refusal


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "http://192.168.1.5:8888/x", "http://localhost.example.org/"]
)
def test_plain_http_is_for_this_machine_alone(url: str) -> None:
    """EC-22, ES-28."""
    assert examine(url).refusal == "it is not encrypted"


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com@evil.example/",
        "https://github.com:443@evil.example/",
        "https://@e.example/",
    ],
)
def test_a_user_name_that_hides_the_host_is_refused(url: str) -> None:
    """EC-16."""
    assert "user name" in examine(url).refusal


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a\nb",
        "https://example.org/\u202egpj",
        "https://exam\u200bple.org/",
        "https://example.org\\@evil.example/",
        "https://example.org/ x",
        "https://example.org/\u00a0x",
        "https://example.org/\x1b[31m",
    ],
)
def test_hidden_characters_are_refused(url: str) -> None:
    """EC-13: what is shown is what is opened."""
    assert examine(url).refusal == "it holds hidden characters"


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.01", "999.1.1.1"]
)
def test_numbers_in_disguise_are_refused(host: str) -> None:
    """EC-16."""
    assert examine(f"https://{host}/").refusal == "its host is a number in disguise"


def test_an_address_too_long_to_read_is_refused() -> None:
    """EC-13: nobody reads a URL of several screens."""
    assert examine("https://example.org/" + "a" * 2000).refusal


def test_punycode_is_written_out() -> None:
    """EC-16."""
    label = "g\u00edthub".encode("punycode").decode()
    host = f"xn--{label}.example"
    link = examine(f"https://{host}/x")
    assert link.host == host
    assert any("g\u00edthub.example" in warning for warning in link.warnings)


def test_mixed_alphabets_are_told() -> None:
    """EC-16: Cyrillic a in a Latin word."""
    assert any("mixes alphabets" in w for w in examine("https://p\u0430ypal.example/").warnings)
    punycode = "p\u0430ypal".encode("punycode").decode()
    assert any("mixes alphabets" in w for w in examine(f"https://xn--{punycode}.example/").warnings)


def test_foreign_letters_are_told_without_being_called_a_trick() -> None:
    """EC-16."""
    warnings = examine("https://b\u00fccher.example/").warnings
    assert len(warnings) == 1
    assert "mixes" not in warnings[0]


def test_broken_punycode_is_shown_as_it_is() -> None:
    """A label that does not decode must not break the card."""
    assert examine("https://xn--99999999999.example/").url == "https://xn--99999999999.example/"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "a.localhost", "::1"])
def test_loopback_is_known_by_its_form(host: str) -> None:
    """EC-22."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["128.0.0.1", "localhost.evil.example", "127.0.0.1.nip.io", "0.0.0.0"]
)
def test_what_looks_like_loopback_is_not(host: str) -> None:
    """EC-22."""
    assert not is_loopback(host)
