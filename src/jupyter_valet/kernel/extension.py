"""`%load_ext jupyter_valet`: registers the magics and binds `tools`. Imports nothing heavy."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..wire import env
from .tools import tools

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

NAME = "tools"


def connect(line: str) -> Any:
    """Sign in: `%connect github [google ...] [--scopes a,b] [--new-account]`.

    Shows a card with one link for each provider that is not signed in yet and waits until the
    sign-in is finished. The credential stays with the broker; this notebook is not given it.
    """
    from .magics import connect

    return connect(line)


def connections(line: str) -> Any:
    """List the accounts that are signed in: `%connections`."""
    from .magics import connections

    return connections(line)


def disconnect(line: str) -> Any:
    """Forget an account: `%disconnect NAME [--revoke] [--all]`.

    NAME is a provider, an account, or `provider/account`; with `--all` every account that it fits.
    With `--revoke` the provider is told to withdraw the access as well.
    """
    from .magics import disconnect

    return disconnect(line)


def valet(line: str) -> Any:
    """Show where the broker is, what it protects against, and what can be typed: `%valet`.

    `%valet doctor` attacks from this kernel and says what it got.
    """
    from .magics import valet

    return valet(line)


class Names:
    """Completes the names behind `%connect` and `%disconnect`: a matcher of IPython's API 2."""

    matcher_api_version = 2
    matcher_identifier = "jupyter_valet.names"
    matcher_priority = 0

    def __init__(self) -> None:
        self.__qualname__ = self.matcher_identifier  # IPython expects a function

    def __call__(self, context: Any) -> dict[str, Any]:
        """Return what fits; then, and only then, Python's own names are left out."""
        from .completion import matches

        return matches(context.text_until_cursor, context.token)


NAMES = Names()


MAGICS = {
    "connect": connect,
    "connections": connections,
    "disconnect": disconnect,
    "valet": valet,
}


def load(shell: InteractiveShell) -> None:
    """Register the magics, bind `tools` if that name is free, and say so in one line."""
    for name, function in MAGICS.items():
        shell.register_magic_function(function, "line", name)  # type: ignore[arg-type]
    matchers = _matchers(shell)
    if NAMES not in matchers:
        matchers.append(NAMES)
    if shell.user_ns.setdefault(NAME, tools) is tools:
        shell.user_ns_hidden.setdefault(NAME, tools)
        hint = "tools.<TAB> lists tools"
    else:
        hint = "`tools` is taken here, use `from jupyter_valet import tools`"
    if os.environ.get(env.URL):
        _watch_soon()
    print(f"jupyter-valet {__version__}: {hint}, %connect NAME signs in, %valet helps.")


def unload(shell: InteractiveShell) -> None:
    """Take back what `load` registered, and nothing that the person changed since."""
    line_magics = shell.magics_manager.magics["line"]
    for name, function in MAGICS.items():
        if line_magics.get(name) is function:
            del line_magics[name]
    matchers = _matchers(shell)
    if NAMES in matchers:
        matchers.remove(NAMES)
    if shell.user_ns.get(NAME) is tools:
        del shell.user_ns[NAME]
        shell.user_ns_hidden.pop(NAME, None)
    if (watch := sys.modules.get(f"{__package__}.agents.watch")) is not None:
        watch.stop()


def _watch_soon() -> None:
    """Begin to show what agents and programs wait for, where a person looks at a notebook.

    In a thread: what it imports must not make `%load_ext` slower.
    """
    from threading import Thread

    Thread(target=_watch, name="jupyter-valet load", daemon=True).start()


def _watch() -> None:
    from . import attendance

    if attendance.in_notebook() and attendance.attended():
        from ..wire.errors import ValetError
        from .agents import watch
        from .session import current

        with suppress(ValetError):
            watch.start(current())


def _matchers(shell: InteractiveShell) -> list[Any]:
    """Return the shell's own list; one that nobody looks at where IPython is older than 8.6."""
    found: list[Any] = getattr(getattr(shell, "Completer", None), "custom_matchers", [])
    return found
