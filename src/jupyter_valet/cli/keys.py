"""`jupyter valet key`: where the vault's key comes from, and a new one."""

from __future__ import annotations

import argparse

from .opening import add_options, state_dir, vault


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the command line."""
    command = commands.add_parser("key", help="show or rotate the vault's key", description=__doc__)
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    for name, run, words in (
        ("status", status, "say where the key comes from and whether the vault opens"),
        ("rotate", rotate, "make a new key and re-wrap every record; servers may go on running"),
    ):
        action = actions.add_parser(name, help=words, description=words.capitalize() + ".")
        add_options(action)
        action.set_defaults(run=run)


def status(arguments: argparse.Namespace) -> int:
    """Open the vault and say what it is."""
    with vault(arguments) as opened:
        print(f"vault:      {state_dir(arguments)}")
        print(f"key:        {opened.key_source_words}")
        print(f"state:      {'locked' if opened.locked else 'opens'}")
    return 0


def rotate(arguments: argparse.Namespace) -> int:
    """Rotate the key."""
    with vault(arguments) as opened:
        version = opened.rotate()
    print(f"The vault is under key version {version} now; older versions open nothing any more.")
    return 0
