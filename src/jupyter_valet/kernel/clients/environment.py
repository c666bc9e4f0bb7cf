"""Environment variables by which a program asks the broker instead of the provider."""

from __future__ import annotations

import os
from typing import Any

from ...wire.errors import ValetError
from .route import Route

_ENDPOINT, _TOKEN = "{endpoint}", "{token}"

_VARIABLES = {
    # Both are read by the same library, so no token goes where the address does not. Xet would
    # fetch a credential of its own, which the broker does not hand out (R112).
    "huggingface": {
        "HF_ENDPOINT": _ENDPOINT,
        "HF_TOKEN": _TOKEN,
        "HF_HUB_DISABLE_XET": "1",
    },
}
"""By the host that a provider's programs are made for: what they read, and nothing that only some
of them read. A program that took the token without the address would send it to the provider."""

_HOSTS = {"https://huggingface.co": "huggingface"}


class Environment(dict[str, str]):
    """The variables, and while it is entered, those of this process. It does not show the token."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(variables)
        self._before: list[dict[str, str | None]] = []

    def __repr__(self) -> str:
        return f"Environment({', '.join(self)})"

    __str__ = __repr__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def __enter__(self) -> Environment:
        """Set the variables. A library that has read them already does not look again."""
        self._before.append({name: os.environ.get(name) for name in self})
        os.environ.update(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Put back what was there."""
        for name, value in self._before.pop().items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def environment(route: Route) -> Environment:
    """Return the variables for programs of the provider. Raises `ValetError`."""
    known = _VARIABLES.get(_HOSTS.get(route.base, route.provider))
    if known is None:
        raise ValetError("no_environment", provider=route.provider)
    filled = {_ENDPOINT: route.endpoint(), _TOKEN: route.capability}
    return Environment({name: filled.get(value, value) for name, value in known.items()})
