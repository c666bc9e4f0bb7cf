"""The MCP endpoint: streamable HTTP, revisions 2025-11-25 and 2026-07-28 on one URL.

It authenticates the client (MCP authorization) and turns what a call lacks into a question for the
person (elicitation); it knows no provider's protocol and never sees a credential.
"""

from .endpoint import Endpoint

__all__ = ["Endpoint"]
