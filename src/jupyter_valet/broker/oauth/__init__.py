"""The OAuth client of elicitation auth: a module per specification, and providers as data.

It turns an approval into tokens and keeps them fresh; it never decides who may use them, and
nothing of MCP authorization (the kernel's capability) may enter.
"""

from __future__ import annotations

from . import rfc8628
from .client import OAuthClient
from .errors import CallbackRefused, InvalidGrant, OAuthRefused, ProviderUnreachable
from .profile import DeviceFlow, Identity, Profile, Quirks, Revocation
from .providers import profiles
from .records import Account, DeviceCode, OAuthApp, Pending, TokenSet
from .without_browser import WithoutBrowser

__all__ = [
    "Account",
    "CallbackRefused",
    "DeviceCode",
    "DeviceFlow",
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
    "WithoutBrowser",
    "profiles",
    "rfc8628",
]
