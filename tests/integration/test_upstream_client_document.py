"""The client document of a real Jupyter server, read as an authorization server reads it."""

from __future__ import annotations

import json
from pathlib import Path

from jupyter_process import LOADED, jupyter_server


def test_anybody_can_read_it_at_the_public_address(tmp_path: Path) -> None:
    """CL-06: the client id is its own address; there is no login, no query, nothing to learn."""
    config = "c.ValetExtension.public_origin = 'https://hub.example'\n"
    with jupyter_server(tmp_path, config=config, base="/user/jane/") as server:
        answer = server.get("valet/client/linear.json", {}, login=False)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "max-age=3600"
        document = json.loads(answer.body)
        assert document["client_id"] == "https://hub.example/user/jane/valet/client/linear.json"
        assert document["redirect_uris"] == ["https://hub.example/user/jane/valet/callback/linear"]
        for path in ("valet/client/", "valet/client/a/b.json", "valet/client/..%2fx.json"):
            assert server.get(path, LOADED, login=False).status == 404


def test_without_https_there_is_none(tmp_path: Path) -> None:
    with jupyter_server(tmp_path) as server:
        assert server.get("valet/client/linear.json", {}, login=False).status == 404
