"""The pure parts of keeping a broker alive."""

from __future__ import annotations

from itertools import islice

from jupyter_valet.server.process import python_module
from jupyter_valet.server.supervisor import backoff


def test_a_broker_that_keeps_falling_is_given_more_and_more_time() -> None:
    delays = list(islice(backoff(), 12))
    assert delays[0] == 0.1
    assert delays == sorted(delays)
    assert delays[-1] == 15.0


def test_the_broker_s_interpreter_is_isolated() -> None:
    """D2: no environment, no user site, no current directory on the path."""
    assert "-I" in python_module("jupyter_valet.broker")
