"""The embedded demo provider as a child process; its code is `jupyter_valet.demo`."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from subprocess import Popen

from ..wire.errors import ValetError
from . import process

START_SECONDS = 20.0


class DemoProvider:
    """Started once, with the broker; ends when its standard input closes."""

    def __init__(self, state_dir: Path, log: process.Log) -> None:
        self._state_dir = state_dir
        self._log = log
        self._process: Popen[bytes] | None = None
        self._issuer = ""

    async def issuer(self) -> str:
        """Return the issuer URL; start the provider if it does not run.

        Raises `ValetError` ("provider_unreachable").
        """
        if self._process is None or self._process.poll() is not None:
            await self._start()
        return self._issuer

    async def stop(self) -> None:
        """End the provider."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await process.end(self._process, 3.0)

    async def _start(self) -> None:
        child = process.spawn(
            process.python_module("jupyter_valet.demo"),
            cwd=process.own_cwd(self._state_dir),
            environ=os.environ,
        )
        self._process = child
        process.pump_stderr(child, self._log)
        assert child.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await asyncio.to_thread(child.stdout.readline)
            self._issuer = str(json.loads(line)["issuer"])
        except (TimeoutError, ValueError, KeyError, TypeError):
            child.kill()
            raise ValetError("provider_unreachable", provider="The demo provider") from None
        self._log.info("The demo provider runs at %s", self._issuer)
