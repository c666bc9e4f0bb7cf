"""Where a vault's key ring is kept: one file per place, all behind `KeySource`.

A source says by itself whether it is usable here, and why not; it keeps the ring and does nothing
else with it. Nothing here opens a record.
"""

from __future__ import annotations

from .choice import choose, named
from .source import KeySource, Unsuitable

__all__ = ["KeySource", "Unsuitable", "choose", "named"]
