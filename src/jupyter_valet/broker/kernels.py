"""Who calls: the kernels that the Jupyter server declared, by the digest of their capability."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from ..wire import capability
from ..wire.errors import ValetError
from ..wire.isolation import Isolation
from ..wire.processes import Peer
from .client import Client
from .descriptors import connections
from .peers import Ask, Binding

MOST_REQUESTS = 128
"""Requests, long polls among them, that one kernel may have under way at once."""

MOST_OF_CLIENT = 2048
"""The same for a client outside, which may be many programs, each with a stream left open."""


@dataclass(frozen=True)
class Caller:
    """A kernel or an outside client, and its person; never in its own words.

    `origin` is the public origin with `base_url` at which the person's browser knows the server.
    """

    principal: str
    kernel_id: str
    """The kernel; of an outside client its id in its place, which no kernel has."""
    notebook: str
    origin: str
    root: str = ""
    """The server's folder below which the notebook is."""
    isolation: Isolation = field(default_factory=Isolation, compare=False)
    """What the server measured around this kernel; around a client there is nothing."""
    client: Client | None = None
    """Who calls from outside of the notebooks."""


_ANYBODY = Peer()


class Kernels:
    """The capabilities that are good now. `ask` is for a broker that may not look at kernels."""

    def __init__(self, ask: Ask | None = None) -> None:
        self._ask = ask
        self._callers: dict[str, Caller] = {}
        self._bindings: dict[str, Binding] = {}
        self._under_way: dict[tuple[str, str], int] = {}
        self._of_clients = 0
        self._ended: list[Callable[[str], None]] = []

    def on_end(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of each kernel that stops or restarts."""
        self._ended.append(listener)

    def register(self, digest: str, caller: Caller, peer: Peer = _ANYBODY) -> None:
        """Accept the capability with this digest from `peer`; it replaces the kernel's earlier.

        A `peer` that is left out binds nothing.
        """
        self.revoke(caller.kernel_id)
        binding = self._bindings[caller.kernel_id] = Binding(peer, self._ask)
        self._callers[digest] = _told(caller, binding)

    def bind(self, kernel_id: str, peer: Peer) -> None:
        """Take the process that the server started for a kernel whose process was awaited."""
        if (binding := self._bindings.get(kernel_id)) is None:
            return
        binding.tell(peer)
        self._callers = {
            digest: _told(caller, binding) if caller.kernel_id == kernel_id else caller
            for digest, caller in self._callers.items()
        }

    def moved(self, root: str, old: str, new: str) -> None:
        """Know the kernels of a notebook, or of a folder of them, by their new path."""
        self._callers = {d: _at(c, root, old, new) for d, c in self._callers.items()}

    def revoke(self, kernel_id: str) -> None:
        """Forget the capability of a kernel that stopped or restarts."""
        self._callers = {d: c for d, c in self._callers.items() if c.kernel_id != kernel_id}
        if self._bindings.pop(kernel_id, None) is not None:
            for listener in self._ended:
                listener(kernel_id)

    def binding_of(self, kernel_id: str) -> Binding | None:
        """Return what ties a kernel's capability to its processes; None of one that has ended."""
        return self._bindings.get(kernel_id)

    def find(self, token: str) -> Caller | None:
        """Return who holds this capability, or None.

        The look-up is by SHA-256, so its timing tells nothing about a capability.
        """
        if not capability.looks_like_one(token):
            return None
        return self.known(capability.digest(token))

    def known(self, digest: str) -> Caller | None:
        """Return who holds the capability with this digest, or None."""
        return self._callers.get(digest)

    def isolation_of(self, kernel_id: str) -> Isolation:
        """Return what the server measured around a kernel; nothing of one that has ended."""
        known = (c.isolation for c in self._callers.values() if c.kernel_id == kernel_id)
        return next(known, Isolation())

    def request_of(self, caller: Caller) -> AbstractContextManager[None]:
        """Count a request while it is served: one kernel must not take what all of them share.

        Raises `ValetError` ("too_many_requests", "too_many_clients") when it is entered.
        """
        return _Counted(self, caller)

    def begin(self, caller: Caller) -> None:
        """Count a request that begins; raises as `request_of` does."""
        who = (caller.principal, caller.kernel_id)
        under_way = self._under_way.get(who, 0)
        most = MOST_REQUESTS if caller.client is None else MOST_OF_CLIENT
        if under_way >= most:
            raise ValetError("too_many_requests", count=most)
        if caller.client is not None:
            room = connections() // 2  # the other half is for kernels, whatever comes from outside
            if self._of_clients >= room:
                raise ValetError("too_many_clients", count=room)
            self._of_clients += 1
        self._under_way[who] = under_way + 1

    def over(self, caller: Caller) -> None:
        """Count a request as served."""
        who = (caller.principal, caller.kernel_id)
        if caller.client is not None:
            self._of_clients -= 1
        left = self._under_way.pop(who) - 1
        if left:
            self._under_way[who] = left


class _Counted:
    """A request that counts while it is served."""

    __slots__ = ("_caller", "_kernels")

    def __init__(self, kernels: Kernels, caller: Caller) -> None:
        self._kernels = kernels
        self._caller = caller

    def __enter__(self) -> None:
        self._kernels.begin(self._caller)

    def __exit__(self, *exc: object) -> None:
        self._kernels.over(self._caller)


def _told(caller: Caller, binding: Binding) -> Caller:
    """Return `caller` with what its binding lacks among what is missing around the kernel."""
    if not binding.unbound:
        return caller
    lack = f"its capability works in other kernels, too (R59): {binding.unbound}"
    unlocked = [*caller.isolation.unlocked, lack]
    return replace(caller, isolation=replace(caller.isolation, unlocked=unlocked))


def _at(caller: Caller, root: str, old: str, new: str) -> Caller:
    """Return `caller` with its notebook's path as it is after `old` has become `new`."""
    rest = below(caller.notebook, old) if caller.root == root else None
    return caller if rest is None else replace(caller, notebook=new + rest)


def below(path: str, folder: str) -> str | None:
    """Return what comes after `folder` in `path`, from its slash; None when it is not below it."""
    if not path.startswith(folder):
        return None
    rest = path[len(folder) :]
    return rest if not rest or rest.startswith("/") else None
