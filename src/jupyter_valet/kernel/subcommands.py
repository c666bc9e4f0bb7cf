"""What can be typed behind `%valet`: doctor, errors, add, remove."""

from __future__ import annotations

import argparse
import os
import shlex
import time
from typing import NoReturn

from ..wire import env
from ..wire.errors import ValetError
from .plain_text import one_line
from .session import current

_USAGE = {
    "doctor": "%valet doctor",
    "errors": "%valet errors",
    "add": "%valet add NAME SOURCE [--provider NAME] [--scheme NAME] [--mcp | --api]",
    "remove": "%valet remove NAME",
}


def run(line: str) -> str:
    """Do what `line` says and return what to print. Raises `ValetError`."""
    try:
        name, *words = shlex.split(line)
    except ValueError:
        raise _wrong("%valet: a quotation mark is missing", "%valet") from None
    match name:
        case "doctor" | "errors" if words:
            raise _wrong(f"%valet {name} takes nothing more", _USAGE[name])
        case "doctor":
            return _doctor()
        case "errors":
            return _errors()
        case "add":
            return _add(words)
        case "remove":
            return _remove(words)
    raise _wrong(f"%valet knows {', '.join(_USAGE)}", "%valet for help")


def _doctor() -> str:
    from ..doctor.here import examine

    report = examine(current().status(), os.environ.get(env.URL, ""))
    more = "`jupyter valet doctor`, in a terminal, tries more, and proves what is blocked."
    return f"{report.text()}\n{more}"


def _errors() -> str:
    from .functions.runner import runner

    told = [
        f"{time.strftime('%H:%M:%S', time.localtime(f.at))} {f.name}\n{f.traceback}"
        for f in runner(current()).failures
    ]
    return "\n".join(told) or "No function that is a tool has failed in this kernel."


def _add(words: list[str]) -> str:
    from . import additions

    parser = _Parser(prog="%valet add", usage=_USAGE["add"], add_help=False, allow_abbrev=False)
    parser.add_argument("name")
    parser.add_argument("source")
    parser.add_argument("--provider", default="")
    parser.add_argument("--scheme", default="")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--mcp", action="store_true")
    kind.add_argument("--api", action="store_true")
    asked = parser.parse_args(words)
    if asked.mcp or (additions.is_server(asked.source) and not asked.api):
        additions.add_server(asked.source, name=asked.name)
        return (
            f"tools.{asked.name}: call tools.{asked.name}.connect() to sign in and read its tools."
        )
    return repr(
        additions.add_api(
            asked.source, name=asked.name, provider=asked.provider, scheme=asked.scheme
        )
    )


def _remove(words: list[str]) -> str:
    from . import additions

    if len(words) != 1:
        raise _wrong("%valet remove takes one name", _USAGE["remove"])
    additions.remove(words[0])
    return f"{one_line(words[0], 60)} is gone from this notebook. Its connections stay."


class _Parser(argparse.ArgumentParser):
    """A parser that raises one line instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise _wrong(f"{self.prog}: {one_line(message)}", self.usage or "%valet")


def _wrong(what: str, usage: str) -> ValetError:
    return ValetError("usage", what=what, usage=usage)
