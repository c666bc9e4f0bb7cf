"""`mcpdo` of the MCP Inspector: a client of other people's making that a shell drives.

It speaks both revisions and does form and URL elicitation: what the endpoint asks is handed to
whoever called, and answered with a second command.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from packages import node, package

SECONDS = 60.0
"""How long one command may take."""


@dataclass
class Mcpdo:
    """A private daemon of mcpdo's, with nothing of the person's: its home is `folder`."""

    folder: Path
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    async def connect(
        self, url: str, capability: str, *, era: str, elicit: str, name: str = "c"
    ) -> dict[str, Any]:
        """Connect in the `era` ("legacy" or "modern"), declaring what `elicit` says."""
        return await self.run(
            *("connect", "--connection", name, "--transport", "http", "--server-url", url),
            *("--era", era, "--elicit", elicit, "--header", f"Authorization: Bearer {capability}"),
        )

    async def call(self, tool: str, **arguments: str) -> dict[str, Any]:
        """Call a tool; return its result, or the question that waits for an answer."""
        pairs = [f"{name}:={json.dumps(value)}" for name, value in arguments.items()]
        return await self.run("--connection", "c", "tools/call", tool, *pairs)

    async def respond(self, pending: dict[str, Any], *answer: str) -> dict[str, Any]:
        """Answer a question; return what the call comes to."""
        return await self.run(
            "--connection", "c", "elicitation/respond", pending["elicitationId"], *answer
        )

    async def close(self) -> None:
        """End the daemon."""
        await self._process("daemon", "stop")

    async def run(self, *command: str) -> dict[str, Any]:
        """Run one command and return what it says."""
        done = await self._process("--format", "json", *command)
        said = done.stdout.decode()
        assert said.strip(), (command[0], done.returncode, done.stderr.decode()[-2000:])
        answer: dict[str, Any] = json.loads(said)
        return answer

    async def _process(self, *command: str) -> Any:
        program = package("@modelcontextprotocol/inspector") / "clients/mcpdo/build/mcp-bin.js"
        with anyio.fail_after(SECONDS):
            return await anyio.run_process(
                [str(node()), str(program), *command], check=False, env=self._environment
            )

    @property
    def _environment(self) -> dict[str, str]:
        """The daemon's own place, and no desktop's keyring (it would ask for one)."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "MCP_INSPECTOR_DAEMON_DIR": str(self.folder / "daemon"),
            "MCP_INSPECTOR_DAEMON_TOKEN": self.token,
        }


def question(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the question that a call stopped at."""
    assert "elicitationPending" in json.dumps(answer), answer
    pending: dict[str, Any] = answer["elicitationPending"]
    return pending


def words(answer: dict[str, Any]) -> str:
    """Return the texts of a result."""
    result = answer.get("result", answer)
    return "|".join(block.get("text", "") for block in result["content"])
