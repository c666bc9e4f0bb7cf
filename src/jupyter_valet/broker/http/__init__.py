"""The broker's HTTP server: uvicorn's, fit for hostile clients and for many small calls.

It knows neither kernels nor tools; what a request means is decided by the ASGI application behind.
"""

from __future__ import annotations

from .guarded import OWN_PACE, GuardedHttp
from .heads import of_head
from .whole import WHOLE, Whole, whole

__all__ = ["OWN_PACE", "WHOLE", "GuardedHttp", "Whole", "of_head", "whole"]
