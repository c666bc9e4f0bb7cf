"""At the start of a Jupyter command, the working directory stops being a place for modules (R68).

`jupyter valet lockdown --install` copies this file into the environment, with a `.pth` file that
imports it whenever Python starts. Configuration would be too late: `python -m` and nbconvert put
the folder first on the path before they read any, and import from it on demand. Kernels, scripts
and every other program are left alone, and so is a folder that `PYTHONPATH` names.
"""

# Every Python of the environment pays for what is imported here, so there is no pathlib.

import os
import sys

_COMMANDS = ("jupyter", "nbconvert", "notebook", "nbclassic", "voila", "papermill")
_TAKE_A_VALUE = ("-W", "-X", "--check-hash-based-pycs")


class _Nothing:
    """A finder of modules that finds none (importlib's protocol)."""

    def find_spec(self, name, target=None):
        return None

    def invalidate_caches(self):
        pass


def _command(words):
    """Return the name of the script or module that this interpreter was told to run."""
    words = iter(words[1:])
    for word in words:
        if word in _TAKE_A_VALUE:
            next(words, None)
        elif word == "-c" or not word.startswith("-"):
            return os.path.basename(word)  # noqa: PTH119
        elif word.endswith("m") and not word.startswith("--"):
            return next(words, "")
    return ""


def _forget_working_folder():
    try:
        here = os.getcwd()  # noqa: PTH109
    except OSError:  # it is gone, and so is what was in it
        return
    if here not in sys.path:  # the interpreter's own entry for it comes later
        sys.path_importer_cache[here] = _Nothing()


if _command(sys.orig_argv).startswith(_COMMANDS):
    _forget_working_folder()
