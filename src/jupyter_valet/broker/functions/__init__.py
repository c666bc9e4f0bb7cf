"""Functions that kernels declare as tools: who may see them, and how a call reaches the kernel.

What a function does happens in its kernel and is that kernel's affair; nothing of it runs here, and
what a kernel says here can only ever be about its own functions.
"""

from .functions import Functions
from .tool import FunctionTool

__all__ = ["FunctionTool", "Functions"]
