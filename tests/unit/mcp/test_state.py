"""`requestState` in itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from mcp import MCPError

from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.mcp.authentication import CALLER
from jupyter_valet.broker.mcp.state import CallState, _Codec, boundary, redeem
from jupyter_valet.broker.vault import open_vault


def test_a_state_comes_back_as_it_was() -> None:
    """Through text."""
    state = CallState("t", {"demo": ["a"]}).once_accepted()
    assert CallState.parse(str(state)) == state
    assert state.accepted


def test_every_call_has_its_own_name() -> None:
    """What is redeemed."""
    assert CallState("t", {}).call != CallState("t", {}).call


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"transaction": 1, "x": 2}', "null"])
def test_what_is_no_state_is_refused(text: str) -> None:
    """MS-04."""
    with pytest.raises(MCPError) as caught:
        CallState.parse(text)
    assert caught.value.error.data == {"reason": "invalid_request_state"}


def test_a_call_is_redeemed_once_across_processes(tmp_path: Path) -> None:
    """MS-06: enforced on the server, in the vault."""
    first, second = (open_vault(tmp_path / "state", "file") for _ in range(2))
    state = CallState("t", {})
    redeem(first, state, 9e9)
    with pytest.raises(MCPError):
        redeem(second, state, 9e9)
    redeem(second, CallState("t", {}), 9e9)
    first.close()
    second.close()


def test_the_key_is_the_vaults(tmp_path: Path) -> None:
    """What one process sealed, the next one opens; another vault does not."""
    first = open_vault(tmp_path / "a", "file")
    sealed = _Codec(first).seal(b"state")
    first.close()
    again, other = open_vault(tmp_path / "a", "file"), open_vault(tmp_path / "b", "file")
    assert _Codec(again).unseal(sealed) == b"state"
    with pytest.raises(Exception, match="unknown key"):
        _Codec(other).unseal(sealed)
    again.close()
    other.close()


def test_a_state_is_sealed_for_a_person_and_a_kernel(tmp_path: Path) -> None:
    """ES-24, MS-05: by the seal itself, before anything in it is looked at."""
    vault = open_vault(tmp_path / "state", "file")
    bind = boundary(vault)._security.bind_principal
    assert bind is not None

    def bound(principal: str, kernel: str) -> str | None:
        scope = {CALLER: Caller(principal, kernel, "a.ipynb", "http://127.0.0.1:8888/")}
        return bind(SimpleNamespace(request=SimpleNamespace(scope=scope)))  # type: ignore[arg-type]

    assert len({bound("jane", "k1"), bound("jane", "k2"), bound("joe", "k1"), None}) == 4
    vault.close()
