"""The OAuth client of elicitation auth: a module per specification, and providers as data.

It turns an approval into tokens and keeps them fresh; it never decides who may use them, and
nothing of MCP authorization (the kernel's capability) may enter.
"""

from __future__ import annotations

from .client import OAuthClient
from .errors import CallbackRefused, InvalidGrant, OAuthRefused, ProviderUnreachable
from .profile import Identity, Profile, Quirks, Revocation
from .providers import profiles
from .records import Account, OAuthApp, Pending, TokenSet

__all__ = [
    "Account",
    "CallbackRefused",
    "Identity",
    "InvalidGrant",
    "OAuthApp",
    "OAuthClient",
    "OAuthRefused",
    "Pending",
    "Profile",
    "ProviderUnreachable",
    "Quirks",
    "Revocation",
    "TokenSet",
    "profiles",
]
