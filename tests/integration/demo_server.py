"""A real server with its broker; only for tests, since programs have no path to `leaks`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from jupyter_process import Server, jupyter_server
from leaks import must_not_leak


@contextlib.contextmanager
def demo_server(home: Path, config: str = "") -> Iterator[Server]:
    """Run a server with its broker and the demo provider, below a path as a Hub's are.

    When the block ends, no file of it may hold a secret in clear.
    """
    config = f"c.ValetExtension.demo = True\n{config}"
    with jupyter_server(home, fake=False, config=config, base="/user/jane/") as running:
        yield running
    must_not_leak(home, home / "state")
