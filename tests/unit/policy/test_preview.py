"""A write as a person reads it: nothing in it hides, and what is not shown is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_valet.broker.connections import Connection
from jupyter_valet.broker.egress import Request
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.oauth import Account
from jupyter_valet.broker.policy.access import Use
from jupyter_valet.broker.policy.preview import LONGEST_BODY, preview, spelled
from jupyter_valet.wire.control import PreviewView

API = Origin.parse("https://api.example:8443")
HELD = Connection(
    id="c1",
    principal="jane",
    provider="x",
    issuer="https://id.example",
    account=Account("1", "jane\u202e@example"),
    scopes=frozenset(),
    origins=(API,),
    created_at=1.0,
    last_used_at=0.0,
    status="active",
    reason="",
    revision=1,
)


def shown(body: bytes | None, target: str = "/a?b=1", **request: Any) -> PreviewView:
    sent = Request("POST", API, target, {"Content-Type": "application/json; x=1"}, body, **request)
    return preview(Use("x_make", "The tool x.make", sent, "write", words="Make it"), HELD)


def test_it_says_what_where_and_as_whom() -> None:
    seen = shown(b'{"a":1}')
    assert (seen.method, seen.host, seen.path) == ("POST", "https://api.example:8443", "/a?b=1")
    assert (seen.asker, seen.words, seen.tool) == ("The tool x.make", "Make it", "x_make")
    assert seen.account == "jane\\u{202e}@example"
    assert seen.content_type == "application/json"
    assert (seen.body, seen.note) == ('{\n  "a": 1\n}', "")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\u202eb", "a\\u{202e}b"),
        ("a\u2066b", "a\\u{2066}b"),
        ("a\x1b[2Kb", "a\\u{1b}[2Kb"),
        ("a\u200bb", "a\\u{200b}b"),
        ("a\u00a0b", "a\\u{a0}b"),
        ("a\rb", "a\\u{d}b"),
        ("a\u2028b", "a\\u{2028}b"),
        ("caf\u00e9 \u6f22\u5b57", "caf\u00e9 \u6f22\u5b57"),
    ],
)
def test_what_hides_or_reorders_is_spelled_out(text: str, seen: str) -> None:
    """D7: in plain text, and inside JSON, whether escaped there or not."""
    assert spelled(text) == seen
    assert shown(text.encode()).body == seen
    if text.isprintable() or text not in ("a\rb", "a\x1b[2Kb"):
        assert seen in shown(json.dumps({"x": text}, separators=(",", ":")).encode()).body


@pytest.mark.parametrize(
    "body",
    [
        b'{"to":"me","to":"you"}',
        b'{"n":1.0000000000000000001}',
        b'{"n":1e999}',
        b'{"n":NaN ,"x":1}',
        b'{"a" :1}',
        b"{",
        b"[" * 5000,
    ],
)
def test_what_a_parser_would_change_is_shown_as_it_is(body: bytes) -> None:
    """Of two members of one name a parser keeps one, and the server may keep the other."""
    assert shown(body).body == body.decode()[:LONGEST_BODY]


def test_a_huge_body_is_cut_and_named() -> None:
    seen = shown(b"x" * 10_000_000)
    assert len(seen.body) == LONGEST_BODY
    assert "10,000,000 bytes" in seen.note
    assert "SHA-256" in seen.note


def test_escapes_do_not_make_it_longer_than_that() -> None:
    seen = shown("\u202e".encode() * LONGEST_BODY)
    assert len(seen.body) == LONGEST_BODY
    assert seen.note


def test_what_is_not_text_is_named_only() -> None:
    seen = shown(b"\xff\xfe\x00")
    assert seen.body == ""
    assert "3 bytes that are not text" in seen.note


def test_no_body_is_no_body() -> None:
    assert (shown(None).body, shown(None).note) == ("", "")


@given(st.binary(max_size=300))
def test_whatever_is_shown_is_printable_and_all_of_it_or_told(body: bytes) -> None:
    seen = shown(body)
    assert all(line.isprintable() for line in seen.body.split("\n"))
    assert seen.body or seen.note or not body


def test_an_address_that_is_cut_is_told() -> None:
    """What a query says may stand at its end."""
    long = "/a?" + "x" * 3_000 + "&everybody=true"
    assert "address" in shown(None, long).note
    both = shown(b"y" * 10_000, long).note
    assert "of its address" in both
    assert "10,000 bytes" in both
