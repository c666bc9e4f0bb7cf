"""The pure parts of a notebook's own request: address, headers, reads, limits, misdirection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_valet.broker.egress import Request
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.forward.address import address, facts_of
from jupyter_valet.broker.forward.headers import incoming, outgoing
from jupyter_valet.broker.forward.limits import ForwardLimits
from jupyter_valet.broker.forward.misdirected import Misdirected
from jupyter_valet.broker.forward.upload import Upload
from jupyter_valet.broker.oauth.providers import BUILT_IN
from jupyter_valet.broker.policy.reading import access_of
from jupyter_valet.wire import capability, egress
from jupyter_valet.wire.errors import ValetError

API = Origin.parse("https://api.example")


def test_an_address_is_a_provider_an_origin_and_a_target() -> None:
    """The provider's URL, with its scheme and host as segments."""
    found = address("/egress/github/https/api.github.com/user/repos", "page=2")
    assert (found.provider, str(found.origin)) == ("github", "https://api.github.com")
    assert found.target == "/user/repos?page=2"
    assert address("/egress/own/http/127.0.0.1:8000", "").target == "/"


@given(st.text(max_size=60))
def test_whatever_the_path_is_it_is_an_address_or_a_bad_request(rest: str) -> None:
    """Nothing else comes of what a kernel writes."""
    try:
        found = address(f"/egress/own/https/api.example/{rest}", "")
        request = Request("GET", found.origin, found.target)
    except (ValetError, ValueError):
        return
    assert request.url.startswith("https://api.example/")


def test_the_base_of_an_origin_leads_to_it() -> None:
    """What both sides of the wall must know the same way."""
    for origin in ("https://api.example", "http://127.0.0.1:8000", "https://a.example:8443"):
        found = address(f"{egress.base('own', origin)}/x", "")
        assert (str(found.origin), found.target) == (origin, "/x")
    assert facts_of("/egress/own") == "own"
    assert facts_of("/egress/own/https/x") is None
    assert facts_of("/egress/Own") is None


def test_a_header_that_comes_twice_is_one_line() -> None:
    """RFC 9110 §5.3; and bytes outside ASCII are nobody's header (R128)."""
    raw = [(b"Accept", b"a/b"), (b"accept", b"c/d"), (b"X-Own", "caf\u00e9".encode("latin-1"))]
    assert outgoing(raw) == {"accept": "a/b, c/d"}


def test_links_are_rewritten_and_nothing_else_in_them() -> None:
    """RFC 8288: parameters stay, and so does what is no URL."""
    headers = {"link": '</x?page=2>; rel="next"; title="a, b"', "x-own": "https://api.example/x"}
    found = dict(incoming(headers, lambda url: f"[{url}]"))
    assert found[b"link"] == b'<[/x?page=2]>; rel="next"; title="a, b"'
    assert found[b"x-own"] == b"https://api.example/x"


PROFILE = replace(
    next(p for p in BUILT_IN if p.name == "github"),
    reads=("POST /api/*.list", "POST /api/auth.test"),
)


@pytest.mark.parametrize(
    ("method", "target", "access"),
    [
        ("GET", "/anything", "read"),
        ("HEAD", "/anything", "read"),
        ("QUERY", "/anything", "read"),
        ("POST", "/api/conversations.list", "read"),
        ("POST", "/api/conversations.list?limit=3", "read"),
        ("POST", "/api/auth.test", "read"),
        ("POST", "/api/chat.postMessage", "write"),
        ("POST", "/api/conversations%2Elist", "write"),
        ("POST", "/api/a/b.list", "write"),
        ("POST", "/api/chat.postMessage/.list", "write"),
        ("POST", "/api/chat.postMessage;x.list", "write"),
        ("POST", "/api/authXtest", "write"),
        ("POST", "/x/api/auth.test", "write"),
        ("PUT", "/api/auth.test", "write"),
        ("DELETE", "/api/conversations.list", "write"),
    ],
)
def test_what_is_not_sure_to_read_is_a_write(method: str, target: str, access: str) -> None:
    """A rule holds for one method and one spelling of a path."""
    assert access_of(PROFILE, Request(method, API, target)) == access


def test_without_rules_every_post_is_a_write() -> None:
    assert access_of(replace(PROFILE, reads=()), Request("POST", API, "")) == "write"


@given(st.binary(max_size=200), st.lists(st.integers(1, 80), min_size=1, max_size=20))
def test_a_capability_is_seen_however_the_body_is_cut(before: bytes, sizes: list[int]) -> None:
    """ES-22."""
    watch, body = Misdirected("X"), before + capability.mint().encode() + b"."
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    cuts = zip([0, *ends], [*ends, len(body)], strict=True)
    with pytest.raises(ValetError, match="holds a capability"):
        b"".join(watch.feed(body[begin:end]) for begin, end in cuts)


def test_what_only_begins_like_one_passes() -> None:
    """A file may speak of `jvk_`."""
    watch = Misdirected("X")
    assert watch.feed(b"jvk_ is a prefix, jvk_short") == b"jvk_ is a prefix, jvk_short"
    watch.check(["/x?q=jvk_", "jvk_" + "x" * 42])


@pytest.mark.parametrize(
    "settings",
    [{"concurrent": 0}, {"seconds": "1"}, {"other": 1}, {"request_bytes": True}, {"seconds": -1}],
)
def test_a_limit_that_is_none_is_named(settings: dict[str, object]) -> None:
    """It stops the start, as a provider's setting does."""
    with pytest.raises(ValetError, match=next(iter(settings))):
        ForwardLimits.read(settings)


def test_limits_are_the_usual_ones_but_for_those_that_are_set() -> None:
    limits = ForwardLimits.read({"concurrent": 4, "idle_seconds": 5})
    assert (limits.concurrent, limits.stream.idle_seconds) == (4, 5)
    assert limits.stream.seconds == ForwardLimits().stream.seconds


@pytest.mark.anyio
@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_body_is_shown_or_not_by_its_size_however_it_comes(pieces: int) -> None:
    """Else an approval that was given to what is small would be good for what is not, at times."""
    limits = ForwardLimits()
    body = b"x" * (limits.replay_bytes + 7)
    step = -(-len(body) // pieces)
    parts = [body[i : i + step] for i in range(0, len(body), step)]
    messages = [
        {"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts
    ]

    async def receive() -> Any:
        return messages.pop(0)

    upload = Upload([(b"content-length", b"1")], receive, limits, Misdirected("Demo"))
    assert await upload.begin() is None
    assert not upload.kept
    assert b"".join([piece async for piece in upload.streamed()]) == body
