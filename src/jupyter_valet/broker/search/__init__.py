"""Finding tools by what they do: an index over their words, and the tools by which a model asks it.

Pure and in memory but for a folder of kept indexes; nothing here knows MCP, does a tool's work or
decides who may call one.
"""

from .finding import Finding
from .index import Index
from .indexes import Indexes
from .ranking import Found, search

__all__ = ["Finding", "Found", "Index", "Indexes", "search"]
