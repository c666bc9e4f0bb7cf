"""`jupyter valet key`: where the key is from, a new one, and what to do when the vault refuses."""

from __future__ import annotations

import argparse

from .opening import add_options, existing_state_dir, passphrase, state_dir, vault


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the command line."""
    command = commands.add_parser("key", help="show or rotate the vault's key", description=__doc__)
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    for name, run, words in (
        ("status", status, "say where the key comes from and whether all is well"),
        ("rotate", rotate, "make a new key and re-wrap every record; servers may go on running"),
        ("accept-older", accept_older, "accept a vault that was put back from a backup"),
        ("set-aside", set_aside, "put the vault aside, so that the next start makes an empty one"),
    ):
        action = actions.add_parser(name, help=words, description=words.capitalize() + ".")
        add_options(action)
        action.set_defaults(run=run)


def status(arguments: argparse.Namespace) -> int:
    """Print what can be said of the vault without opening anything secret; 1 if it refuses."""
    from ..broker.vault.status import describe

    facts = describe(state_dir(arguments))
    print(f"vault:    {state_dir(arguments)}")
    if not facts["exists"]:
        print("state:    not made yet; the first sign-in makes it")
        return 0
    print(f"key:      {facts['key_source_words'] or 'not known'}")
    if facts["key_version"] is not None:
        unfinished = "; a rotation is unfinished" if facts["rotation_unfinished"] else ""
        print(f"version:  {facts['key_version']}{unfinished}")
    for kind, count in facts["records"].items():
        print(f"holds:    {count} {kind}")
    print(
        f"state:    {'locked' if facts['locked'] else 'refuses' if facts['problems'] else 'well'}"
    )
    for problem in facts["problems"]:
        print(f"problem:  {problem}")
    return 1 if facts["problems"] else 0


def rotate(arguments: argparse.Namespace) -> int:
    """Rotate the key."""
    with vault(arguments) as opened:
        version = opened.rotate()
    print(f"The vault is under key version {version} now; older versions open nothing any more.")
    return 0


def accept_older(arguments: argparse.Namespace) -> int:
    """Take the vault as the newest, once the person has said that they put it back."""
    from ..broker.vault.recovery import accept_older as accept

    folder = existing_state_dir(arguments)
    if not _agreed("Tokens that were revoked since that backup come back with it. Stop Jupyter."):
        return 1
    print(f"Accepted: generation {accept(folder, prompt=passphrase)}.")
    return 0


def set_aside(arguments: argparse.Namespace) -> int:
    """Move the vault away; nothing is deleted."""
    from ..broker.vault.recovery import set_aside as move

    folder = existing_state_dir(arguments)
    if not _agreed("Every sign-in has to be made again. Stop Jupyter first."):
        return 1
    print(f"The old vault is in {move(folder)}.")
    return 0


def _agreed(words: str) -> bool:
    print(words)
    agreed = input("Go on? Type yes: ").strip().lower() == "yes"
    if not agreed:
        print("Nothing was changed.")
    return agreed
