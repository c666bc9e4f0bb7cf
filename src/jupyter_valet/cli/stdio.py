"""`jupyter valet stdio`: the running server's tools for a client that starts programs."""

from __future__ import annotations

import argparse
import logging
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "stdio",
        help="bridge an MCP client on this machine to the running Jupyter server",
        description="Speaks MCP on standard input and output, and passes every message on to a "
        "Jupyter server of yours that runs here. Put it into the configuration of a client that "
        "starts its MCP servers as programs.",
    )
    command.add_argument(
        "--server",
        default="",
        metavar="URL|PORT",
        help="which server, when several run (default: the one whose folder this is)",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Bridge until standard input ends. Raises `ValetError` when no server is there at first."""
    import anyio

    from ..stdio.bridge import bridge
    from ..stdio.servers import entrance

    def find() -> Any:
        return entrance(arguments.server)

    find()
    logging.basicConfig(level=logging.ERROR)  # to standard error: the output is the protocol's
    anyio.run(bridge, find)
    return 0
