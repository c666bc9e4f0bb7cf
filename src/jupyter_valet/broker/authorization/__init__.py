"""Sign in with Jupyter: the authorization server for programs outside of the notebooks.

Who may call our MCP endpoint is settled here, on a page that the person presses (design, section
2); nothing here knows a provider, and no credential of a provider's may enter.
"""

from __future__ import annotations

from .access_tokens import AccessTokens
from .authorization import Authorization
from .families import Families
from .family import Family
from .registration import subject

__all__ = ["AccessTokens", "Authorization", "Families", "Family", "subject"]
