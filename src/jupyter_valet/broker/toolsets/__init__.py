"""Tools as data: operations of an HTTP API, what they take, and what they need.

Nothing here makes a request or knows a credential. The built-in toolsets are a handful each; what
the document of an API describes becomes the same data (`documents/`).
"""

from .builtin import toolsets
from .model import Operation, Parameter, Shaping, Toolset
from .tool import Tool

__all__ = ["Operation", "Parameter", "Shaping", "Tool", "Toolset", "toolsets"]
