"""The level that is shown is never above what was measured (D4, R01)."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.hardening import Hardening
from jupyter_valet.broker.level import level

HARD = Hardening(undumpable=True, coreless=True, untraced=True)


@pytest.mark.parametrize("source", ["keyring", "passphrase"])
def test_a_hardened_broker_without_an_open_key_is_l1(source):
    assert level(HARD, source)[0] == "L1"


def test_a_key_file_lies_open_at_rest_and_the_words_say_what_to_do():
    name, words = level(HARD, "file")
    assert name == "L0"
    assert "key_source" in words


@pytest.mark.parametrize("missing", ["undumpable", "coreless", "untraced"])
def test_one_missing_measure_is_l0(missing):
    facts = {"undumpable": True, "coreless": True, "untraced": True, missing: False}
    assert level(Hardening(**facts), "keyring")[0] == "L0"


def test_no_vault_is_l0():
    assert level(HARD, "")[0] == "L0"
