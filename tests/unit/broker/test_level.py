"""The level that is shown is never above what was measured (D4, R01)."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.hardening import Hardening, may_ptrace
from jupyter_valet.broker.level import level

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
