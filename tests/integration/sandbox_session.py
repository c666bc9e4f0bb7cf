"""A kernel manager with a wall, in a process of its own: one JSON request a line, one answer.

`sandbox_session.py WALL HOME PROJECT [OPENING …]`; WALL is one of `sandboxed.WALLS`, or `none`.
The project is the home itself when there is a file `.project` in it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager

from jupyter_valet.sandbox import seccomp_filter, trial
from jupyter_valet.sandbox.backends import Bubblewrap, Landlock
from jupyter_valet.sandbox.backends.base import Session
from jupyter_valet.sandbox.kernel_manager import walled
from jupyter_valet.sandbox.policy import Opening, standard
from jupyter_valet.sandbox.wall import Wall


class Driver:
    """One kernel and its client."""

    def __init__(self, name: str, home: Path, project: Path, openings: list[str]) -> None:
        self.project = project = home if (home / ".project").exists() else project
        self.wall: Wall | None = None
        if name != "none":
            policy = standard(
                home=home,
                project=project,
                hidden=[home / "runtime", home / "state"],
                protected=[
                    *(home / "server-env", sys.prefix, *filter(os.path.isdir, sys.path)),
                    *filter(os.path.isdir, [project / ".venv"]),
                ],
                openings=[Opening.parse(text) for text in openings],
            )
            jupyter = int(os.environ.get("TEST_JUPYTER_PORT", "1"))
            if name == "landlock-plain":
                trial.view_holds = lambda: False
            backend = Bubblewrap() if name == "bubblewrap" else Landlock()
            self.wall = Wall(backend, policy, lambda: Session(frozenset({jupyter}), self.broker))
        self.broker = int(os.environ.get("TEST_BROKER_PORT", "0"))
        base: Any = AsyncKernelManager
        self.manager = (walled(base, self.wall) if self.wall else base)()
        self.manager.connection_file = str(home / "runtime" / "kernel-mine.json")
        self.client: Any = None

    async def start(self) -> dict[str, Any]:
        if missing := os.environ.get("TEST_UNSUPERVISED"):
            assert self.wall is not None
            self.wall.prove()  # as it is
            left = (name for name in seccomp_filter.SUPERVISED if name != missing)
            seccomp_filter.SUPERVISED = tuple(left)
        began = time.perf_counter()
        await self.manager.start_kernel(cwd=str(self.project))
        await self._connect()
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "report": self._report()}

    async def _connect(self) -> None:
        self.client = self.manager.client()
        self.client.start_channels()
        await self.client.wait_for_ready(timeout=90)

    def _report(self) -> list[list[str]]:
        if self.wall is None or self.wall.report is None:
            return []
        return [[f.attack, f.verdict.value, f.detail] for f in self.wall.report.findings]

    async def run(self, code: str, interrupt_after: float = 0) -> dict[str, Any]:
        texts: list[str] = []

        def collect(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                texts.append(content["text"])
            elif "data" in content:
                texts.append(" ".join(sorted(content["data"])))

        running = asyncio.ensure_future(
            self.client.execute_interactive(code, output_hook=collect, timeout=90)
        )
        if interrupt_after:
            await asyncio.sleep(interrupt_after)
            await self.manager.interrupt_kernel()
        content = (await running)["content"]
        return {
            "text": "".join(texts),
            "error": content.get("ename", ""),
            "value": content.get("evalue", ""),
            "traceback": "\n".join(content.get("traceback", [])),
        }

    async def restart(self) -> dict[str, Any]:
        self.client.stop_channels()
        await self.manager.restart_kernel(now=True)
        await self._connect()
        return {}

    async def kill(self) -> dict[str, Any]:
        """End the launcher alone, as the out-of-memory killer might."""
        os.kill(self.manager.provisioner.pid, 9)
        return {"pid": self.manager.provisioner.pid}

    async def control(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        message = self.client.session.msg(kind, content)
        self.client.control_channel.send(message)
        reply = await self.client.control_channel.get_msg(timeout=60)
        return dict(reply["content"])

    async def stop(self) -> dict[str, Any]:
        if self.client is not None:
            self.client.stop_channels()
        workspace = getattr(self.manager, "_tenant", None)
        await self.manager.shutdown_kernel(now=True)
        if self.wall is not None:
            self.wall.close()
        path = workspace.workspace.path if workspace is not None else None
        return {"left": bool(path and path.exists())}


async def main() -> None:
    name, home, project, *openings = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # kernels inherit standard output
    driver = Driver(name, Path(home), Path(project), openings)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        try:
            answer = await getattr(driver, asked.pop("do"))(**asked)
        except Exception as error:
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), file=answers, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
