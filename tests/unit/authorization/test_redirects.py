"""Redirect URIs: which may be, and which one a request may name."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.authorization.redirects import comes_back, names, parse

GOOD = {
    "https://vscode.dev/redirect": ("web", "vscode.dev", "https://vscode.dev"),
    "https://claude.ai:8443/cb?x=1": ("web", "claude.ai", "https://claude.ai:8443"),
    "http://127.0.0.1:33418/": ("loopback", "127.0.0.1", "http://127.0.0.1:33418"),
    "http://localhost/callback": ("loopback", "localhost", "http://localhost"),
    "http://[::1]:9/cb": ("loopback", "::1", "http:"),
    "com.example.agent:/oauth": ("app", "com.example.agent", "com.example.agent:"),
    "cursor://anysphere.cursor-mcp/oauth/callback": ("app", "cursor", "cursor:"),
    "vscode://publisher.extension/callback": ("app", "vscode", "vscode:"),
}


@pytest.mark.parametrize("uri", GOOD)
def test_a_redirect_is_known_by_where_it_goes(uri: str) -> None:
    """RFC 8252 §7; the CSP source is for the form of the page."""
    found = parse(uri)
    assert (found.kind, found.host, found.source) == GOOD[uri]


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "callback",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "blob:https://x.example/1",
        "about:blank",
        "intent://x#Intent;end",
        "http://example.com/cb",
        "http://127.0.0.1.example.com/cb",
        "http://localhost.example.com/cb",
        "http://10.0.0.1/cb",
        "https://user@example.com/cb",
        "https://user:pw@example.com/cb",
        "https://example.com/cb#fragment",
        "https://example.com\\@evil.example/cb",
        "https://exam ple.com/cb",
        'https://example.com/"><script>',
        "https://example.com/\r\nSet-Cookie:x",
        "https:///cb",
        "https://example.com:99999/cb",
        "HTTPS://example.com/cb",
        "https://ex;ample.com/cb",
        "https://example.com/" + "a" * 1000,
        "view-source:https://x.example/",
    ],
)
def test_what_could_be_a_script_or_a_strangers_host_is_no_redirect(uri: str) -> None:
    """AS-02, RFC 8252 §7.1: a private scheme is a program's own, plain http is for loopback."""
    with pytest.raises(ValueError, match=r"URI|scheme|host|http|[Pp]ort"):
        parse(uri)


@pytest.mark.parametrize(
    ("registered", "asked"),
    [
        ("https://a.example/cb", "https://a.example/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:4711/cb"),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:4711/cb"),
        ("http://localhost:1/cb?x=1", "http://localhost:2/cb?x=1"),
        ("http://[::1]/cb", "http://[::1]:2/cb"),
    ],
)
def test_a_loopback_redirect_may_name_another_port_and_nothing_else_may_differ(
    registered: str, asked: str
) -> None:
    """BP-05, RFC 8252 §7.3."""
    assert names([registered], asked)


@pytest.mark.parametrize(
    ("registered", "asked"),
    [
        ("https://a.example/cb", "https://a.example/cb/"),
        ("https://a.example/cb", "https://a.example/cb?x"),
        ("https://a.example/cb", "https://a.example:443/cb"),
        ("https://a.example/cb", "https://A.example/cb"),
        ("https://a.example/cb", "https://a.example/cb/../evil"),
        ("https://a.example:1/cb", "https://a.example:2/cb"),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:1/other"),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:1/cb?x"),
        ("http://127.0.0.1:1/cb", "http://localhost:1/cb"),
        ("http://127.0.0.1:1/cb", "http://127.0.0.2:1/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb"),
        ("com.example:/cb", "com.example:/cb2"),
        ("https://a.example/cb", ""),
    ],
)
def test_every_other_difference_is_another_redirect(registered: str, asked: str) -> None:
    """AS-02, BP-05: compared as strings."""
    assert not names([registered], asked)


def test_a_program_that_any_other_could_claim_to_be_is_known_as_such() -> None:
    """AS-04: loopback and private schemes belong to whoever is first on that machine."""
    assert parse("http://127.0.0.1/cb").claimable
    assert parse("cursor://x/cb").claimable
    assert not parse("https://a.example/cb").claimable


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://hub.example/user/mallory/files/x.html", "https://hub.example/user/jane/"),
        ("https://hub.example:443/cb", "https://hub.example/"),
        ("http://127.0.0.1:8888/lab", "http://localhost:8888/"),
        ("http://localhost:8888/files/x.html", "http://[::1]:8888/"),
        ("http://127.0.0.9:8888/", "http://127.0.0.1:8888/"),
        ("http://localhost/", "http://127.0.0.1/"),
    ],
)
def test_an_answer_is_not_sent_where_scripts_of_notebooks_are(uri: str, origin: str) -> None:
    """RFC 9700 §4.2: what a page is loaded with, the scripts of its origin read."""
    assert comes_back(parse(uri), origin)


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://agent.example/cb", "https://hub.example/"),
        ("https://hub.example:8443/cb", "https://hub.example/"),
        ("http://127.0.0.1:33418/", "http://127.0.0.1:8888/"),
        ("http://127.0.0.1:8888/", "https://hub.example/"),
        ("com.example.agent:/oauth", "https://hub.example/"),
        ("vscode://publisher.extension/callback", "http://localhost/"),
    ],
)
def test_an_answer_may_be_sent_to_every_other_place(uri: str, origin: str) -> None:
    assert not comes_back(parse(uri), origin)
