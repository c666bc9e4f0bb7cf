"""The search for secrets finds them: without this, its silence would say nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from leaks import Leak, in_vault, must_not_leak, search

from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import open_vault

pytestmark = pytest.mark.plants_secrets
TOKEN = "gho_/+token with ümlaut~0123456789"
WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": json.dumps,
    "url": lambda t: quote(t, safe=""),
    "hex": lambda t: t.encode().hex(),
    "base64": lambda t: base64.b64encode(t.encode()).decode(),
    "base64 after one byte": lambda t: base64.b64encode(b"x" + t.encode() + b"yz").decode(),
    "base64 after two bytes": lambda t: base64.b64encode(b"xy" + t.encode() + b"z").decode(),
    "base64url": lambda t: base64.urlsafe_b64encode(b"Bearer " + t.encode()).decode(),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_secret_is_found_however_it_is_written(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "some.log").write_text(f"before {written(TOKEN)} after")
    assert search(tmp_path, [TOKEN]) == [Leak(tmp_path / "deep" / "some.log", "a known secret")]
    assert search(tmp_path, ["another-token-altogether"]) == []


@pytest.mark.parametrize(
    "text",
    [
        "jvk_" + "a" * 43,
        "GET /valet/callback/demo?code=" + "c" * 43,
        "GET /valet/callback/demo?x=1&state=" + "s" * 43,
        "/approve?auth=" + "n" * 43,
        "code_verifier=" + "v" * 43,
        "canary-" + "t" * 32,
    ],
    ids=["capability", "code", "state", "nonce", "verifier", "canary"],
)
def test_the_shape_of_a_secret_is_enough(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.ipynb").write_text(text)
    assert len(search(tmp_path, [])) == 1


def test_the_vault_says_itself_what_to_look_for(tmp_path: Path) -> None:
    with closing(open_vault(tmp_path / "state", "file")) as vault:
        words = {"token_type": "Bearer", "scopes": ["issues:write"], "scope": "a" * 20}
        payload = json.dumps({"access_token": TOKEN, **words})
        vault.put("connection", "1", {}, Secret(payload))
        vault.put("transaction", "1", {}, Secret("verifier-" + "v" * 40))
    assert in_vault(tmp_path / "state") == {TOKEN, "verifier-" + "v" * 40}
    must_not_leak(tmp_path, tmp_path / "state")
    (tmp_path / "notebook.ipynb").write_text(json.dumps({"text": TOKEN}))
    with pytest.raises(AssertionError, match=r"notebook\.ipynb") as error:
        must_not_leak(tmp_path, tmp_path / "state")
    assert TOKEN not in str(error.value)
