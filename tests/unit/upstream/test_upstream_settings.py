"""Servers in the configuration file: input like any other."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_valet.broker.upstream.facts import Facts, profile
from jupyter_valet.broker.upstream.settings import server
from jupyter_valet.wire.errors import ValetError

URL = "https://mcp.example.com/mcp"


def test_a_url_is_enough() -> None:
    made = server("linear", {"url": URL})
    assert made.words == "linear (mcp.example.com)"
    assert (str(made.origin), made.target) == ("https://mcp.example.com", "/mcp")
    assert not made.keyed


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"url": ""},
        {"url": "http://mcp.example.com/mcp"},
        {"url": "https://user@mcp.example.com"},
        {"url": "https://10.0.0.1/mcp"},
        {"url": "https://mcp.example.com/a/../b"},
        {"url": "http://127.0.0.1:9/mcp"},
        {"url": URL, "loopback": True},
        {"url": URL, "scopes": "read"},
        {"url": URL, "scopes": ["a b"]},
        {"url": URL, "key": {"in": "cookie"}},
        {"url": URL, "headers": {"Authorization": "Bearer x"}},
        {"url": URL, "title": "a\nb"},
        {"url": URL, "reads": "everything"},
    ],
)
def test_a_setting_that_is_wrong_is_refused(entry: dict[str, Any]) -> None:
    """Plain http and private addresses are for this machine, and only when the file says so."""
    with pytest.raises(ValetError, match="MCP server up"):
        server("up", entry)


@pytest.mark.parametrize("name", ["", "A", "a-b", "1a", "a" * 33, "../x"])
def test_a_name_is_part_of_paths_and_tools(name: str) -> None:
    with pytest.raises(ValetError, match="setting name"):
        server(name, {"url": URL})


def test_a_profile_is_good_for_one_server_at_one_issuer() -> None:
    """CL-08, L10: another issuer or resource is another fingerprint."""
    made = server("up", {"url": URL})
    facts = Facts(URL, 0.0, "https://login.example.com", URL, ("read", "offline_access"))
    one = profile(made, facts)
    assert one.default_scopes == ("read",)
    assert (one.resource, one.sole_account) == (URL, "mcp.example.com")
    assert [str(origin) for origin in one.origins] == ["https://mcp.example.com"]
    other = profile(made, Facts(URL, 0.0, "https://other.example.com", URL))
    root = profile(made, Facts(URL, 0.0, "https://login.example.com", "https://mcp.example.com"))
    assert len({one.fingerprint, other.fingerprint, root.fingerprint}) == 3
    assert profile(made, Facts(URL, 0.0)).open, "a server that lets anybody in"
    assert Facts.from_meta(facts.to_meta()) == facts


def test_a_server_with_a_key_is_a_provider_with_a_key() -> None:
    made = server("up", {"url": URL, "key": {"in": "header", "name": "X-Api-Key", "prefix": ""}})
    keyed = profile(made, Facts(URL, 0.0))
    assert keyed.keyed
    assert keyed.placement.name == "X-Api-Key"
