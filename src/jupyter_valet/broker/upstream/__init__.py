"""MCP servers of other people, whose tools stand in the same list, policy and audit as ours.

An upstream server is input from outside in everything it says; it is reached by the vetted egress
alone, and no credential but the one that was issued for it goes there.
"""

from .assembly import upstreams
from .source import Upstreams

__all__ = ["Upstreams", "upstreams"]
