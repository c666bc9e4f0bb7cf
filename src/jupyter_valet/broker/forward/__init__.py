"""Requests that a notebook's own HTTP client wrote, made with a connection of its person.

They are taken apart into what `egress.Request` knows and put together anew; whether they may be
made is decided in `policy`, and no credential is seen here.
"""

from .forward import Forward
from .limits import ForwardLimits
from .questions import Questions

__all__ = ["Forward", "ForwardLimits", "Questions"]
