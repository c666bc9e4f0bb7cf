"""Documents of APIs, compiled into toolsets: OpenAPI, Swagger, Google Discovery.

Pure functions from bytes to data, but for the folder of the cache. Nothing here fetches a document
or anything that one refers to.
"""

from .cache import Cache
from .compile import compile_document
from .compiled import Compiled
from .security import Flow, Scheme
from .shapes import Skipped

__all__ = ["Cache", "Compiled", "Flow", "Scheme", "Skipped", "compile_document"]
