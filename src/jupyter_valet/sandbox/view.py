"""From a policy to the mounts that make it so, in a view of the file system of a kernel's own.

A closed place is covered, a place to be read in a writable one is mounted read-only, and `/tmp` is
the kernel's own. Other than Landlock's rules this leaves the folders around a closed place whole:
new files can be made beside it. What is not there yet cannot be covered; `uncovered` says what
Landlock has to keep closed in its own way.
"""
# ruff: noqa: PTH112, PTH120

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator

from . import places, repositories
from .launch.namespace import Mount
from .policy import Mode, Policy
from .workspace import Workspace


def guarded(policy: Policy, workspace: Workspace) -> list[str]:
    """Return what is there and becomes read-only where kernels write (R67)."""
    written = [path for path, mode in policy.modes.items() if mode is Mode.WRITE]
    found = [repositories.guarded(path) for path in written if path != str(workspace.path)]
    return [path for path in (*policy.guarded, *itertools.chain(*found)) if _is_there(path)]


def mounts(policy: Policy, workspace: Workspace) -> list[Mount]:
    """Return the mounts, those nearer to the root first."""
    found: dict[str, Mount] = {}
    for path, mode in policy.from_the_root():
        around = policy.mode(os.path.dirname(path))
        mount = _mount(policy, workspace, path, mode, around)
        if mount is not None:
            found[path] = mount
            if around is Mode.WRITE:
                for pinned in pins(policy, path):
                    found.setdefault(pinned, (pinned, pinned, True, ""))
    for device in policy.devices:
        if os.path.isdir(device):
            found[device] = (device, device, True, "")
    for path in guarded(policy, workspace):
        if policy.mode(path) is Mode.WRITE:
            found[path] = (path, path, False, "")
            for pinned in pins(policy, path):
                found.setdefault(pinned, (pinned, pinned, True, ""))
    return sorted(found.values(), key=lambda mount: (mount[1].count("/"), mount[1]))


def _mount(
    policy: Policy, workspace: Workspace, path: str, mode: Mode, around: Mode
) -> Mount | None:
    if path == "/" or is_below(path, "/dev") or not _is_there(path):
        return None
    if path in places.SHARED_TEMPORARY and mode is Mode.HIDDEN:
        return (str(workspace.temporary), path, True, "")
    if around is Mode.HIDDEN:  # what covers the place around has a mount point for it, or gets one
        if mode is Mode.HIDDEN:
            return None
        made = "folder" if os.path.isdir(path) else "file"
        return (path, path, mode is Mode.WRITE, made if _temporary(policy, path) else "")
    if mode is Mode.HIDDEN:
        return (workspace.cover(path, _inside(policy, path)), path, False, "")
    return (path, path, mode is Mode.WRITE, "") if mode is not around else None


def _temporary(policy: Policy, path: str) -> bool:
    """Tell whether `path` lies in what is private to the kernel."""
    return any(
        is_below(path, folder) and policy.modes.get(folder) is Mode.HIDDEN
        for folder in places.SHARED_TEMPORARY
    )


def _inside(policy: Policy, hidden: str) -> list[str]:
    """Return the places in a hidden one that are not."""
    return [
        path
        for path, mode in policy.from_the_root()
        if mode is not Mode.HIDDEN and path != hidden and is_below(path, hidden) and _is_there(path)
    ]


def pins(policy: Policy, path: str) -> Iterator[str]:
    """Yield the folders between `path` and the writable place around it.

    Each is mounted onto itself: a folder on the way could otherwise be renamed, and another put
    where the protected place was.
    """
    above = os.path.dirname(path)
    while above not in policy.modes and above != "/":
        yield above
        above = os.path.dirname(above)


def uncovered(policy: Policy, made: Iterable[Mount]) -> Policy:
    """Return the policy without what the mounts have closed inside writable places.

    In the home folder they are no help: names that are not there yet, `.bash_profile` for one,
    must not be made there, so nothing new is.
    """
    covered = {target for _, target, _, _ in made}
    left, dropped = dict(policy.modes), set[str]()
    for path, mode in policy.from_the_root():
        if any(is_below(path, above) for above in dropped):
            closed = path in covered or mode is not Mode.HIDDEN
        else:
            closed = path in covered and _in_writable(policy, path)
        if closed:
            dropped.add(path)
            del left[path]
    return policy.with_only(left)


def _in_writable(policy: Policy, path: str) -> bool:
    """Tell whether `path` is a closed place in a writable one other than the home folder."""
    if policy.modes[path] is Mode.WRITE:
        return False
    above = os.path.dirname(path)
    while above not in policy.modes:
        above = os.path.dirname(above)
    return policy.modes[above] is Mode.WRITE and not is_below(policy.home, above)


def temporary_may_be_writable(left: Policy) -> bool:
    """Tell whether Landlock may open the kernel's own `/tmp` as a whole.

    Its rule holds for all that is mounted in `/tmp`, too. That is safe while mounts have closed
    what must be; `left` is what they have not.
    """
    return not any(
        mode is not Mode.WRITE
        and _temporary(left, path)
        and left.mode(os.path.dirname(path)) is Mode.WRITE
        for path, mode in left.modes.items()
    )


def is_below(path: str, above: str) -> bool:
    """Tell whether `path` is `above` or in it."""
    return path == above or path.startswith(above.rstrip("/") + "/")


def _is_there(path: str) -> bool:
    return os.path.lexists(path)
