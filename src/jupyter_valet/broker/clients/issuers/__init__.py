"""Access tokens of other authorization servers than ours: signed (RFC 9068), looked up (RFC 7662).

A token is judged and forgotten: nothing here keeps, logs or sends one on, but for the look-up at
the very issuer that the configuration names for it.
"""

from __future__ import annotations

from .settings import Issuer, read
from .tokens import IssuerTokens

__all__ = ["Issuer", "IssuerTokens", "read"]
