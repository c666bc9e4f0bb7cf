"""RFC 9728: where a server's metadata is, and whose it is."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.oauth import rfc9728
from jupyter_valet.broker.oauth.rfc9728 import BadResource, Challenge, candidates, challenge

URL = "https://mcp.example.com/v1/mcp"
WELL_KNOWN = "https://mcp.example.com/.well-known/oauth-protected-resource"
DOCUMENT = {
    "resource": URL,
    "authorization_servers": ["https://login.example.com/tenant"],
    "scopes_supported": ["read", "write"],
}


def test_the_challenge_s_place_comes_first_then_the_path_then_the_root() -> None:
    """CL-01, RFC 9728 §3.1, §5.1."""
    told = challenge(f'Bearer error="invalid_token", resource_metadata="{WELL_KNOWN}/x", scope=a')
    assert told == Challenge(f"{WELL_KNOWN}/x", ("a",))
    assert candidates(URL, told) == [f"{WELL_KNOWN}/x", f"{WELL_KNOWN}/v1/mcp", WELL_KNOWN]
    assert candidates("https://mcp.example.com", Challenge()) == [WELL_KNOWN]


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example/prm",
        "http://169.254.169.254/latest/meta-data",
        "https://mcp.example.com.evil.example/x",
        "https://mcp.example.com:8443/x",
        "javascript:alert(1)",
        "https://mcp.example.com@evil.example/x",
        "file:///etc/passwd",
    ],
)
def test_a_challenge_that_leads_elsewhere_is_not_followed(place: str) -> None:
    """R150, BP-09: the server has no business to send us to another origin."""
    assert candidates(URL, Challenge(place)) == candidates(URL, Challenge())


@pytest.mark.parametrize(
    "named",
    [
        URL,
        URL + "/",
        "https://mcp.example.com/v1",
        "https://mcp.example.com",
        "https://mcp.example.com/",
    ],
)
def test_a_resource_is_the_server_or_what_holds_it(named: str) -> None:
    """RFC 9728 §3.3: tokens are asked for under the name that the server gives itself."""
    found = rfc9728.resource(URL, {**DOCUMENT, "resource": named})
    assert (found.resource, found.issuer) == (named, "https://login.example.com/tenant")
    assert found.scopes == ("read", "write")


@pytest.mark.parametrize(
    "named",
    [
        "https://good.example.com/v1/mcp",
        "https://mcp.example.com/v1/mcp/deeper",
        "https://mcp.example.com/v1/mc",
        "https://mcp.example.com/v2",
        "http://mcp.example.com/v1/mcp",
        "https://mcp.example.com/v1/mcp#x",
        "https://mcp.example.com/?x",
        "",
        None,
        7,
    ],
)
def test_a_document_about_another_server_is_not_believed(named: object) -> None:
    """R148: a server that poses as another must not get the other's token."""
    with pytest.raises(BadResource):
        rfc9728.resource(URL, {**DOCUMENT, "resource": named})


@pytest.mark.parametrize(
    "servers",
    [
        None,
        [],
        "https://login.example.com",
        [7],
        ["http://login.example.com"],
        ["https://user@login.example.com"],
        ["ftp://x"],
    ],
)
def test_an_authorization_server_is_an_https_url(servers: object) -> None:
    """RS-01, CL-19."""
    with pytest.raises(BadResource):
        rfc9728.resource(URL, {**DOCUMENT, "authorization_servers": servers})


def test_scopes_that_are_none_are_left_out() -> None:
    many = [f"s{i}" for i in range(1000)]
    odd = ["read", 'x"', "a b", 7, None, *many]
    assert rfc9728.resource(URL, {**DOCUMENT, "scopes_supported": odd}).scopes[:2] == ("read", "s0")
    assert len(rfc9728.resource(URL, {**DOCUMENT, "scopes_supported": odd}).scopes) == 64
    assert rfc9728.resource(URL, {**DOCUMENT, "scopes_supported": "read"}).scopes == ()
