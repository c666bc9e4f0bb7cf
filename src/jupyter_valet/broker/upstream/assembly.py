"""The parts of the upstream side, put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..audit import Audit
from ..connections import Connections
from ..elicitation import Transactions
from ..oauth import OAuthClient, Profile
from ..policy.access import Access
from ..vault import Vault
from .calling import Visits
from .directory import Directory
from .discovery import Discovery
from .listings import Listings
from .program import Programs, Restarts
from .questions import Questions
from .reach import Reach
from .sessions import Sessions
from .source import Upstreams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def upstreams(
    vault: Vault,
    audit: Audit,
    oauth: OAuthClient,
    connections: Connections,
    transactions: Transactions,
    access: Access,
    profiles: dict[str, Profile],
    configured: Mapping[str, Mapping[str, Any]],
    taken: Iterable[str],
    folder: Path,
    *,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Upstreams]:
    """Return the source of upstream tools, and end what it started afterwards.

    Adds the servers' providers to `profiles`; `folder` is where programs have theirs. Raises
    `ValetError("bad_request")` for a setting that is wrong.
    """
    directory = Directory(vault, audit, Discovery(oauth), profiles, configured, taken, clock=clock)
    sessions, reach = Sessions(), Reach(Programs(folder, Restarts()))
    visits = Visits(
        directory, access, connections, sessions, reach, audit, Questions(audit, transactions)
    )
    source = Upstreams(directory, Listings(vault, audit, clock), visits)
    reach.on_change = source.outdated
    try:
        yield source
    finally:
        await source.close()
        await visits.close()
        await sessions.close()
        await reach.close()
