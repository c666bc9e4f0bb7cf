"""A grant: leave for one notebook to use one connection, and how the vault keeps it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, Literal

from msgspec import Struct, structs

from ...wire.views import GrantView
from ..kernels import Caller, below
from ..vault import Record
from .limits import NO_LIMITS, Limits

KIND = "grant"

Access = Literal["read", "read_write"]

FOREVER = 0.0


class Subject(Struct, frozen=True):
    """Who a grant is given to: a notebook of a person, one run of one kernel, or a client.

    A notebook is its path below a server's folder, both in the server's words (design, section
    5.2): a copy has another path, and the same name below another server's folder is another
    notebook.
    """

    principal: str
    root: str = ""
    notebook: str = ""
    kernel_id: str = ""
    """Not empty: that kernel alone, until it ends."""
    client: str = ""
    """Not empty: that client outside of the notebooks (`Client.id`), and no notebook."""

    @classmethod
    def of(cls, caller: Caller) -> Subject:
        """Return whom a grant for `caller` is given to; a kernel without a notebook is a run."""
        if caller.client is not None:
            return cls(caller.principal, client=caller.client.id)
        if not caller.notebook:
            return cls.run_of(caller)
        return cls(caller.principal, caller.root, caller.notebook)

    def moved(self, root: str, old: str, new: str) -> Subject | None:
        """Return it as it is once the server has renamed a notebook, or a folder of them.

        None for one that has nothing to do with that: runs and clients never have.
        """
        rest = below(self.notebook, old)
        if self.kernel_id or self.client or self.root != root or rest is None:
            return None
        return structs.replace(self, notebook=new + rest)

    @classmethod
    def run_of(cls, caller: Caller) -> Subject:
        """Return this run of the caller's kernel; a client has no runs, and is itself."""
        if caller.client is not None:
            return cls.of(caller)
        return cls(caller.principal, caller.root, caller.notebook, caller.kernel_id)


@dataclass(frozen=True)
class Grant:
    """What `subject` may do with one connection. Times are in seconds since the epoch."""

    subject: Subject
    connection: str
    access: Access = "read"
    writes: frozenset[str] = frozenset()
    """Tools that may write although the access is to read."""
    limits: Limits = NO_LIMITS
    until: float = FOREVER
    level: str = ""
    """The lowest isolation level that the person agreed to."""
    created_at: float = 0.0
    client_name: str = ""
    """What people know the subject by, when it is a client."""

    @property
    def id(self) -> str:
        """The same for the same subject and connection: there is one grant at most for both."""
        subject = self.subject
        whose = subject.kernel_id or subject.client
        parts = (subject.principal, subject.root, subject.notebook, whose)
        key = "\0".join((*parts, self.connection))
        return hashlib.sha256(key.encode()).hexdigest()[:32]

    def lasts(self, now: float) -> bool:
        """Tell whether it has not run out."""
        return not self.until or now < self.until

    def may_write(self, tool: str) -> bool:
        """Tell whether `tool` may write without asking."""
        return self.access == "read_write" or tool in self.writes

    def to_meta(self) -> dict[str, Any]:
        """Return what the vault keeps: nothing of it is secret, all of it is authenticated."""
        parts = {
            "subject": structs.asdict(self.subject),
            "writes": sorted(self.writes),
            "limits": self.limits.to_meta(),
        }
        return asdict(self) | parts

    @classmethod
    def from_record(cls, record: Record) -> Grant:
        """Return the grant that `record` holds."""
        meta = record.meta
        parts = {
            "subject": Subject(**meta["subject"]),
            "writes": frozenset(meta["writes"]),
            "limits": Limits.from_meta(meta["limits"]),
        }
        return cls(**{**meta, **parts})

    def view(self) -> GrantView:
        """Return what may be told about it."""
        limits = self.limits.to_meta()
        return GrantView(
            id=self.id,
            notebook=self.subject.notebook,
            folder=self.subject.root,
            run_only=bool(self.subject.kernel_id),
            client=self.client_name or self.subject.client,
            access=self.access,
            writes=sorted(self.writes),
            until=self.until,
            created_at=self.created_at,
            **limits,
        )
