"""`jupyter valet …`: what a person does in their own terminal, outside every notebook.

One module a command; each loads what it needs when it runs. These commands may open the vault, so
nothing that a kernel can start may import this folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .._version import __version__
from ..wire.errors import ValetError
from . import audit, connections, demo, doctor, keys, lab, lockdown, providers, stdio, tokens

_COMMANDS = (demo, lab, lockdown, doctor, connections, providers, tokens, keys, audit, stdio)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="jupyter valet", description="Tools with sign-in for Jupyter notebooks and agents."
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in _COMMANDS:
        module.add_to(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit status."""
    arguments = parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except ValetError as error:
        print(f"jupyter valet: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(
            f"jupyter valet: {error.name} is not installed here. "
            'Run pip install "jupyter-valet[server,demo]".',
            file=sys.stderr,
        )
        return 1
    except EOFError:
        print("\njupyter valet: It asks questions; run it in a terminal.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    return status
