"""From a policy to the paths that Landlock is told of.

Landlock only adds rights, beneath whole folders. "All of this but that" therefore becomes a rule
for each sibling on the way down to "that", as they are at this moment: what is made later directly
in a folder on that way belongs to no rule and is refused.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterator

from .launch import landlock
from .policy import Mode, Policy

_AFTER_SLASH = chr(ord("/") + 1)
Lister = Callable[[str], list[str]]
"""Returns the entries of a folder, as paths, without symbolic links: Landlock judges targets."""


def entries(folder: str) -> list[str]:
    """Return what is in `folder`; nothing when it cannot be read."""
    try:
        with os.scandir(folder) as found:
            return sorted(entry.path for entry in found if not entry.is_symlink())
    except OSError:
        return []


def rules(policy: Policy, list_folder: Lister = entries) -> list[tuple[str, int]]:
    """Return every path and the Landlock rights on it.

    Names can be listed and files moved (`REFER`) everywhere; what is in files, and where something
    may be put or removed, is decided below. Landlock cannot hide names.
    """
    found = [("/", landlock.READ_DIR | landlock.REFER)]
    found += [(path, landlock.READ) for path in _carve(policy, _readable, list_folder)]
    found += [(path, landlock.WRITE) for path in _carve(policy, _writable, list_folder)]
    found += [(device, landlock.WRITE) for device in policy.devices]
    return found


def ancestors_of_exceptions(policy: Policy, list_folder: Lister = entries) -> list[str]:
    """Return the writable folders in which nothing new can be made, for a warning."""
    covered = set(_carve(policy, _writable, list_folder))
    return [
        path for path, mode in policy.modes.items() if mode is Mode.WRITE and path not in covered
    ]


def _readable(mode: Mode) -> bool:
    return mode is not Mode.HIDDEN


def _writable(mode: Mode) -> bool:
    return mode is Mode.WRITE


def _carve(policy: Policy, allowed: Callable[[Mode], bool], list_folder: Lister) -> Iterator[str]:
    """Yield the fewest paths that cover what is allowed and nothing else."""
    listed = sorted(policy.modes)

    def below(path: str) -> list[str]:
        prefix = path.rstrip("/") + "/"
        first = bisect_left(listed, prefix + "\0")  # after "/", which is a prefix of its own
        return listed[first : bisect_left(listed, prefix[:-1] + _AFTER_SLASH)]

    def walk(path: str, inherited: bool) -> Iterator[str]:
        here = allowed(policy.modes[path]) if path in policy.modes else inherited
        deeper = below(path)
        refused = [other for other in deeper if not allowed(policy.modes[other])]
        if here and not refused:
            yield path
        elif here:
            for entry in list_folder(path):
                yield from walk(entry, here)
        else:
            for entry in _next_steps(path, deeper):
                yield from walk(entry, here)

    yield from walk("/", allowed(Mode.HIDDEN))


def _next_steps(path: str, deeper: list[str]) -> list[str]:
    """Return the children of `path` on the way to places that are listed beneath it."""
    prefix = path.rstrip("/") + "/"
    return sorted({prefix + other[len(prefix) :].split("/", 1)[0] for other in deeper})
