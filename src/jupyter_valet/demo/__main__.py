"""Run the demo provider until standard input ends: ``python -I -m jupyter_valet.demo``."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading

from .app import USUAL_PORT, serve


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jupyter_valet.demo", description=__doc__)
    parser.add_argument(
        "--port", type=int, help=f"port on 127.0.0.1 (default: {USUAL_PORT}, or any free one)"
    )
    parser.add_argument(
        "--access-seconds", type=float, default=300, help="lifetime of an access token"
    )
    return parser.parse_args()


def _watch_stdin(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """Set `ended` when whoever started this process is gone."""

    def read() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, daemon=True).start()


async def _run(port: int | None, access_seconds: float) -> None:
    ended = asyncio.Event()
    async with serve(port, access_seconds=access_seconds) as demo:
        print(json.dumps({"issuer": demo.issuer}), flush=True)
        _watch_stdin(asyncio.get_running_loop(), ended)
        await ended.wait()


def main() -> int:
    """Serve, and return the exit status."""
    arguments = _arguments()
    try:
        asyncio.run(_run(arguments.port, arguments.access_seconds))
    except OSError as error:
        print(f"The demo provider cannot listen: {error.strerror}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
