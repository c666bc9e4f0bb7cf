"""A kernel's capability is good here and nowhere else: a request that holds one does not leave.

It is a slip of the notebook's, a header or a form that says `token`. Upstream could do nothing with
it, but would write it down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from ...wire import capability
from ...wire.errors import ValetError

_LENGTH = len(capability.mint())
_FORM = re.compile(
    rb"%s[A-Za-z0-9_-]{%d}" % (capability.PREFIX.encode(), _LENGTH - len(capability.PREFIX))
)


class Misdirected:
    """Looks through a request on its way out. Raises `ValetError` ("capability_outbound")."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._tail = b""

    def check(self, texts: Iterable[str]) -> None:
        """Look at a URL and headers, as they are and percent-decoded."""
        for text in texts:
            self._look(text.encode())
            if "%" in text:
                self._look(unquote(text).encode())

    def feed(self, piece: bytes) -> bytes:
        """Look at a piece of the body, and return it."""
        self._look(self._tail + piece)
        self._tail = (self._tail + piece[1 - _LENGTH :])[1 - _LENGTH :]
        return piece

    def _look(self, data: bytes) -> None:
        if _FORM.search(data):
            raise ValetError("capability_outbound", provider=self._provider)
