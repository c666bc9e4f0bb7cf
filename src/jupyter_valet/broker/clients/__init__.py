"""Clients outside of the notebooks: how each proves who it is, and what it may ask for.

It knows credentials of MCP authorization only (design, section 2); nothing here reaches a provider,
and nothing of it is ever sent to one.
"""

from __future__ import annotations

from .authenticator import Authenticator, Proven, Refused
from .clients import Clients
from .door import Door
from .jupyter import JupyterTokens

__all__ = ["Authenticator", "Clients", "Door", "JupyterTokens", "Proven", "Refused"]
