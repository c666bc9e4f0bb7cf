"""What the gate decides with: grants, approvals, rates, and the level that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...wire.isolation import Isolation
from ..audit import Audit
from ..kernels import Caller, Kernels
from .approvals import Approvals
from .digest import Digests
from .grant import Grant
from .grants import Grants
from .levels import LEVELS, at_least
from .rate import Rates


@dataclass(frozen=True)
class Policy:
    """The parts, shared by the gate and by the pages on which people decide.

    `levels` tells the isolation level around a kernel as it was measured, and what it means; below
    `wanted_level` the person must have agreed to it.
    """

    audit: Audit
    grants: Grants
    digests: Digests
    levels: Callable[[Isolation], tuple[str, str]]
    wanted_level: str = "L0"
    approvals: Approvals = field(default_factory=Approvals)
    rates: Rates = field(default_factory=Rates)

    def isolated_enough(self, caller: Caller, grant: Grant) -> bool:
        """Tell whether the caller's kernel is as isolated as wanted, or as the person accepted."""
        if self.wanted_level == LEVELS[0]:
            return True  # there is none below it
        level, _ = self.levels(caller.isolation)
        return at_least(level, self.wanted_level) or (
            bool(grant.level) and at_least(level, grant.level)
        )

    def usable(self, caller: Caller) -> list[Grant]:
        """Return the grants of the caller's notebook and run that are good at its level."""
        return [g for g in self.grants.of(caller) if self.isolated_enough(caller, g)]

    def end_grant(self, grant: Grant, why: str) -> None:
        """Take a grant back, and what single runs were allowed with its connection."""
        self.grants.end(grant, why)
        self.approvals.end_connection(grant.connection)

    def end_connection(self, principal: str, connection: str) -> None:
        """Forget everything that was allowed with a connection that has ended."""
        self.grants.end_connection(principal, connection)
        self.approvals.end_connection(connection)

    def follow(self, kernels: Kernels) -> None:
        """Forget what single runs were allowed, when they end."""
        kernels.on_end(self.approvals.end_kernel)
        kernels.on_end(self.grants.end_kernel)
