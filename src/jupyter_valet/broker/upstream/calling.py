"""One call of an upstream server's tool: session, credential, questions, and what refusals mean."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams

from ...wire.errors import ValetError
from ..audit import Audit
from ..catalogue import Call, ToolOutcome
from ..connections import Connection, Connections, NeedsLogin
from ..egress import Withheld
from ..kernels import Caller
from ..oauth import Profile
from ..policy.access import Access, Use
from ..secret import Secret
from . import results
from .directory import Directory
from .holding import Held, Holding
from .questions import Questions
from .reach import Reach
from .rounds import rounds
from .session import Session
from .sessions import Key, Sessions
from .settings import Server
from .tools import Described, UpstreamTool
from .transport import Way
from .troubles import Refused, SessionLost

MOST_STEPS = 3
"""How often one kernel is asked for more at one server within `STEP_SECONDS` (CL-17)."""

STEP_SECONDS = 600.0

_T = TypeVar("_T")


@dataclass(frozen=True)
class Visit:
    """A caller at a server, for one use, with the connection that the gate found."""

    caller: Caller
    server: Server
    use: Use
    profile: Profile
    connection: Connection


class Visits:
    """Makes requests of callers at servers, under the one gate for connections."""

    def __init__(
        self,
        directory: Directory,
        access: Access,
        connections: Connections,
        sessions: Sessions,
        reach: Reach,
        audit: Audit,
        questions: Questions,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._access = access
        self._connections = connections
        self._sessions = sessions
        self._reach = reach
        self._audit = audit
        self._questions = questions
        self._holding = Holding()
        self._clock = clock
        self._steps: dict[tuple[str, str], list[float]] = {}

    async def call(self, server: Server, tool: UpstreamTool, call: Call) -> ToolOutcome:
        """Run a tool.

        Raises `Needs` when the person must act first, `ValetError` for what goes wrong on the way.
        Cancelling it cancels the call at the server.
        """

        async def work(held: Held, call: Call) -> ToolOutcome:
            visit = await self.admitted(call.caller, server, self._reach.use(server, tool, call))
            elicits = self._questions.of(server, call, held)
            params = CallToolRequestParams(name=tool.offer.upstream, arguments=dict(call.arguments))
            self._used(visit)
            try:
                result = await self._with_session(
                    visit, lambda session: rounds(session, server, params, call.progress, elicits)
                )
            except MCPError as error:
                return results.refusal(server, error)
            return results.outcome(server, result)

        return await self._holding.run(call, work)

    def ended(self, kernel_id: str, principal: str = "") -> None:
        """End the sessions of a kernel that stopped, and the programs that ran for it.

        One id of a client may be of several people: then `principal` says whose.
        """

        def is_its(key: Key) -> bool:
            whose, _, who = key.sharer.rpartition("/")
            return (whose, who) == (principal or whose, kernel_id)

        self._sessions.end(is_its)

    async def close(self) -> None:
        """End the calls that wait for a person."""
        await self._holding.close()

    async def tools(self, caller: Caller, server: Server) -> tuple[list[Described], float]:
        """Return what `server` lists for `caller`. Raises as `call` does."""
        visit = await self.admitted(caller, server, self._reach.listing(server))
        try:
            return await self._with_session(visit, Session.tools)
        except MCPError:
            raise ValetError(
                "upstream_protocol", provider=server.words, what="it has no list of tools"
            ) from None

    async def admitted(self, caller: Caller, server: Server, use: Use) -> Visit:
        """Pass the gate. Raises `Needs`, and as `Directory.profile` does."""
        profile = await self._directory.profile(server)
        connection = self._access.connection(caller, profile, use)
        return Visit(caller, server, use, profile, connection)

    # The session -----------------------------------------------------------------------------

    async def _with_session(self, visit: Visit, request: Callable[[Session], Awaitable[_T]]) -> _T:
        """Make `request` in a session of the visit's; one that was forgotten is begun anew once."""
        for attempt in range(2):
            try:
                return await self._once(visit, request)
            except SessionLost:
                if attempt:
                    raise ValetError("provider_unreachable", provider=visit.server.words) from None
            except Refused as refused:
                raise await self._meaning(visit, refused) from None
            except NeedsLogin as needs:
                raise self._sign_in(visit, visit.profile, needs.reason) from None
            except Withheld:
                self._reflected(visit)
                raise
        raise AssertionError("the second attempt returns or raises")

    async def _once(self, visit: Visit, request: Callable[[Session], Awaitable[_T]]) -> _T:
        placement = visit.profile.placed(visit.connection.account.label)
        way = Way(visit.server, _sharer(visit), self._credential(visit), placement)
        key = Key(visit.server, _sharer(visit), visit.connection.id)
        async with self._sessions.lease(key, lambda: self._reach.session(way)) as session:
            try:
                return await request(session)
            except SessionLost:
                self._sessions.drop(session)
                raise

    def _credential(self, visit: Visit) -> Any:
        connection = visit.connection
        if visit.profile.open:
            return None

        async def current(rejected: Secret | None) -> Secret:
            return await self._connections.access_token(connection, rejected=rejected)

        return current

    # Refusals --------------------------------------------------------------------------------

    async def _meaning(self, visit: Visit, refused: Refused) -> Exception:
        """Return what a 401 or 403 means: sign in, ask for more, or simply no."""
        server = visit.server
        if refused.status == 401:
            self._refused(visit, "unauthorized")
            if visit.profile.keyed:
                return self._sign_in(visit, visit.profile, f"{server.words} refused the key")
            profile = await self._directory.refused(server, refused.challenge)
            if not profile.open:
                scopes = frozenset(refused.challenge.scopes)
                why = refused.why or f"{server.words} wants a sign-in"
                return self._sign_in(visit, profile, why, scopes)
        missing = frozenset(refused.challenge.scopes)
        if refused.status == 401 or visit.profile.kind != "oauth" or not missing:
            return ValetError("upstream_error", provider=server.words, status=refused.status)
        return self._step_up(visit, missing)

    def _step_up(self, visit: Visit, missing: frozenset[str]) -> Exception:
        """Ask for the union of what there is and what is missing, a few times at most (CL-17)."""
        profile, connection = visit.profile, visit.connection
        words = "; ".join(profile.words(scope) for scope in sorted(missing))
        self._refused(visit, "insufficient_scope")
        if missing <= connection.scopes or not self._may_step(visit):
            return ValetError("scope_missing", scopes=words, provider=profile.title)
        return self._access.step_up(visit.caller, profile, visit.use, connection, missing)

    def _may_step(self, visit: Visit) -> bool:
        now = self._clock()
        key = (visit.caller.kernel_id, visit.server.name)
        steps = [at for at in self._steps.get(key, []) if at > now - STEP_SECONDS]
        self._steps[key] = [*steps, now][:MOST_STEPS]
        return len(steps) < MOST_STEPS

    def _sign_in(
        self, visit: Visit, profile: Profile, why: str, scopes: frozenset[str] = frozenset()
    ) -> Exception:
        if visit.connection.made_under(profile):
            scopes |= visit.connection.scopes
        return self._access.sign_in(visit.caller, profile, visit.use, scopes, why)

    # Audit -----------------------------------------------------------------------------------

    def _used(self, visit: Visit) -> None:
        self._connections.used(
            visit.connection,
            tool=visit.use.tool,
            kernel=visit.caller.kernel_id,
            notebook=visit.caller.notebook,
        )

    def _reflected(self, visit: Visit) -> None:
        self._refused(visit, "response_withheld")
        self._connections.reflected(visit.connection)

    def _refused(self, visit: Visit, outcome: str) -> None:
        self._audit.record(
            "connection.refused",
            principal=visit.caller.principal,
            provider=visit.connection.provider,
            connection=visit.connection.id,
            account=visit.connection.account.label,
            tool=visit.use.tool,
            kernel=visit.caller.kernel_id,
            notebook=visit.caller.notebook,
            outcome=outcome,
        )


def _sharer(visit: Visit) -> str:
    return f"{visit.caller.principal}/{visit.caller.kernel_id}"
