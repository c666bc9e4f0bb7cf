"""Where a client finds out how to get a token: RFC 9728, at a server of any base path."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any

import dance
import pytest
from jupyter_process import Server, jupyter_server
from program import ask, url

pytestmark = pytest.mark.timeout(120)

ISSUER = "https://login.example.org/tenant"
CONFIG = f"""
c.ValetExtension.client_documents = False
c.ValetExtension.mcp_issuers = {{
    {ISSUER!r}: {{"audience": "https://jupyter.example.org/", "subjects": ["jane"]}}
}}
"""


@pytest.fixture(scope="module", params=["/", "/user/j%40ne/"])
def server(tmp_path_factory: pytest.TempPathFactory, request: Any) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    with jupyter_server(home, fake=False, config=CONFIG, base=request.param) as running:
        yield running


def get(server: Server, path: str, **headers: str) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_the_challenge_leads_to_the_metadata_of_the_very_url_that_was_used(server: Server) -> None:
    """RS-01, RS-02, RFC 9728 §3.3: `resource` is identical to the client's URL."""
    status, headers, _ = ask(server)
    assert status == 401
    named = re.search(r'resource_metadata="([^"]+)"', headers["WWW-Authenticate"])
    assert named
    origin = f"http://127.0.0.1:{server.port}"
    assert named[1].startswith(origin)
    status, headers, body = get(server, named[1].removeprefix(origin))
    assert (status, headers["Content-Type"]) == (200, "application/json")
    document = json.loads(body)
    assert document["resource"] == url(server)
    own = f"http://127.0.0.1:{server.port}{server.base}valet/oauth"
    assert document["authorization_servers"] == [own, ISSUER]
    assert document["bearer_methods_supported"] == ["header"]
    assert document["resource_name"]


def test_the_scopes_that_are_told_are_few_and_offline_access_is_none_of_them(
    server: Server,
) -> None:
    """RS-09, BP-23."""
    _, _, body = get(server, f"{server.base}valet/mcp/oauth-protected-resource")
    assert json.loads(body)["scopes_supported"] == ["tools:read", "tools:write"]


def test_where_no_documents_of_programs_are_fetched_the_metadata_say_so(server: Server) -> None:
    """AS-04: programs believe them, and register themselves; one that does not is unknown."""
    _, _, body = get(server, f"{server.base}valet/oauth/.well-known/openid-configuration")
    assert json.loads(body)["client_id_metadata_document_supported"] is False
    editor = "https://editor.example/client.json"
    page = server.get(dance.request(server, editor), dance.OPENED)
    assert page.status == 400
    assert "does not know the program" in page.body
    assert dance.registered(server)


def test_the_same_document_is_at_the_well_known_path_of_the_origin(server: Server) -> None:
    """RS-02, RFC 9728 §3.1: the path of the resource comes after the well-known name."""
    ours = get(server, f"{server.base}valet/mcp/oauth-protected-resource")
    well_known = get(server, f"/.well-known/oauth-protected-resource{server.base}valet/mcp")
    assert (well_known[0], well_known[2]) == (200, ours[2])
    assert get(server, "/.well-known/oauth-protected-resource/elsewhere/valet/mcp")[0] != 200


def test_the_metadata_set_no_cookie_need_no_login_and_name_no_foreign_host(server: Server) -> None:
    """DNS rebinding: a name that is not ours gets nothing, the metadata of a name least of all."""
    path = f"{server.base}valet/mcp/oauth-protected-resource"
    status, headers, _ = get(server, path)
    assert (status, headers["Set-Cookie"]) == (200, None)
    assert headers["Cache-Control"] == "no-store"
    status, _, body = get(server, path, Host="evil.example")
    assert (status, body) == (421, b"")
