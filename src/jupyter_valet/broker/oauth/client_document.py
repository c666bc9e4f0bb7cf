"""A client id that is the URL of a document about the client (CL-06).

draft-ietf-oauth-client-id-metadata-document, as MCP 2026-07-28 asks for it. The Jupyter server
shows the document, so it is of use only where an authorization server on the internet can read it.
"""

from __future__ import annotations

from ...wire.errors import ValetError
from ...wire.routes import CLIENT_DOCUMENT, PAGE_CALLBACK
from ..egress.origin import resolve, split_url
from .profile import Profile
from .records import OAuthApp


async def reachable(redirect_uri: str) -> bool:
    """Tell whether the document beside `redirect_uri` is at a public https address.

    A guess from our own side: a proxy that wants a login first cannot be seen from here.
    """
    origin, _ = split_url(redirect_uri)
    if origin.scheme != "https" or origin.loopback:
        return False
    try:
        await resolve(origin, loopback=False)
    except ValetError:
        return False
    return True


def app(profile: Profile, redirect_uri: str) -> OAuthApp:
    """Return the client whose id is the document's URL; it has no secret."""
    base = redirect_uri.removesuffix(f"{PAGE_CALLBACK}/{profile.name}")
    client_id = f"{base}{CLIENT_DOCUMENT}/{profile.name}.json"
    return OAuthApp(profile.name, profile.issuer, client_id, None, "none")
