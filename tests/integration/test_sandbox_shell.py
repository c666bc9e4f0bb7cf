"""Shell commands where there are no terminals: IPython's own way with them would need one."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest
from sandboxed import OTHER, Kernel, kernel, unavailable

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's"),
    pytest.mark.timeout(180),
]


@pytest.fixture(scope="module", params=["", OTHER], ids=lambda user: user or "me")
def walled(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    if reason := unavailable(request.param):
        pytest.skip(reason)
    with kernel("landlock", request.param) as running:
        yield running


def test_what_a_shell_command_leaves_running_goes_on(walled: Kernel) -> None:
    """It is not waited for, and can still say something."""
    began = time.monotonic()
    assert walled.does("!(sleep 1; echo late; echo still >alive; sleep 60) & echo now") == "now"
    assert time.monotonic() - began < 30
    code = "import os, time\nwhile not os.path.exists('alive'): time.sleep(0.1)\nos.remove('alive')"
    walled.does(code)


def test_interrupt_ends_a_shell_command(walled: Kernel) -> None:
    began = time.monotonic()
    result = walled.run("!trap '' INT; sleep 60", interrupt_after=1)
    assert not result.error
    assert time.monotonic() - began < 20
    assert walled.does("print(_exit_code)") == "-2"


def test_a_failure_is_an_error_where_that_was_asked_for(walled: Kernel) -> None:
    """`system_raise_on_error` is IPython's own setting."""
    asked = "get_ipython().system_raise_on_error = "
    assert walled.run(f"{asked}True\n!exit 3").error == "CalledProcessError"
    assert walled.does(f"{asked}False\n!kill -TERM $$\nprint(_exit_code)") == "-15"


def test_what_is_no_text_is_shown_as_far_as_it_is(walled: Kernel) -> None:
    """A character may come in pieces, or not to its end."""
    assert (
        walled.does("!printf '\\303'; sleep 0.3; printf '\\244 \\377 \\303'") == "ä \ufffd \ufffd"
    )
