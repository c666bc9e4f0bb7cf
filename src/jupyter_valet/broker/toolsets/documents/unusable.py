"""Why a part of a document cannot be used: in words, for the list of what was left out."""

from __future__ import annotations


class Unusable(Exception):
    """One operation cannot be offered; the text says why, in fixed words and names of ours."""
