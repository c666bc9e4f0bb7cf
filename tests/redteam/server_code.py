"""Code that runs in the Jupyter server itself: what it gets of the broker and the vault."""

from __future__ import annotations

import time
from pathlib import Path

import channel
from aftermath import wait
from signing_person import PASSPHRASE
from victim import World

_INSIDE = """
import json, types
out = []
for source, name in {attacks!r}:
    module = types.ModuleType("attack")
    exec(compile(source, "attack", "exec"), module.__dict__)
    try:
        out.append(str(getattr(module, name)({target!r})))
    except BaseException as error:
        out.append(repr(error)[:200])
open({out!r}, "w").write(" | ".join(out))
"""


def code_in_server(world: World, mark: Path) -> str:
    """R58: memory, environment, descriptors and vault, from inside the server process."""
    names = ["memory:mem_scan", "memory:vm_readv", "memory:environ", "memory:steal_fds"]
    return _inside(world, [*names, "vault:vault_and_key"], world.target(mark))


def passphrase_in_server(world: World, mark: Path) -> str:
    """X05: the same, after a person typed the passphrase on the page that the server shows."""
    target = {**world.target(mark), "passphrase": PASSPHRASE}
    return _inside(world, ["vault:vault_and_passphrase"], target)


def _inside(world: World, names: list[str], target: dict[str, object]) -> str:
    """Run attacks in the Jupyter server itself; return what all of them said."""
    attacks = []
    for name in names:
        module, _, function = name.partition(":")
        attacks.append(((channel.ATTACKS / f"{module}.py").read_text(), function))
    out = world.home / "inside.out"
    out.unlink(missing_ok=True)
    code = _INSIDE.format(attacks=attacks, target=target, out=str(out))
    (world.home / "inside" / "attack.tmp").write_text(code)
    (world.home / "inside" / "attack.tmp").rename(world.home / "inside" / "attack.py")
    wait(out, 60)
    time.sleep(0.2)
    return out.read_text() if out.exists() else "nothing came out"
