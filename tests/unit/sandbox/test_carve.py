"""From a policy to Landlock's rules, over a made-up file system."""

from __future__ import annotations

from jupyter_valet.sandbox.carve import ancestors_of_exceptions, rules
from jupyter_valet.sandbox.launch import landlock
from jupyter_valet.sandbox.policy import Mode, Policy

TREE = {
    "/": ["/dev", "/etc", "/home", "/proc", "/usr"],
    "/etc": ["/etc/hosts", "/etc/shadow"],
    "/home": ["/home/ann", "/home/bob"],
    "/home/ann": ["/home/ann/.bashrc", "/home/ann/.ssh", "/home/ann/data", "/home/ann/work"],
    "/home/ann/work": ["/home/ann/work/.venv", "/home/ann/work/src"],
}


def listing(folder: str) -> list[str]:
    return TREE.get(folder, [])


def policy(**modes: Mode) -> Policy:
    named = {path.replace("__", "/.").replace("_", "/"): mode for path, mode in modes.items()}
    return Policy(modes={"/": Mode.READ, "/dev": Mode.HIDDEN, **named})


def covered(found: list[tuple[str, int]], right: int) -> set[str]:
    return {path for path, rights in found if rights & right}


def test_everything_is_readable_but_what_is_hidden() -> None:
    found = rules(policy(_home_ann__ssh=Mode.HIDDEN, _etc_shadow=Mode.HIDDEN), listing)
    assert covered(found, landlock.READ_FILE) == {
        "/etc/hosts", "/home/ann/.bashrc", "/home/ann/data", "/home/ann/work", "/home/bob",
        "/proc", "/usr",
    }  # fmt: skip


def test_nothing_is_writable_but_what_is_named() -> None:
    found = rules(policy(_home_ann_work=Mode.WRITE), listing)
    assert covered(found, landlock.WRITE_FILE) == {"/home/ann/work"}
    assert covered(found, landlock.MAKE_REG) == {"/home/ann/work"}


def test_no_rule_lies_above_a_hidden_place_except_for_names() -> None:
    """What is beneath a rule has its rights: a rule above would open it."""
    hidden = "/home/ann/.ssh"
    for path, rights in rules(policy(_home_ann__ssh=Mode.HIDDEN), listing):
        if (hidden + "/").startswith(path.rstrip("/") + "/"):
            assert rights & ~(landlock.READ_DIR | landlock.REFER) == 0, path


def test_what_is_opened_inside_a_hidden_place_is_open() -> None:
    found = rules(
        policy(_home_ann__ssh=Mode.HIDDEN, **{"_home_ann__ssh_known": Mode.READ}), listing
    )
    assert "/home/ann/.ssh/known" in covered(found, landlock.READ_FILE)
    assert "/home/ann/.ssh" not in covered(found, landlock.READ_FILE)


def test_a_read_only_place_in_a_writable_one_is_carved_out() -> None:
    found = rules(policy(_home_ann_work=Mode.WRITE, _home_ann_work__venv=Mode.READ), listing)
    assert covered(found, landlock.WRITE_FILE) == {"/home/ann/work/src"}
    assert "/home/ann/work/.venv" not in covered(found, landlock.WRITE_FILE)
    assert covered(found, landlock.READ_FILE) >= {"/home", "/usr"}


def test_a_person_is_told_where_nothing_new_can_be_made() -> None:
    blocked = policy(_home_ann_work=Mode.WRITE, _home_ann_work__venv=Mode.READ)
    assert ancestors_of_exceptions(blocked, listing) == ["/home/ann/work"]
    assert ancestors_of_exceptions(policy(_home_ann_work=Mode.WRITE), listing) == []


def test_devices_are_named_one_by_one_and_nobody_makes_new_ones() -> None:
    found = rules(
        Policy(modes={"/": Mode.READ, "/dev": Mode.HIDDEN}, devices=["/dev/null"]), listing
    )
    assert [path for path, _ in found if path.startswith("/dev")] == ["/dev/null"]
    assert covered(found, landlock.MAKE_CHAR | landlock.MAKE_BLOCK) == set()
