"""One connection of a client, and for whom it was seen to be."""

from __future__ import annotations

from .binding import Binding
from .sockets import Address

PEER = "jupyter_valet.peer"
"""Where the ASGI scope holds the connection that a request came by."""


class Connection:
    """Remembers what was seen, so that only the first request of a connection pays for the look.

    A process that hands its open connection to another kernel gives its own place away, which only
    itself can do: the sandbox lets no descriptor out.
    """

    def __init__(self, client: Address | None, server: tuple[str, int | None] | None) -> None:
        self._client = client
        self._server = server
        self._seen: set[Binding] = set()

    async def is_for(self, binding: Binding) -> bool:
        """Tell whether the client is a process that may show the capability of `binding`."""
        if binding in self._seen:
            return True
        client, (host, port) = self._client, self._server or ("", None)
        if client is None or port is None or not await binding.admits(client, (host, port)):
            return False
        self._seen.add(binding)
        return True
