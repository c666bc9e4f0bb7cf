"""An attack as code for a kernel, and what it printed as a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

_MARK = "@valet-doctor@"

_RUN = """
import json as _json, types as _types
def _run(source, name, target):
    module = _types.ModuleType("attack")
    exec(compile(source, "attack", "exec"), module.__dict__)
    try:
        return ["got", getattr(module, name)(target) or ""]
    except BaseException as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return ["raised", kinds, str(error)[:400]]
print({mark!r} + _json.dumps(_run({source!r}, {name!r}, _json.loads({target!r}))) + {mark!r})
"""


@dataclass(frozen=True)
class Got:
    """What an attack returned, or which wall it met."""

    text: str = ""
    kinds: tuple[str, ...] = ()
    """The exception's class and its bases; empty when the attack returned."""


def source(module: str) -> str:
    """Return the text of a module of attacks."""
    return (resources.files(__package__) / "attacks" / f"{module}.py").read_text(encoding="utf-8")


def program(name: str, target: Mapping[str, Any]) -> str:
    """Return the code that runs the attack `module:function` against `target` and prints."""
    module, _, function = name.partition(":")
    facts = json.dumps(dict(target))
    return _RUN.format(mark=_MARK, source=source(module), name=function, target=facts)


def read(printed: str) -> Got:
    """Return what a `program` printed."""
    said = printed.partition(_MARK)[2].rpartition(_MARK)[0]  # what was overheard may have marks
    try:
        answer = json.loads(said)
    except ValueError:
        return Got("nothing was answered", ("Died",))
    if answer[0] == "got":
        return Got(str(answer[1]))
    return Got(f"{answer[1][0]}: {answer[2]}", tuple(answer[1]))
