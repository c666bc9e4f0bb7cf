"""Who calls: the kernels that the Jupyter server declared, by the digest of their capability."""

from __future__ import annotations

from dataclasses import dataclass

from ..wire import capability


@dataclass(frozen=True)
class Caller:
    """A kernel and its person, in the words of the Jupyter server, never in its own.

    `origin` is the public origin with `base_url` at which the person's browser knows the server.
    """

    principal: str
    kernel_id: str
    notebook: str
    origin: str


class Kernels:
    """The capabilities that are good now."""

    def __init__(self) -> None:
        self._callers: dict[str, Caller] = {}

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
