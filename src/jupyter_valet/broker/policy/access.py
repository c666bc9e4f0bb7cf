"""With which connection may this caller do this, now? The one gate that every use goes through."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, assert_never

from msgspec import Struct
from msgspec.structs import replace

from ...wire.errors import ValetError
from ...wire.routes import PAGE_CONNECTIONS
from ...wire.views import Kind
from ..elicitation import Needs, NeedsApproval, NeedsAuthorization, NeedsGrant
from ..kernels import Caller
from . import decide
from .grant import Grant
from .limits import NO_LIMITS, exceeded
from .policy import Policy
from .preview import preview
from .reading import access_of, may_be_another

if TYPE_CHECKING:
    from ..connections import Connection, Connections
    from ..egress.request import Request
    from ..oauth import Profile


class Use(Struct, frozen=True):
    """What is about to be done with a person's connection, in facts of the broker's own.

    Nothing in it may be a kernel's word: `tool` is what an approval holds for.
    """

    tool: str
    """What does it, by the name that the audit knows."""
    asker: str
    """The same for people: `The tool github.list_issues`, `valet.client("github")`."""
    request: Request
    """What would be sent, without its credential."""
    access: Literal["read", "write"]
    scopes: frozenset[str] = frozenset()
    """What the connection must hold, in the provider's names; what is asked for if it does not."""
    alternatives: tuple[frozenset[str], ...] = ()
    """Other sets of scopes, any of which would do as well (Discovery; OpenAPI's several)."""
    words: str = ""
    """What the tool does, for people; shown beside the request itself."""


class Access:
    """Finds the connection for a use, or says what only the person can give.

    Deny by default: without a grant of the caller's notebook for a connection of its own person,
    which may go to the request's origin and holds the scopes, there is none. A write under a grant
    to read needs an approval besides.
    """

    def __init__(
        self, connections: Connections, policy: Policy, clock: Callable[[], float] = time.time
    ) -> None:
        self._connections = connections
        self._policy = policy
        self._clock = clock

    def connection(self, caller: Caller, profile: Profile, use: Use) -> Connection:
        """Return the connection for one request, which is sent next and only once.

        It counts, and it uses up the approval of a single write. Raises `Needs` for what only the
        person can give, `ValetError` for what the grant does not allow ("limit_reached"), and for
        what nobody may ask for ("endpoint_denied").
        """
        use = judged(profile, use)
        wanted = _wanted(profile, use)
        connection, grant = self._found(caller, profile, use, wanted)
        self._check_limits(caller, profile, use, wanted, connection, grant)
        if use.access == "write" and not grant.may_write(use.tool):
            self._spend_approval(caller, profile, use, connection)
        if grant.limits.per_hour:
            self._policy.rates.count(grant.id)
        return connection

    def may_follow(
        self, caller: Caller, profile: Profile, connection: Connection, use: Use
    ) -> bool:
        """Tell whether the request for `connection` may go on where a redirect leads: to `use`.

        That is judged as if it were asked for itself; but nobody is asked about it, and what was
        approved was another request. Raises `ValetError` ("limit_reached").
        """
        use = judged(profile, use)
        wanted = _wanted(profile, use)
        try:
            found, grant = self._found(caller, profile, use, wanted)
        except Needs:
            return False
        if found.id != connection.id or (use.access == "write" and grant.access != "read_write"):
            return False
        if what := _outside(use, wanted, connection, grant):
            raise self._refused(caller, profile, use, connection, what)
        return True

    def check(self, caller: Caller, profile: Profile, use: Use) -> None:
        """Raise what is missing for uses like this one; nothing is counted or used up.

        For who wants to ask beforehand: every request passes `connection` all the same.
        """
        self._found(caller, profile, use, _wanted(profile, use))

    def sign_in(
        self, caller: Caller, profile: Profile, use: Use, scopes: Iterable[str], why: str
    ) -> NeedsAuthorization:
        """Return the need for a sign-in with `scopes`; `why` is what became of the last one."""
        return self._needs(caller, profile, use, frozenset(scopes), why)

    def step_up(
        self,
        caller: Caller,
        profile: Profile,
        use: Use,
        connection: Connection,
        missing: frozenset[str],
    ) -> NeedsAuthorization:
        """Return the need for the union of what `connection` has and what is missing."""
        words = "; ".join(profile.words(scope) for scope in sorted(missing))
        scopes = connection.scopes | missing | use.scopes
        return self._needs(
            caller, profile, use, scopes, f"the permission is missing: {words}", words
        )

    def _found(
        self, caller: Caller, profile: Profile, use: Use, wanted: decide.Wanted
    ) -> tuple[Connection, Grant]:
        if not profile.visible_to(caller.principal):
            raise ValetError("unknown_provider", provider=profile.name)
        enough = self._policy.usable(caller)
        decision = decide.decide(
            caller,
            self._connections.find(caller.principal, profile.name, self._policy.grants.seen),
            enough,
            wanted,
            self._clock(),
        )
        match decision:
            case decide.Allow(connection, grant) | decide.NeedsApproval(connection, grant):
                return connection, grant
            case decide.NeedsConnection(reason):
                raise self.sign_in(caller, profile, use, use.scopes, reason)
            case decide.NeedsScopes(connection, missing):
                raise self.step_up(caller, profile, use, connection, missing)
            case decide.NeedsGrant(_, ended):
                weaker = len(enough) < len(self._policy.grants.of(caller))
                why = "its kernel is less isolated than when you allowed it" if weaker else ended
                raise NeedsGrant(profile.name, _reason(use, why), scopes=use.scopes)
            case _:
                assert_never(decision)

    def _check_limits(
        self,
        caller: Caller,
        profile: Profile,
        use: Use,
        wanted: decide.Wanted,
        connection: Connection,
        grant: Grant,
    ) -> None:
        if grant.limits is NO_LIMITS or grant.limits == NO_LIMITS:
            return
        what = _outside(use, wanted, connection, grant)
        most = grant.limits.per_hour
        if not what and most and self._policy.rates.within_hour(grant.id) >= most:
            what = f"more than {most} calls an hour"
        if what:
            raise self._refused(caller, profile, use, connection, what)

    def _spend_approval(
        self, caller: Caller, profile: Profile, use: Use, connection: Connection
    ) -> None:
        request, approvals = use.request, self._policy.approvals
        who = (caller.principal, caller.kernel_id)
        if profile.never.covers(request.method, request.target):
            self._record("connection.refused", caller, use, connection, "endpoint_denied")
            raise ValetError("endpoint_denied", provider=profile.title)
        if approvals.has_run(who, use.tool, connection.id):
            return self._record("approval.used", caller, use, connection, reason="this run")
        digest = self._policy.digests.of(caller, connection.id, use.tool, request)
        if not approvals.take(who, digest):
            raise NeedsApproval(
                profile.name,
                _reason(use, f"it wants to send {request.method} to {request.origin}"),
                connection=connection.id,
                tool=use.tool,
                digest=digest,
                preview=preview(use, connection),
            )
        return self._record("approval.used", caller, use, connection)

    def _refused(
        self, caller: Caller, profile: Profile, use: Use, connection: Connection, what: str
    ) -> ValetError:
        self._record("connection.refused", caller, use, connection, "limit_reached", reason=what)
        url = caller.origin + PAGE_CONNECTIONS
        return ValetError("limit_reached", provider=profile.title, what=what, url=url)

    def _record(
        self,
        action: str,
        caller: Caller,
        use: Use,
        connection: Connection,
        outcome: str = "ok",
        **facts: str,
    ) -> None:
        self._policy.audit.record(
            action,
            principal=caller.principal,
            provider=connection.provider,
            connection=connection.id,
            account=connection.account.label,
            tool=use.tool,
            kernel=caller.kernel_id,
            notebook=caller.notebook,
            outcome=outcome,
            method=use.request.method,
            host=use.request.origin.host,
            **facts,
        )

    def _needs(
        self,
        caller: Caller,
        profile: Profile,
        use: Use,
        scopes: frozenset[str],
        why: str,
        missing: str = "",
    ) -> NeedsAuthorization:
        asked = self._connections.scopes_to_ask(caller.principal, profile, scopes)
        kind = _KINDS[profile.kind]
        return NeedsAuthorization(profile.name, asked, _reason(use, why), missing, kind)


def judged(profile: Profile, use: Use) -> Use:
    """Return `use` as a write if it is a GET that may be one there.

    Whoever wrote the request, or the document that it comes of, may not know.
    """
    if use.access == "read" and may_be_another(profile, use.request):
        return replace(use, access=access_of(profile, use.request))
    return use


def _outside(use: Use, wanted: decide.Wanted, connection: Connection, grant: Grant) -> str:
    """Return which limit of `grant` the request is outside of, in words; the rate is none here."""
    request = use.request
    # What the connection is used for: the narrowest set that it holds.
    scopes = wanted.satisfied_by(connection.scopes) or frozenset()
    return exceeded(grant.limits, request.method, request.origin, request.target, scopes)


def _wanted(profile: Profile, use: Use) -> decide.Wanted:
    return decide.Wanted(
        use.request.origin,
        profile.normalise(use.scopes),
        tuple(map(profile.normalise, use.alternatives)),
        write=use.access == "write",
        tool=use.tool,
    )


_KINDS = {"oauth": Kind.SIGN_IN, "api_key": Kind.API_KEY, "open": Kind.USE}


def _reason(use: Use, why: str) -> str:
    return f"{use.asker} needs it" + (f"; {why}." if why else ".")
