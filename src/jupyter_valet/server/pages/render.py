"""From a template's name and facts to HTML."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from . import headers, words

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **facts: Any) -> str:
    """Return the page; every fact is escaped, a fact that is missing raises."""
    return _environment().get_template(template).render(**facts)


@cache
def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    # The sheet is ours and its hash is in the policy; escaping would change it.
    env.globals["style"] = Markup(headers.style())  # noqa: S704
    env.filters["plain"] = words.plain
    env.filters["lines"] = words.lines
    env.filters["day"] = _day
    env.tests["safe_to_open"] = words.may_open
    return env


def _day(seconds: float) -> str:
    """Return a date and time in UTC, or "never"."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds)) if seconds else "never"
