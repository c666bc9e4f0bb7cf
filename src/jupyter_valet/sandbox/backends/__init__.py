"""The ways to wall a kernel in: one file each, behind one interface.

A back end says why it cannot be used instead of doing less; nothing here falls back to another.
"""

from __future__ import annotations

from .base import Backend, Channel, Start, Unsuitable
from .bubblewrap import Bubblewrap
from .landlock import Landlock

__all__ = ["Backend", "Bubblewrap", "Channel", "Landlock", "Start", "Unsuitable"]
