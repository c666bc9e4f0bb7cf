"""Where the metadata of the endpoint are (RFC 9728 §3.1), also behind a JupyterHub.

A client finds them by the challenge, or by the well-known path of the origin. Behind a Hub the
origin's root is the Hub's, so the challenge names a path of our own.
"""

from __future__ import annotations

from ...wire.clients import PAGE_MCP

DOCUMENT = "oauth-protected-resource"
"""Its registered name below `/.well-known/` (RFC 9728 §8.2)."""

BELOW = f"{PAGE_MCP}/{DOCUMENT}"
"""The same document below `base_url`."""


def metadata(here: str) -> str:
    """Return the URL of the metadata; `here` is the origin with `base_url`."""
    return here + BELOW
