"""Answers of APIs in the form that helps a model: chosen, trimmed, cut, with the next page named.

Pure functions of data; nothing here sends anything. Whatever is left out is counted in the answer.
"""

from .answer import outcome, projected, projection
from .projection import LONGEST, Projection, UnusableProjection
from .waiting import wait_seconds

__all__ = [
    "LONGEST",
    "Projection",
    "UnusableProjection",
    "outcome",
    "projected",
    "projection",
    "wait_seconds",
]
