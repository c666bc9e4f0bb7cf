"""What the wall costs a kernel: from the start to the first answer, and afterwards."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import median, ratio
from jupyter_client.manager import AsyncKernelManager

from jupyter_valet.sandbox.backends import Bubblewrap, Landlock
from jupyter_valet.sandbox.kernel_manager import walled
from jupyter_valet.sandbox.policy import standard
from jupyter_valet.sandbox.wall import Wall

ROUNDS = 40

CONNECTS = """
import socket, time
from threading import Thread
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
def accept():
    while True: server.accept()[0].close()
Thread(target=accept, daemon=True).start()
began = time.perf_counter()
for _ in range(500): socket.create_connection(("127.0.0.1", port)).close()
print((time.perf_counter() - began) / 500)
"""
READS = """
import os, time
fd = os.open("/dev/null", os.O_RDONLY)
began = time.perf_counter()
for _ in range(200_000): os.read(fd, 1)
print((time.perf_counter() - began) / 200_000)
"""


def measure() -> list[dict[str, Any]]:
    """Start kernels in turns, with each wall and with none."""
    return asyncio.run(_measure())


async def _measure() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        policy = standard(home=Path.home(), project=project, protected=[sys.prefix, *_imports()])
        walls = {"landlock": Wall(Landlock(), policy), "bubblewrap": Wall(Bubblewrap(), policy)}
        classes: dict[str, Any] = {"none": AsyncKernelManager}
        for name, wall in walls.items():
            wall.prove()
            classes[name] = walled(AsyncKernelManager, wall)
        starts: dict[str, list[float]] = {name: [] for name in classes}
        for name in classes:
            await _start(classes[name], project)  # warm
        for _ in range(ROUNDS):
            for name, each in classes.items():
                starts[name].append((await _start(each, project))[0])
        connects = {name: await _timed(classes[name], project, CONNECTS) for name in classes}
        reads = {name: await _timed(classes[name], project, READS) for name in classes}
        for wall in walls.values():
            wall.close()
    return [
        ratio("kernel start, landlock ÷ none", starts["landlock"], starts["none"], "<= 1.15"),
        ratio("kernel start, bubblewrap ÷ none", starts["bubblewrap"], starts["none"], "<= 1.15"),
        ratio("a system call, landlock ÷ none", [reads["landlock"]], [reads["none"]], "<= 1.1"),
        median("a TCP connection behind landlock", [connects["landlock"]], "<= 1 ms"),
        median("a TCP connection without a wall", [connects["none"]], ""),
    ]


async def _start(kind: Any, project: Path) -> tuple[float, str]:
    return await _with_kernel(kind, project, "")


async def _timed(kind: Any, project: Path, code: str) -> float:
    return float((await _with_kernel(kind, project, code))[1])


async def _with_kernel(kind: Any, project: Path, code: str) -> tuple[float, str]:
    """Start a kernel, run `code` in it; return the seconds to its first answer, and the output."""
    manager = kind()
    began = time.perf_counter()
    await manager.start_kernel(cwd=str(project))
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    seconds = time.perf_counter() - began
    said: list[str] = []
    if code:
        await client.execute_interactive(
            code, output_hook=lambda m: said.append(m["content"].get("text", "")), timeout=60
        )
    client.stop_channels()
    await manager.shutdown_kernel(now=True)
    return seconds, "".join(said).strip()


def _imports() -> list[str]:
    return [path for path in sys.path if Path(path).is_dir()]
