"""The way out: how a request reaches a provider, and the only place where a credential joins one.

Addresses are resolved once, vetted and dialled as vetted; nothing here decides whether a caller
may make the request, and no redirect is followed but that of a GET within its own origin.
"""

from .call import Egress, Response
from .line import Note
from .request import Request, build
from .streaming import Limits, Streamed, Withheld
from .terms import Terms

__all__ = [
    "Egress",
    "Limits",
    "Note",
    "Request",
    "Response",
    "Streamed",
    "Terms",
    "Withheld",
    "build",
]
