"""The clients' sans-I/O part, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from unittest.mock import Mock

import pytest

from jupyter_valet.kernel.clients.environment import Environment
from jupyter_valet.kernel.clients.route import Question, Route
from jupyter_valet.wire import capability
from jupyter_valet.wire.errors import ValetError

TOKEN = capability.mint()
ROUTE = Route(
    "own", "Own", ("https://api.example", "http://127.0.0.1:8000"), "http://127.0.0.1:9", Mock(),
    TOKEN,
)  # fmt: skip


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://api.example/x?a=1#f", "https/api.example/x?a=1#f"),
        ("https://api.example", "https/api.example"),
        ("https://api.example:443/x", "https/api.example/x"),
        ("HTTPS://API.EXAMPLE/x", "https/api.example/x"),
        ("http://127.0.0.1:8000/x", "http/127.0.0.1:8000/x"),
    ],
)
def test_a_url_of_the_provider_goes_to_the_broker(url: str, sent: str) -> None:
    assert ROUTE.outward(url) == f"http://127.0.0.1:9/egress/own/{sent}"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x",
        "http://api.example/x",
        "https://api.example:8443/x",
        "https://api.example@evil.example/",
        "https://jane@api.example/",
        "https://api.example.evil.example/",
        "https://api.example:x/",
    ],
)
def test_any_other_is_refused(url: str) -> None:
    """R114–R116, R134: it never leaves with a capability."""
    with pytest.raises(ValetError) as caught:
        ROUTE.outward(url)
    assert caught.value.code == "foreign_host"


def test_ours_become_the_provider_s_again() -> None:
    text = (
        '<http://127.0.0.1:9/egress/own/https/api.example/x?p=2>; rel="next", <https://b.example>'
    )
    assert ROUTE.homeward(text) == '<https://api.example/x?p=2>; rel="next", <https://b.example>'


def test_the_capability_is_not_shown() -> None:
    assert TOKEN not in repr(ROUTE)
    assert TOKEN not in f"{Environment({'A': TOKEN})!r}{Environment({'A': TOKEN})}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error": {"code": "endpoint_denied"}}', "endpoint_denied"),
        (b'{"error": {"code": "x"}, "transaction": {"id": "1"}}', "protocol_error"),
        (b"<html>", "protocol_error"),
        (b"[]", "protocol_error"),
    ],
)
def test_what_the_broker_says_is_an_error_of_ours(body: bytes, code: str) -> None:
    refusal = ROUTE.refusal(403, body)
    assert not isinstance(refusal, Question)
    assert refusal.code == code


def test_a_client_costs_nothing_until_it_is_made() -> None:
    """The kernel side's promise: `import jupyter_valet` and its names bring no HTTP library."""
    code = (
        "import sys, jupyter_valet as v; v.client, v.session, v.env, v.libraries;"
        "print(sorted({'httpx', 'httpx2', 'requests', 'urllib3', 'httplib2', 'github',"
        " 'asyncio', 'http.client', 'ssl'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
