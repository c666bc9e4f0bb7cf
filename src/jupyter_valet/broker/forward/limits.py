"""What one kernel's own requests may take, and how the person sets it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ...wire.errors import ValetError
from ..egress import Limits


@dataclass(frozen=True)
class ForwardLimits:
    """Limits of one kernel. `replay_bytes` of a body are kept, so that it can be sent twice."""

    concurrent: int = 32
    replay_bytes: int = 256 * 1024
    stream: Limits = field(default_factory=Limits)

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Self:
        """Return the limits with `settings` in the place of some. Raises `ValetError`."""
        for name, value in settings.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if name not in _SETTABLE or not number or value <= 0:
                raise ValetError("bad_request", what=f"{name} of `egress_limits`")
        stream = {name: value for name, value in settings.items() if name != "concurrent"}
        return cls(
            concurrent=int(settings.get("concurrent", cls.concurrent)), stream=Limits(**stream)
        )


_SETTABLE = frozenset({"concurrent", *(field.name for field in dataclasses.fields(Limits))})
