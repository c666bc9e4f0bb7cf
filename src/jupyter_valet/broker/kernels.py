"""Who calls: the kernels that the Jupyter server declared, by the digest of their capability."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..wire import capability
from ..wire.errors import ValetError
from ..wire.isolation import Isolation

MOST_REQUESTS = 128
"""Requests, long polls among them, that one kernel may have under way at once."""


@dataclass(frozen=True)
class Caller:
    """A kernel and its person, in the words of the Jupyter server, never in its own.

    `origin` is the public origin with `base_url` at which the person's browser knows the server.
    """

    principal: str
    kernel_id: str
    notebook: str
    origin: str
    isolation: Isolation = field(default_factory=Isolation, compare=False)
    """What the server measured around this kernel."""


class Kernels:
    """The capabilities that are good now."""

    def __init__(self) -> None:
        self._callers: dict[str, Caller] = {}
        self._under_way: Counter[str] = Counter()

    def register(self, digest: str, caller: Caller) -> None:
        """Accept the capability with this digest; it replaces the kernel's earlier one."""
        self.revoke(caller.kernel_id)
        self._callers[digest] = caller

    def revoke(self, kernel_id: str) -> None:
        """Forget the capability of a kernel that stopped or restarts."""
        self._callers = {d: c for d, c in self._callers.items() if c.kernel_id != kernel_id}

    def find(self, token: str) -> Caller | None:
        """Return who holds this capability, or None.

        The look-up is by SHA-256, so its timing tells nothing about a capability.
        """
        if not capability.looks_like_one(token):
            return None
        return self._callers.get(capability.digest(token))

    def isolation_of(self, kernel_id: str) -> Isolation:
        """Return what the server measured around a kernel; nothing of one that has ended."""
        known = (c.isolation for c in self._callers.values() if c.kernel_id == kernel_id)
        return next(known, Isolation())

    @contextmanager
    def request_of(self, caller: Caller) -> Iterator[None]:
        """Count a request while it is served: one kernel must not take what all of them share.

        Raises `ValetError` ("too_many_requests").
        """
        kernel = caller.kernel_id
        if self._under_way[kernel] >= MOST_REQUESTS:
            raise ValetError("too_many_requests", count=MOST_REQUESTS)
        self._under_way[kernel] += 1
        try:
            yield
        finally:
            self._under_way[kernel] -= 1
            if not self._under_way[kernel]:
                del self._under_way[kernel]
