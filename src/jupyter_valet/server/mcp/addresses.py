"""Where the metadata of the endpoint are (RFC 9728 §3.1), also behind a JupyterHub.

A client finds them by the challenge, or by the well-known path of the origin. Behind a Hub the
origin's root is the Hub's, so the challenge names a path of our own.
"""

from __future__ import annotations

from ...wire.clients import PAGE_MCP

WELL_KNOWN = "/.well-known/oauth-protected-resource"
BELOW = f"{PAGE_MCP}/oauth-protected-resource"
"""The same document below `base_url`."""


def metadata(here: str) -> str:
    """Return the URL of the metadata; `here` is the origin with `base_url`."""
    return here + BELOW


def well_known(base_url: str) -> str:
    """Return the path at the root of the origin, for a server that has it to itself."""
    return f"{WELL_KNOWN}{base_url}{PAGE_MCP}"
