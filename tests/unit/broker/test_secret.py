"""A Secret shows itself to nobody (D1)."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from jupyter_valet.broker.reveal import reveal, reveal_bytes
from jupyter_valet.broker.secret import Secret

CANARY = "gho_canary"


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{:>20}".format, lambda s: f"{s!r}{[s]}"])
def test_no_way_of_printing_shows_the_value(show):
    assert CANARY not in show(Secret(CANARY))


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, hash])
def test_no_way_of_carrying_it_off_works(carry):
    with pytest.raises(TypeError) as raised:
        carry(Secret(CANARY))
    assert CANARY not in str(raised.value)


def test_it_has_no_dictionary_that_a_debugger_or_vars_could_print():
    with pytest.raises(TypeError):
        vars(Secret(CANARY))


def test_reveal_gives_back_what_was_put_in():
    assert reveal(Secret(CANARY)) == CANARY
    assert reveal_bytes(Secret(b"\xff")) == b"\xff"


def test_secrets_compare_by_value_and_only_with_each_other():
    assert Secret("a") == Secret(b"a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_an_empty_secret_is_false():
    assert not Secret("")
    assert Secret("x")
