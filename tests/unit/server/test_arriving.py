"""What of a request at Jupyter's port decides: its one header, and nothing that a browser adds."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from jupyter_valet.server.mcp.arriving import (
    Refused,
    announced,
    forget_cookies,
    is_of_issuer,
    origin_allowed,
    said_issuer,
    shown,
)

ISSUER = "https://login.example.org"


def request(uri: str = "/valet/mcp", *headers: tuple[str, str]) -> HTTPServerRequest:
    given = HTTPHeaders({"Host": "127.0.0.1:8888"})
    for name, value in headers:
        given.add(name, value)
    line = RequestStartLine("POST", uri, "HTTP/1.1")
    return HTTPServerRequest(start_line=line, headers=given)


def jwt(payload: Any) -> str:
    return "e30." + base64.urlsafe_b64encode(json.dumps(payload).encode()).decode() + ".c2ln"


def test_the_header_is_read_as_rfc_6750_has_it() -> None:
    found = shown(request("/x", ("Authorization", "bearer  jva_1")))
    assert (found.scheme, found.token, found.is_bearer) == ("bearer", "jva_1", True)
    assert not shown(request()).token
    spaced = shown(request("/x", ("Authorization", "Bearer  jva_1\xa0")))
    assert spaced.token == "jva_1\xa0", "it is another token, as it is to Jupyter"
    assert not shown(request("/x", ("Authorization", "Basic eDp5"))).is_bearer


@pytest.mark.parametrize("token", ["jva_x", "jvo_x", "jvk_x", "jvr_x", "jvc_x", "jvd_x"])
def test_tokens_of_ours_are_none_of_jupyter_s(token: str) -> None:
    """RS-13: a JupyterHub would be shown a refresh token by a program that mixes them up."""
    assert not shown(request("/x", ("Authorization", f"Bearer {token}"))).may_be_jupyters
    assert shown(request("/x", ("Authorization", "token abc"))).may_be_jupyters


@pytest.mark.parametrize("uri", ["/x?token=a", "/x?a=b&ACCESS_TOKEN=", "/x?authorization=b"])
def test_a_token_in_the_url_is_malformed(uri: str) -> None:
    """RS-11."""
    with pytest.raises(Refused):
        shown(request(uri, ("Authorization", "Bearer jva_x")))


def test_two_headers_are_malformed() -> None:
    with pytest.raises(Refused):
        shown(request("/x", ("Authorization", "Bearer a"), ("Authorization", "Bearer b")))


def test_cookies_are_forgotten() -> None:
    asked = request("/x", ("Cookie", "username-8888=1"))
    assert asked.cookies
    forget_cookies(asked)
    assert not asked.cookies


def test_scripts_are_let_in_from_where_the_administrator_says() -> None:
    """PS-05."""
    assert origin_allowed({}, [])
    assert not origin_allowed({"Origin": "null"}, [])
    assert not origin_allowed({"Origin": "https://j.example"}, [])
    assert origin_allowed({"Origin": "https://j.example"}, ["https://j.example"])


@pytest.mark.parametrize(
    ("length", "bytes_"), [("7", 7), ("", 0), ("-1", 0), ("two", 0), ("١", 0), ("9" * 40, 0)]
)
def test_how_long_a_body_shall_be(length: str, bytes_: int) -> None:
    assert announced({"Content-Length": length}) == bytes_


@pytest.mark.parametrize(
    "token",
    ["", "a", "a.b", "a.!.c", "..", jwt([]), jwt("x"), jwt({"iss": 1}), jwt({}), "a.bA.c.d"],
)
def test_what_says_no_issuer_has_none(token: str) -> None:
    assert said_issuer(token) == ""


def test_a_configured_issuer_s_tokens_are_known_by_what_they_say_or_by_their_prefix() -> None:
    issuers: dict[str, dict[str, Any]] = {ISSUER: {}, "https://b.example": {"token_prefix": "b_"}}
    assert is_of_issuer(jwt({"iss": ISSUER}), issuers)
    assert is_of_issuer("b_opaque", issuers)
    assert not is_of_issuer(jwt({"iss": ISSUER + "/"}), issuers)
    assert not is_of_issuer("the-jupyter-token", issuers)
    assert not is_of_issuer("the-jupyter-token", {})


def test_what_was_shown_is_in_no_repr() -> None:
    """RS-13."""
    assert "jva_x" not in repr(shown(request("/x", ("Authorization", "Bearer jva_x"))))


@pytest.mark.parametrize("site", ["same-origin", "same-site", "cross-site"])
def test_a_script_that_reads_is_known_although_it_names_no_origin(site: str) -> None:
    """PS-05: a `GET` of a notebook's script to its own origin has no `Origin`."""
    assert not origin_allowed({"Sec-Fetch-Site": site}, set())
    assert not origin_allowed({"Sec-Fetch-Site": site}, {"https://app.example"})
    # Node's fetch says only this, and no browser only that.
    assert origin_allowed({"Sec-Fetch-Mode": "cors"}, set())
    assert origin_allowed({"Origin": "https://app.example"}, {"https://app.example"})
