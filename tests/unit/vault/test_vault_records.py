"""What a vault promises to those who store records in it."""

from __future__ import annotations

import math
import threading

import pytest

from jupyter_valet.broker.reveal import reveal, reveal_bytes
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Conflict, Vault
from jupyter_valet.wire.errors import ValetError


def test_a_record_comes_back_as_it_was_stored(vault: Vault) -> None:
    stored = vault.put("connection", "id/1", {"scopes": ["a", "é"], "n": 1.5}, Secret("token"))
    found = vault.get("connection", "id/1")
    assert found == stored
    assert found.meta == {"scopes": ["a", "é"], "n": 1.5}
    assert reveal(found.payload) == "token"


def test_a_record_survives_the_process(vault: Vault, open_again) -> None:
    stored = vault.put("connection", "1", {}, Secret("token"))
    vault.close()
    assert open_again().get("connection", "1") == stored


def test_nothing_is_found_where_nothing_was_stored(vault: Vault) -> None:
    assert vault.get("connection", "1") is None
    assert vault.list("connection") == []


def test_a_kind_is_listed_by_id(vault: Vault) -> None:
    for name in "ba":
        vault.put("connection", name, {}, Secret(name))
    vault.put("oauth_app", "c", {}, Secret("c"))
    assert [record.id for record in vault.list("connection")] == ["a", "b"]


def test_changing_the_metadata_that_was_handed_out_changes_no_record(vault: Vault) -> None:
    vault.put("connection", "1", {"scopes": ["a"]}, Secret("t"))
    vault.get("connection", "1").meta["scopes"].append("b")
    assert vault.get("connection", "1").meta == {"scopes": ["a"]}


def test_a_record_that_must_not_exist_yet_is_not_overwritten(vault: Vault) -> None:
    vault.put("connection", "1", {}, Secret("first"), expect=0)
    with pytest.raises(Conflict):
        vault.put("connection", "1", {}, Secret("second"), expect=0)
    assert reveal(vault.get("connection", "1").payload) == "first"


def test_a_record_that_somebody_else_changed_is_not_overwritten(vault: Vault) -> None:
    """R175: a lost update is a lost refresh token."""
    read = vault.put("connection", "1", {}, Secret("first"))
    vault.put("connection", "1", {}, Secret("second"))
    with pytest.raises(Conflict):
        vault.put("connection", "1", {}, Secret("third"), expect=read.revision)
    with pytest.raises(Conflict):
        vault.delete("connection", "1", expect=read.revision)


def test_a_revision_is_never_used_twice(vault: Vault) -> None:
    before = vault.put("connection", "1", {}, Secret("t")).revision
    vault.delete("connection", "1")
    assert vault.put("connection", "1", {}, Secret("t")).revision > before


def test_deleting_tells_whether_there_was_anything(vault: Vault) -> None:
    vault.put("connection", "1", {}, Secret("t"))
    assert vault.delete("connection", "1") is True
    assert vault.delete("connection", "1") is False
    assert vault.get("connection", "1") is None


def test_a_write_that_fails_leaves_the_vault_usable(vault: Vault) -> None:
    vault.put("connection", "1", {}, Secret("t"))
    with pytest.raises(Conflict):
        vault.put("connection", "1", {}, Secret("t"), expect=0)
    vault.put("connection", "2", {}, Secret("t"))
    assert len(vault.list("connection")) == 2


@pytest.mark.parametrize("size", [0, 1, 1 << 10, (1 << 20) - 2])
def test_a_record_may_have_up_to_a_mebibyte(vault: Vault, size: int) -> None:
    vault.put("blob", "1", {}, Secret(b"x" * size))
    assert len(reveal_bytes(vault.get("blob", "1").payload)) == size


def test_a_larger_record_is_refused(vault: Vault) -> None:
    with pytest.raises(ValetError, match="1 MiB"):
        vault.put("blob", "1", {"a": "b"}, Secret(b"x" * (1 << 20)))
    assert vault.get("blob", "1") is None


@pytest.mark.parametrize("meta", [{"a": math.nan}, {"a": object()}, {"a": "\ud800"}, [1], None])
def test_metadata_must_be_a_json_object(vault: Vault, meta: object) -> None:
    with pytest.raises(ValetError, match="not valid"):
        vault.put("connection", "1", meta, Secret("t"))


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 513, "a\0", 5])
def test_a_record_needs_a_plain_name(vault: Vault, name: object) -> None:
    with pytest.raises(ValetError, match="not valid"):
        vault.put("connection", name, {}, Secret("t"))


def test_a_token_is_redeemed_once(vault: Vault, open_again) -> None:
    other = open_again()
    assert vault.redeem("token", 4e9) is True
    assert vault.redeem("token", 4e9) is False
    assert other.redeem("token", 4e9) is False


@pytest.mark.parametrize("expires_at", [0.0, math.nan, math.inf])
def test_a_token_that_has_expired_is_never_redeemed(vault: Vault, expires_at: float) -> None:
    assert vault.redeem("token", expires_at) is False


def test_used_tokens_are_swept_when_they_expired(vault: Vault, monkeypatch) -> None:
    vault.redeem("old", 4e9)
    monkeypatch.setattr("jupyter_valet.broker.vault.vault.time.time", lambda: 4e9 + 7200)
    vault.redeem("new", 5e9)
    assert len(vault._opened().contents().redeemed) == 1


def test_a_key_is_made_once_for_each_purpose(vault: Vault, open_again) -> None:
    other = open_again()
    assert vault.key("audit") == other.key("audit")
    assert vault.key("audit") != vault.key("state")
    assert len(reveal_bytes(vault.key("audit"))) == 32


def test_what_another_connection_wrote_is_seen(vault: Vault, open_again) -> None:
    other = open_again()
    before = vault.data_version()
    other.put("connection", "1", {}, Secret("t"))
    assert vault.data_version() != before
    assert reveal(vault.get("connection", "1").payload) == "t"
    other.delete("connection", "1")
    assert vault.get("connection", "1") is None


def test_threads_may_share_a_vault(vault: Vault) -> None:
    def write(name: str) -> None:
        for number in range(20):
            vault.put("connection", f"{name}{number}", {}, Secret(name))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(vault.list("connection")) == 80


def test_a_closed_vault_is_locked(vault: Vault) -> None:
    vault.close()
    vault.close()
    with pytest.raises(ValetError, match="locked"):
        vault.get("connection", "1")
