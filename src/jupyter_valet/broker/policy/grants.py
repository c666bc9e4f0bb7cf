"""All grants: those of notebooks in the vault, those of single runs in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from ..audit import Audit
from ..kernels import Caller
from ..secret import Secret
from ..vault import Vault
from .grant import KIND, Grant, Subject

_NOTHING = Secret("")


class Grants:
    """Who may use which connection. Any number of processes may have one of these on a vault.

    What lasts is durable when a method returns. A grant for one run is kept here alone: it must
    not outlive the kernel, nor the broker that knows when the kernel ends.
    """

    def __init__(
        self, vault: Vault, audit: Audit, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._vault = vault
        self._audit = audit
        self._clock = clock
        self._version = -1
        self._stored: dict[str, Grant] = {}
        self._by_subject: dict[Subject, list[Grant]] = {}
        self._runs: dict[str, Grant] = {}
        self._ended: dict[tuple[str, str], float] = {}

    # Look-ups --------------------------------------------------------------------------------

    def of(self, caller: Caller) -> list[Grant]:
        """Return the grants of the caller's notebook, and of this run of its kernel."""
        self._refresh()
        stored = self._by_subject.get(Subject.of(caller), [])
        if not self._runs:
            return list(stored)
        run = Subject.run_of(caller)
        return [*(g for g in self._runs.values() if g.subject == run), *stored]

    @property
    def seen(self) -> tuple[Vault, int]:
        """Return which vault the last look-up was in, and what its `data_version` was."""
        return self._vault, self._version

    def of_connection(self, principal: str, connection: str) -> list[Grant]:
        """Return every grant of the person for one connection."""
        self._refresh()
        return [
            grant
            for grant in self._all()
            if (grant.subject.principal, grant.connection) == (principal, connection)
        ]

    def of_client(self, principal: str, client: str) -> list[Grant]:
        """Return every grant of a client outside of the notebooks."""
        self._refresh()
        return list(self._by_subject.get(Subject(principal, client=client), ()))

    def get(self, principal: str, id: str) -> Grant | None:
        """Return the grant with this id, if this person gave it."""
        self._refresh()
        grant = self._runs.get(id) or self._stored.get(id)
        return grant if grant is not None and grant.subject.principal == principal else None

    def find(self, subject: Subject, connection: str) -> Grant | None:
        """Return what `subject` was given for a connection."""
        return self.get(subject.principal, Grant(subject, connection).id)

    # Changes ---------------------------------------------------------------------------------

    def give(self, grant: Grant) -> Grant:
        """Keep a grant, in place of the one of the same subject and connection.

        One that has no time yet is given now.
        """
        if not grant.created_at:
            grant = replace(grant, created_at=self._clock())
        if grant.subject.kernel_id:
            self._runs[grant.id] = grant
        else:
            self._vault.put(KIND, grant.id, grant.to_meta(), _NOTHING)
            self._version = -1
        self._note("grant.made", grant)
        return grant

    def end(self, grant: Grant, why: str) -> None:
        """Take a grant back; `why` is for the audit, in fixed words."""
        self._runs.pop(grant.id, None)
        self._vault.delete(KIND, grant.id)
        self._version = -1
        self._note("grant.ended", grant, why)

    def end_connection(self, principal: str, connection: str) -> None:
        """Take every grant for a connection back: it has ended."""
        for grant in self.of_connection(principal, connection):
            self.end(grant, "the connection has ended")

    def end_kernel(self, kernel_id: str, principal: str = "") -> None:
        """Take back what was given for one run: the kernel has stopped or restarts.

        Clients have no runs, but an end: then `principal` says whose it was.
        """
        self._ended[principal, kernel_id] = self._clock()
        for grant in [g for g in self._runs.values() if g.subject.kernel_id == kernel_id]:
            self._runs.pop(grant.id)
            self._note("grant.ended", grant, "the kernel has ended")

    def ended_at(self, principal: str, kernel_id: str) -> float:
        """Return when a kernel last stopped or restarted, or the person's client; 0 for never."""
        return max(self._ended.get((whose, kernel_id), 0.0) for whose in ("", principal))

    def moved(self, root: str, old: str, new: str) -> None:
        """Follow a notebook, or a folder of them, to its new path; an empty `new` deletes it.

        Grants that lie at the new path belonged to something that is not there any more.
        """
        self._refresh()
        stored = list(self._stored.values())
        for grant in stored:
            if new and grant.subject.moved(root, new, new) is not None:
                self.end(grant, "another notebook took its place")
        for grant in stored:
            subject = grant.subject.moved(root, old, new)
            if subject is not None and new:
                self._move(grant, subject)
            elif subject is not None:
                self.end(grant, "the notebook was deleted")

    def _move(self, grant: Grant, subject: Subject) -> None:
        moved = replace(grant, subject=subject)
        self._vault.put(KIND, moved.id, moved.to_meta(), _NOTHING)
        self.end(grant, "the notebook was renamed")
        self._note("grant.made", moved, "the notebook was renamed")

    # Records ---------------------------------------------------------------------------------

    def _all(self) -> Iterable[Grant]:
        yield from self._runs.values()
        yield from self._stored.values()

    def _refresh(self) -> None:
        """Read again what other processes wrote; a call must not open the vault each time."""
        version = self._vault.data_version()
        if version != self._version:
            self._stored = {r.id: Grant.from_record(r) for r in self._vault.list(KIND)}
            self._by_subject = {}
            for grant in self._stored.values():
                self._by_subject.setdefault(grant.subject, []).append(grant)
            self._version = version

    def _note(self, action: str, grant: Grant, why: str = "") -> None:
        self._audit.record(
            action,
            principal=grant.subject.principal,
            connection=grant.connection,
            kernel=grant.subject.kernel_id or grant.subject.client,
            notebook=grant.subject.notebook,
            access=grant.access,
            **({"reason": why} if why else {}),
        )
