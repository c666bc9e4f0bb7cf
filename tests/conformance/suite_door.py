"""The official suite's tools behind a real Jupyter server: `python suite_door.py`.

What the suite sends arrives at `{base_url}valet/mcp` with an API key that a person made for it, as
from any program outside of the notebooks. It prints where, and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
for _folder in (HERE, HERE.parent / "integration", HERE.parent / "providers"):
    sys.path.insert(0, str(_folder))

from jupyter_process import jupyter_server  # noqa: E402
from program import make_key  # noqa: E402
from relay import relaying  # noqa: E402


async def main() -> None:
    """Serve until standard input ends."""
    broker = [sys.executable, str(HERE / "suite_broker.py")]
    async with relaying() as relay:
        # The administrator lets pages of this one origin call the server (the suite acts as one).
        config = (
            f"c.ServerApp.allow_origin = {relay.own!r}\n"
            f"c.ValetExtension.broker_command = {broker!r}\n"
        )
        with (
            tempfile.TemporaryDirectory() as folder,
            jupyter_server(Path(folder), fake=False, config=config, base="/user/jane/") as server,
        ):
            relay.origin = f"http://127.0.0.1:{server.port}"
            relay.token = make_key(server, "the official suite", "tools:write")
            relay.as_it_is = True
            sys.stdout.write(f"{relay.own}{server.base}valet/mcp\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
