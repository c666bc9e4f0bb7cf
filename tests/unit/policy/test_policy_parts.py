"""Digests, rates, approvals, levels: the small parts of the policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from jupyter_valet.broker.egress import Request
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.kernels import Caller, below
from jupyter_valet.broker.policy import Approvals, Digests, at_least
from jupyter_valet.broker.policy.rate import Rates
from jupyter_valet.broker.vault import Vault, open_vault

API = Origin.parse("https://api.example")
JANE = Caller("jane", "k1", "a.ipynb", "http://127.0.0.1:8888/")
SENT = Request("POST", API, "/a", {"X-One": "1", "X-Two": "2"}, b'{"a":1}')


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    opened = open_vault(tmp_path / "state", "file")
    yield opened
    opened.close()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_digest_is_of_one_request_of_one_kernel(vault: Vault, tmp_path: Path) -> None:
    digests = Digests(vault)
    same = digests.of(JANE, "c1", "tool", SENT)
    assert Digests(vault).of(JANE, "c1", "tool", replace(SENT)) == same
    headers = {"x-two": "2", "x-one": "1"}
    assert digests.of(JANE, "c1", "tool", replace(SENT, headers=headers)) == same
    others = {
        digests.of(dataclasses.replace(JANE, kernel_id="k2"), "c1", "tool", SENT),
        digests.of(dataclasses.replace(JANE, principal="joe"), "c1", "tool", SENT),
        digests.of(JANE, "c2", "tool", SENT),
        digests.of(JANE, "c1", "other", SENT),
        digests.of(JANE, "c1", "tool", replace(SENT, method="PUT")),
        digests.of(JANE, "c1", "tool", replace(SENT, target="/b")),
        digests.of(JANE, "c1", "tool", replace(SENT, target="/a?b")),
        digests.of(JANE, "c1", "tool", replace(SENT, origin=Origin.parse("https://b.example"))),
        digests.of(JANE, "c1", "tool", replace(SENT, body=b'{"a":2}')),
        digests.of(JANE, "c1", "tool", replace(SENT, body=None)),
        digests.of(JANE, "c1", "tool", replace(SENT, headers={"X-One": "2", "X-Two": "2"})),
        digests.of(JANE, "c1", "tool", replace(SENT, cookies="a=b")),
    }
    assert len(others) == 12
    assert same not in others
    another = open_vault(tmp_path / "another", "file")
    assert Digests(another).of(JANE, "c1", "tool", SENT) != same  # it is keyed
    another.close()


def test_an_hour_slides() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.count("g")
    clock.now += 1800
    rates.count("g")
    assert rates.within_hour("g") == 2
    assert rates.within_hour("other") == 0
    clock.now += 1800
    assert rates.within_hour("g") == 1
    clock.now += 1800
    assert rates.within_hour("g") == 0


k1, k2 = ("jane", "k1"), ("jane", "k2")


def test_an_approval_is_used_once_and_in_time() -> None:
    clock = Clock()
    approvals = Approvals(clock)
    approvals.allow_once(k1, "d", 1600)
    assert not approvals.take(k2, "d")
    assert approvals.take(k1, "d")
    assert not approvals.take(k1, "d")
    approvals.allow_once(k1, "d", 1600)
    clock.now = 1600
    assert not approvals.take(k1, "d")


def test_approvals_end_with_kernel_and_connection() -> None:
    approvals = Approvals(Clock())
    approvals.allow_once(k1, "d", 1600)
    approvals.allow_run(k1, "tool", "c1")
    approvals.allow_run(k2, "tool", "c1")
    approvals.allow_run(k2, "tool", "c2")
    approvals.end_kernel("k1")
    assert not approvals.take(k1, "d")
    assert not approvals.has_run(k1, "tool", "c1")
    assert approvals.has_run(k2, "tool", "c1")
    approvals.end_connection("c1")
    assert not approvals.has_run(k2, "tool", "c1")
    assert approvals.has_run(k2, "tool", "c2")


def test_what_one_person_ends_of_a_program_is_nobody_else_s() -> None:
    """An app that several people of a server signed in is one client id for all of them."""
    approvals = Approvals(Clock())
    ann, ben = ("user:ann", "client:app:x"), ("user:ben", "client:app:x")
    for who in (ann, ben):
        approvals.allow_once(who, "d", 1600)
        approvals.allow_run(who, "tool", "c1")
    approvals.end_kernel("client:app:x", "user:ann")
    assert not approvals.take(ann, "d")
    assert not approvals.has_run(ann, "tool", "c1")
    assert approvals.take(ben, "d")
    assert approvals.has_run(ben, "tool", "c1")
    assert not approvals.take(ann, "d")


def test_levels_are_in_order() -> None:
    assert at_least("L2+", "L2")
    assert at_least("L2", "L2")
    assert not at_least("L1", "L2")
    assert not at_least("", "L0")
    assert not at_least("L9", "L0")


def test_a_folder_is_above_what_comes_after_its_slash() -> None:
    assert below("a/b.ipynb", "a") == "/b.ipynb"
    assert below("a/b.ipynb", "a/b.ipynb") == ""
    assert below("ab/c.ipynb", "a") is None
    assert below("c.ipynb", "a") is None
