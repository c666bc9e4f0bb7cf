"""Places where a file runs later, outside: opened for writing, and never written to."""

import os
import secrets
from pathlib import Path


def _appendable(path):
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    return f"CONTROL {path} can be written to"


def _addable(folder):
    """Put an empty file there and take it away; where the folder is missing, the folder itself."""
    folder = Path(folder)
    while not folder.exists():
        folder = folder.parent
    path = folder / f".valet-doctor-{secrets.token_hex(4)}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)
    return f"CONTROL files can be put into {folder}"


def _any(attempts):
    last = PermissionError("nothing to try")
    for attempt, path in attempts:
        try:
            return attempt(path)
        except OSError as error:
            last = error
    raise last


def server_config(t):
    """R30, R60, R61: what the next server runs."""
    return _any([(_addable, path) for path in t["config_folders"]])


def ipython_startup(t):
    """R31, R69: what the person's next IPython runs."""
    return _addable(Path(t["person"], ".ipython", "profile_default", "startup"))


def shell_start(t):
    """R32: what the person's next shell runs."""
    names = (".bashrc", ".bash_profile", ".profile", ".zshrc", ".zshenv")
    found = [Path(t["person"], name) for name in names]
    there = [(_appendable, path) for path in found if path.exists()]
    return _any([*there, (_addable, t["person"])])


def user_site(t):
    """R29, R70: what every start of a Python of the person's imports."""
    return _addable(Path(t["person"], ".local", "lib"))


def server_code(t):
    """R28: what the server imports."""
    return _any([(_addable, path) for path in t["server_code"]])


def data_folders(t):
    """R25, R26, R83: kernel specifications, templates, and extensions of the page."""
    return _any([(_addable, path) for path in t["data_folders"]])
