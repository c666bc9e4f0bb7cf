"""Kernel capabilities: per kernel, dead with it (R59)."""

from __future__ import annotations

from jupyter_valet.broker.kernels import Caller, Kernels
from jupyter_valet.wire import capability


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
