"""The level that is shown is never above what was measured (D4, R01)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_valet.broker.hardening import Hardening, may_ptrace
from jupyter_valet.broker.level import level
from jupyter_valet.wire.isolation import Isolation

MEASURES = {"undumpable": True, "coreless": True, "untraced": True, "out_of_reach": True}
HARD = Hardening(**MEASURES)
NONE, DOCKER, ALL = "0", "00000000a80425fb", "000001ffffffffff"


@pytest.mark.parametrize("source", ["keyring", "passphrase"])
def test_a_hardened_broker_without_an_open_key_is_l1(source):
    assert level(HARD, source)[0] == "L1"


def test_a_key_file_lies_open_at_rest_and_the_words_say_what_to_do():
    name, words = level(HARD, "file")
    assert name == "L0"
    assert "key_source" in words


@pytest.mark.parametrize("missing", MEASURES)
def test_one_missing_measure_is_l0(missing):
    assert level(Hardening(**MEASURES | {missing: False}), "keyring")[0] == "L0"


def test_the_words_say_when_kernels_have_the_right_to_read_the_broker():
    words = level(Hardening(**MEASURES | {"out_of_reach": False}), "keyring")[1]
    assert "CAP_SYS_PTRACE" in words


@pytest.mark.parametrize(
    ("held", "bounding", "root", "may"),
    [
        pytest.param(NONE, ALL, False, False, id="a user"),
        pytest.param(DOCKER, DOCKER, True, False, id="root in a container"),
        pytest.param(ALL, ALL, True, True, id="root"),
        pytest.param(NONE, ALL, True, True, id="root that dropped it, until the next exec"),
        pytest.param(ALL, ALL, False, True, id="a user who was given it"),
    ],
)
def test_who_may_read_a_process_that_cannot_be_dumped(held, bounding, root, may):
    """R51: measured, PR_SET_DUMPABLE stops neither root nor anybody else with CAP_SYS_PTRACE."""
    status = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapAmb"), held) | {"CapBnd": bounding}
    assert may_ptrace(status, root=root) is may


def test_capabilities_that_cannot_be_told_count_as_held():
    assert may_ptrace({}, root=False)


def test_no_vault_is_l0():
    assert level(HARD, "")[0] == "L0"


WALLED = Isolation(wall="landlock", stopped=38, unlocked=[])


@pytest.mark.parametrize("source", ["file", "keyring", "passphrase"])
def test_a_wall_that_held_and_a_locked_server_are_l2_plus(source: str) -> None:
    assert level(HARD, source, WALLED)[0] == "L2+"


def test_a_wall_without_the_lockdown_is_l2_and_the_words_say_what_is_missing() -> None:
    name, words = level(HARD, "keyring", replace(WALLED, unlocked=["terminals are on"]))
    assert name == "L2"
    assert "terminals are on" in words


@pytest.mark.parametrize(
    "isolation",
    [
        Isolation(),
        replace(WALLED, wall=""),
        replace(WALLED, stopped=0),
        Isolation.from_json({}),
    ],
)
def test_what_was_not_measured_is_not_claimed(isolation: Isolation) -> None:
    """D4: no wall, or a wall of which no attack was seen to be stopped, adds nothing."""
    assert level(HARD, "keyring", isolation) == level(HARD, "keyring")


def test_a_wall_whose_server_did_not_look_is_not_l2_plus() -> None:
    """A server that says nothing of its lockdown has none."""
    assert level(HARD, "keyring", Isolation(wall="landlock", stopped=38))[0] == "L2"


def test_a_port_of_the_kernels_own_is_not_l2_plus() -> None:
    """R80: a browser shows the Jupyter cookie to whatever listens on the host."""
    name, words = level(HARD, "keyring", replace(WALLED, ports=[8050]))
    assert name == "L2"
    assert "8050" in words


@pytest.mark.parametrize("missing", ["undumpable", "coreless", "untraced"])
def test_a_broker_that_is_open_is_not_l2_plus(missing: str) -> None:
    """R58: code in the server must not read it."""
    assert level(Hardening(**MEASURES | {missing: False}), "keyring", WALLED)[0] == "L2"


def test_a_server_that_may_read_the_broker_is_not_l2_plus() -> None:
    """R58: a wall takes CAP_SYS_PTRACE from kernels; code in the server would still have it."""
    name, words = level(Hardening(**MEASURES | {"out_of_reach": False}), "keyring", WALLED)
    assert name == "L2"
    assert "R58" in words


def test_why_there_is_no_wall_is_said() -> None:
    words = level(HARD, "keyring", Isolation(trouble="bwrap is not installed"))[1]
    assert "bwrap is not installed" in words
