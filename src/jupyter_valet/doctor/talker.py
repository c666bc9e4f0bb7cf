"""A kernel without any defence that keeps printing a canary: what a listener must hear (R34)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator

CHATTER = """
import threading as _threading, time as _time
def _talk():
    while True:
        print({secret!r}, flush=True)
        _time.sleep(0.3)
_threading.Thread(target=_talk, daemon=True).start()
"""


@contextlib.contextmanager
def talker(secret: str) -> Iterator[None]:
    """Run it until the block ends: not encrypted, which is a kernel manager's default."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    with tempfile.TemporaryDirectory() as folder:  # the person's history is not for canaries
        environ = {**os.environ, "IPYTHONDIR": folder}
        manager.start_kernel(env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = manager.blocking_client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            client.execute(CHATTER.format(secret=secret), store_history=False)
            yield
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
