"""Clients outside of the notebooks: how each proves who it is, and what it may ask for.

It knows credentials of MCP authorization only (design, section 2); nothing here reaches a provider,
and nothing of it is ever sent to one.
"""

from __future__ import annotations

from .admission import Admissions
from .authenticator import Authenticator, Proven, Refused, Unreachable
from .clients import Clients
from .door import Door
from .ending import Ending
from .jupyter import JupyterTokens
from .keys import ClientKeys
from .under_way import UnderWay, Visit

__all__ = [
    "Admissions",
    "Authenticator",
    "ClientKeys",
    "Clients",
    "Door",
    "Ending",
    "JupyterTokens",
    "Proven",
    "Refused",
    "UnderWay",
    "Unreachable",
    "Visit",
]
