"""The log: everything that must be in it, nothing that must not, and no line changed unseen."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jupyter_valet.broker.audit import Audit, read_audit, verify_audit
from jupyter_valet.broker.audit.chain import Chain
from jupyter_valet.broker.secret import Secret
from jupyter_valet.wire.errors import ValetError

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links are POSIX")


def ignore(schema_id: str, data: dict) -> None:
    pass


def three_lines(audit: Audit) -> None:
    for outcome in "abc":
        audit.record("connection.used", principal="owner", outcome=outcome)


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_an_event_is_in_the_log_with_its_facts(audit: Audit, path: Path) -> None:
    audit.record("connection.used", principal="owner", tool="github.get_me", status=200)
    entry = list(read_audit(path))[-1]
    assert entry["action"] == "connection.used"
    assert (entry["principal"], entry["tool"], entry["status"]) == ("owner", "github.get_me", 200)
    assert "provider" not in entry


def test_an_event_is_in_the_log_before_it_is_emitted(path: Path, key: Secret) -> None:
    """Audit before reply: see HashiCorp Vault."""
    seen: list[int] = []
    audit = Audit(path, key, lambda schema_id, data: seen.append(len(list(read_audit(path)))))
    audit.record("connection.used", principal="owner")
    assert seen == [2]
    audit.close()


@pytest.mark.parametrize(
    "text", ["a\nb", "a\x1b[31mb", "a\u202eb", "a\u2028b", "a\x00b", "\ud800ab"]
)
def test_a_text_is_one_printable_line(audit: Audit, path: Path, text: str) -> None:
    """No forged line, no terminal escape, no text that reads backwards."""
    audit.record("connection.used", principal="owner", notebook=text)
    entry = list(read_audit(path))[-1]
    assert entry["notebook"].isprintable()
    assert len(lines(path)) == 2


def test_a_text_is_cut_at_200_characters(audit: Audit, path: Path) -> None:
    audit.record("connection.used", principal="p" * 1000, notebook="n" * 1000, reason="r" * 1000)
    entry = list(read_audit(path))[-1]
    assert {len(entry[name]) for name in ("principal", "notebook", "reason")} == {200}


@pytest.mark.parametrize("name", ["token", "code", "state", "headers", "body", "url", "action_"])
def test_a_fact_that_is_not_on_the_list_is_refused(audit: Audit, name: str) -> None:
    with pytest.raises(ValueError, match="no fact"):
        audit.record("connection.used", principal="owner", **{name: "x"})


@pytest.mark.parametrize("fact", [Secret("x"), True, None, "200", b"x", {"a": 1}])
def test_a_fact_of_another_type_is_refused(audit: Audit, fact: object) -> None:
    with pytest.raises(TypeError):
        audit.record("connection.used", principal="owner", status=fact)


def test_an_action_that_is_not_on_the_list_is_refused(audit: Audit) -> None:
    with pytest.raises(ValueError, match="no action"):
        audit.record("connection.stolen", principal="owner")


def test_the_mac_of_a_line_covers_the_line_before_it(key: Secret) -> None:
    chain = Chain(key, "writer", number=1, last="one")
    other = Chain(key, "writer", number=1, last="another")
    assert chain.line({"action": "x"}) != other.line({"action": "x"})


def test_a_sound_log_verifies(audit: Audit, path: Path, key: Secret) -> None:
    three_lines(audit)
    verify_audit(path, key)


def test_the_chain_goes_on_after_a_restart(path: Path, key: Secret) -> None:
    for _ in range(3):
        audit = Audit(path, key, ignore)
        three_lines(audit)
        audit.close()
    verify_audit(path, key)
    assert len(lines(path)) == 12


def test_two_writers_share_a_file(path: Path, key: Secret) -> None:
    one, two = Audit(path, key, ignore), Audit(path, key, ignore)
    for _ in range(10):
        three_lines(one)
        three_lines(two)
    verify_audit(path, key)
    assert len(list(read_audit(path))) == 62
    one.close()
    two.close()


def test_a_changed_line_is_noticed(audit: Audit, path: Path, key: Secret) -> None:
    three_lines(audit)
    path.write_bytes(path.read_bytes().replace(b'"outcome":"b"', b'"outcome":"x"'))
    with pytest.raises(ValetError, match="line 3: it was changed"):
        verify_audit(path, key)


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_removed_line_is_noticed(audit: Audit, path: Path, key: Secret, gone: int) -> None:
    three_lines(audit)
    kept = lines(path)
    del kept[gone]
    path.write_bytes(b"".join(kept))
    with pytest.raises(ValetError, match="missing"):
        verify_audit(path, key)


def test_a_line_that_was_made_unreadable_is_noticed(audit: Audit, path: Path, key: Secret) -> None:
    three_lines(audit)
    kept = lines(path)
    kept[1] = b'{"action":\n'
    path.write_bytes(b"".join(kept))
    with pytest.raises(ValetError, match="missing"):
        verify_audit(path, key)


def test_swapped_and_repeated_lines_are_noticed(audit: Audit, path: Path, key: Secret) -> None:
    three_lines(audit)
    first, second, third, fourth = lines(path)
    for wrong in ([first, third, second, fourth], [first, second, second, third, fourth]):
        path.write_bytes(b"".join(wrong))
        with pytest.raises(ValetError, match=r"out of order|changed"):
            verify_audit(path, key)


def test_a_line_cannot_be_forged_without_the_key(audit: Audit, path: Path, key: Secret) -> None:
    three_lines(audit)
    with pytest.raises(ValetError, match="changed"):
        verify_audit(path, Secret(b"o" * 32))


def test_a_run_that_was_cut_out_is_noticed_by_the_next_run(path: Path, key: Secret) -> None:
    for _ in range(3):
        audit = Audit(path, key, ignore)
        three_lines(audit)
        audit.close()
    kept = lines(path)
    del kept[4:8]
    path.write_bytes(b"".join(kept))
    with pytest.raises(ValetError, match="line 5: lines before it are missing"):
        verify_audit(path, key)


def test_lines_that_are_cut_off_while_the_log_is_in_use_are_noticed(
    audit: Audit, path: Path, key: Secret
) -> None:
    three_lines(audit)
    os.truncate(path, len(b"".join(lines(path)[:2])))
    three_lines(audit)
    with pytest.raises(ValetError, match="cut off"):
        verify_audit(path, key)


@posix
def test_a_log_that_was_moved_away_begins_anew(audit: Audit, path: Path, key: Secret) -> None:
    """Log rotation: both files verify by themselves."""
    three_lines(audit)
    path.rename(path.with_suffix(".1"))
    three_lines(audit)
    verify_audit(path, key)
    verify_audit(path.with_suffix(".1"), key)
    assert len(lines(path)) == 4


def test_a_piece_of_a_line_spoils_no_other_line(audit: Audit, path: Path, key: Secret) -> None:
    """A full disk leaves one."""
    three_lines(audit)
    with path.open("ab") as log:
        log.write(b'{"action":"conn')
    three_lines(audit)
    verify_audit(path, key)
    assert len(list(read_audit(path))) == 7


@posix
def test_a_full_disk_is_an_error_and_not_silence(
    audit: Audit, path: Path, key: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be recorded must not be done."""
    three_lines(audit)
    write = os.write
    with Path("/dev/full").open("wb", buffering=0) as full, monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: write(full.fileno(), data))
        with pytest.raises(ValetError, match="could not be written"):
            audit.record("connection.used", principal="owner")
    three_lines(audit)
    verify_audit(path, key)


@posix
def test_the_log_is_private(audit: Audit, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


@posix
def test_a_log_that_is_a_link_is_refused(path: Path, key: Secret, tmp_path: Path) -> None:
    """R170."""
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValetError, match="symbolic link"):
        Audit(path, key, ignore)
    assert not (tmp_path / "elsewhere").exists()


@posix
def test_a_log_that_others_can_read_is_refused(path: Path, key: Secret) -> None:
    path.write_text("{}\n")
    path.chmod(0o644)
    with pytest.raises(ValetError, match="other users"):
        Audit(path, key, ignore)


def test_a_log_that_is_not_there_is_empty(path: Path, key: Secret) -> None:
    assert list(read_audit(path)) == []
    verify_audit(path, key)


def test_lines_are_json_with_a_time(audit: Audit, path: Path) -> None:
    three_lines(audit)
    for line in lines(path):
        assert isinstance(json.loads(line)["time"], float)
