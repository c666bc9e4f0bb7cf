"""Which key source a new vault gets. An existing vault has one, and it never changes by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...secret import Secret
from ..errors import KeyUnavailable
from .file import FileSource
from .os_keyring import KeyringSource
from .passphrase import PassphraseSource
from .source import KeySource, Unsuitable

AUTO = "auto"
NAMES = ("keyring", "passphrase", "file")

Prompt = Callable[[], Secret] | None


def named(name: str, folder: Path, prompt: Prompt = None) -> KeySource:
    """Return the key source of that name. Raises `KeyUnavailable` when there is none."""
    if name == "keyring":
        return KeyringSource()
    if name == "passphrase":
        return PassphraseSource(folder, prompt)
    if name == "file":
        return FileSource(folder)
    raise KeyUnavailable(f"there is no key source of that name; choose one of {', '.join(NAMES)}")


def choose(name: str, folder: Path, prompt: Prompt = None) -> KeySource:
    """Return the source for a new vault: for `auto` the keyring where it works, else a key file.

    Raises `KeyUnavailable` when a source was asked for by name and does not work here: nothing
    weaker is taken in its place.
    """
    wanted = named("keyring" if name == AUTO else name, folder, prompt)
    try:
        wanted.check()
    except Unsuitable as reason:
        if name == AUTO:
            return FileSource(folder)
        raise KeyUnavailable(f"the {wanted.name} cannot be used: {reason}") from None
    return wanted
