"""The one list of tools, whatever they are made of, and what a source of tools must offer.

Sources live elsewhere (APIs, functions of a kernel, upstream MCP servers); nothing here knows how a
tool does its work, nor how MCP spells it.
"""

from .catalogue import Catalogue
from .source import Call, Source, ToolOutcome, UnknownTool, Wish
from .tool import FINDING, Tool

__all__ = ["FINDING", "Call", "Catalogue", "Source", "Tool", "ToolOutcome", "UnknownTool", "Wish"]
