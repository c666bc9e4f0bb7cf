"""Kernel capabilities: per kernel, dead with it (R59)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from jupyter_valet.broker import descriptors
from jupyter_valet.broker.client import Client
from jupyter_valet.broker.kernels import MOST_REQUESTS, Caller, Kernels
from jupyter_valet.wire import capability
from jupyter_valet.wire.errors import ValetError


def caller(kernel_id: str) -> Caller:
    return Caller(principal="owner", kernel_id=kernel_id, notebook="a.ipynb", origin="http://x/")


def test_a_capability_finds_its_kernel_and_no_other():
    kernels = Kernels()
    one, two = capability.mint(), capability.mint()
    kernels.register(capability.digest(one), caller("1"))
    kernels.register(capability.digest(two), caller("2"))
    assert kernels.find(one) == caller("1")
    assert kernels.find(two) == caller("2")


def test_a_new_capability_ends_the_kernels_old_one():
    kernels = Kernels()
    old, new = capability.mint(), capability.mint()
    kernels.register(capability.digest(old), caller("1"))
    kernels.register(capability.digest(new), caller("1"))
    assert kernels.find(old) is None
    assert kernels.find(new) == caller("1")


def test_a_revoked_kernel_is_unknown():
    kernels = Kernels()
    token = capability.mint()
    kernels.register(capability.digest(token), caller("1"))
    kernels.revoke("1")
    assert kernels.find(token) is None


def test_a_token_of_another_kind_is_refused_on_sight():
    """Token passthrough is impossible by construction (RS-06)."""
    kernels = Kernels()
    token = "gho_" + "a" * 43
    kernels.register(capability.digest(token), caller("1"))
    assert kernels.find(token) is None


def test_a_kernel_has_so_many_requests_under_way_and_no_more():
    """What one kernel holds open costs all kernels memory; another kernel's are its own."""
    kernels = Kernels()
    with ExitStack() as served:
        for _ in range(MOST_REQUESTS):
            served.enter_context(kernels.request_of(caller("1")))
        with (
            pytest.raises(ValetError, match="128 requests under way"),
            kernels.request_of(caller("1")),
        ):
            raise AssertionError
        with kernels.request_of(caller("2")):
            pass
    with kernels.request_of(caller("1")):
        pass


def test_clients_outside_leave_half_of_all_connections_to_kernels(monkeypatch):
    """One narrow key must not keep every notebook from the broker."""
    monkeypatch.setattr(descriptors, "CONNECTIONS", 6)
    kernels = Kernels()
    clients = [
        Caller(who, key, "", "http://x/", client=Client(key, "editor", frozenset()))
        for who, key in (("a", "client:key:1"), ("a", "client:key:2"), ("b", "client:key:2"))
    ]
    with ExitStack() as served:
        for client in clients:
            served.enter_context(kernels.request_of(client))
        with (
            pytest.raises(ValetError, match="3 requests under way"),
            kernels.request_of(clients[0]),
        ):
            raise AssertionError
        with kernels.request_of(caller("1")):
            pass
    with kernels.request_of(clients[0]):
        pass


def test_a_request_that_fails_is_no_longer_under_way():
    """Else 128 errors lock a kernel out."""
    kernels = Kernels()
    for _ in range(MOST_REQUESTS + 1):
        with pytest.raises(KeyError), kernels.request_of(caller("1")):
            raise KeyError
