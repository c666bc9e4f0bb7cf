"""One request with the caller's own connection: policy, credential, egress, audit.

Whatever may use a connection (a tool, a client in the notebook, a function) comes through here, so
that the rules for refused credentials and for scopes that turn out to be missing are written once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from msgspec import Struct
from msgspec.structs import replace

from ..wire.errors import ValetError
from .audit import Audit
from .connections import Connection, Connections, NeedsLogin
from .egress import Egress, Limits, Note, Request, Response, Streamed, Terms, Withheld
from .egress.challenge import missing_scopes, scope_names, sufficient_scopes
from .kernels import Caller
from .oauth import Profile
from .policy.access import Access, Use
from .secret import Secret


class ScopeHeaders(Struct, frozen=True):
    """The response headers by which an API without RFC 6750 challenges tells scopes (GitHub)."""

    granted: str = ""
    accepted: str = ""


NO_SCOPE_HEADERS = ScopeHeaders()

Upload = AsyncIterator[bytes]

_LIMITS = Limits()


class Authorized:
    """Sends requests with the connections of those who ask."""

    def __init__(
        self, access: Access, connections: Connections, egress: Egress, audit: Audit
    ) -> None:
        self._access = access
        self._connections = connections
        self._egress = egress
        self._audit = audit

    def connected(self, caller: Caller, provider: str) -> bool:
        """Tell whether the caller's person has a connection there, granted to anybody or not."""
        return bool(self._connections.find(caller.principal, provider))

    async def send(
        self,
        caller: Caller,
        profile: Profile,
        use: Use,
        scope_headers: ScopeHeaders = NO_SCOPE_HEADERS,
    ) -> Response:
        """Send `use.request` and return upstream's answer, whatever its status.

        Raises `Needs` when the person must act first, `ValetError` for what goes wrong on the way.
        """
        return await _Sending(self, caller, profile, use, scope_headers).run()

    def stream(
        self,
        caller: Caller,
        profile: Profile,
        use: Use,
        upload: Upload | None = None,
        limits: Limits = _LIMITS,
        scope_headers: ScopeHeaders = NO_SCOPE_HEADERS,
    ) -> AbstractAsyncContextManager[Streamed]:
        """Send `use.request` and enter upstream's answer, to be read while it comes.

        `upload` is a body that comes as it goes, for one try. Raises as `send` does, also while
        the answer is read, and `ValetError` ("send_again") for a credential that was renewed when
        the upload had begun.
        """
        return _Sending(self, caller, profile, use, scope_headers).streamed(upload, limits)


class _Sending(Struct, frozen=True):
    """One request under way."""

    parts: Authorized
    caller: Caller
    profile: Profile
    use: Use
    scope_headers: ScopeHeaders

    async def run(self) -> Response:
        connection = self.parts._access.connection(self.caller, self.profile, self.use)
        credential = await self._credential(connection, found=True)
        response = await self._send(connection, credential)
        if response.status == 401:
            # Refused for want of a good credential, so not processed (RFC 9110 §15.5.2): one
            # forced refresh and one more try are safe for any method (L17).
            credential = await self._credential(connection, rejected=credential)
            response = await self._send(connection, credential)
        self._check_refusal(connection, response)
        return response

    @asynccontextmanager
    async def streamed(self, upload: Upload | None, limits: Limits) -> AsyncIterator[Streamed]:
        connection = self.parts._access.connection(self.caller, self.profile, self.use)
        credential = await self._credential(connection, found=True)
        for last_try in (False, True):
            try:
                async with self.parts._egress.stream(
                    self.use.request,
                    credential,
                    self._terms(connection),
                    note=_Line(self, connection, early=True),
                    upload=upload,
                    limits=limits,
                ) as answer:
                    if answer.status != 401 or last_try:
                        self._check_refusal(connection, answer)
                        yield answer
                        return
            except ValetError as error:
                self._note_refusal(connection, error)
                raise
            # As in `run`; but an upload that has begun cannot be sent from its beginning.
            credential = await self._credential(connection, rejected=credential)
            if upload is not None:
                raise ValetError("send_again", provider=self.profile.title)

    def _terms(self, connection: Connection) -> Terms:
        return Terms(
            f"{self.caller.principal}/{self.caller.kernel_id}",
            self.profile.loopback,
            self.profile.title,
            self.profile.placed(connection.account.label),
            self.profile.never,
            lambda request: self._may_follow(connection, request),
        )

    def _may_follow(self, connection: Connection, request: Request) -> bool:
        use = replace(self.use, request=request)
        return self.parts._access.may_follow(self.caller, self.profile, connection, use)

    async def _credential(
        self, connection: Connection, rejected: Secret | None = None, *, found: bool = False
    ) -> Secret:
        try:
            return await self.parts._connections.access_token(
                connection, rejected=rejected, found=found
            )
        except NeedsLogin as needs:
            scopes = self.use.scopes | connection.scopes
            raise self._sign_in(scopes, needs.reason) from None

    async def _send(self, connection: Connection, credential: Secret) -> Response:
        note = _Line(self, connection, early=False)
        try:
            return await self.parts._egress.send(
                self.use.request, credential, self._terms(connection), note=note
            )
        except ValetError as error:
            self._note_refusal(connection, error)
            raise

    def _note_refusal(self, connection: Connection, error: ValetError) -> None:
        """Write down what the egress refuses, and count a reflection."""
        if isinstance(error, Withheld) or error.code == "endpoint_denied":
            self._refused(connection, error.code)
        if isinstance(error, Withheld):
            self.parts._connections.reflected(connection)

    def _check_refusal(self, connection: Connection, response: Response | Streamed) -> None:
        """Raise `NeedsAuthorization` when signing in again, or for more, would help."""
        if response.status == 401:
            self._refused(connection, "unauthorized")
            scopes = self.use.scopes | connection.scopes
            raise self._sign_in(scopes, f"{self.profile.title} refused the sign-in there was")
        missing = self._missing(response)
        if missing is not None and not missing <= connection.scopes:
            self._refused(connection, "insufficient_scope")
            raise self.parts._access.step_up(
                self.caller, self.profile, self.use, connection, missing
            )

    def _sign_in(self, scopes: frozenset[str], why: str) -> Exception:
        return self.parts._access.sign_in(self.caller, self.profile, self.use, scopes, why)

    def _missing(self, response: Response | Streamed) -> frozenset[str] | None:
        """Return the scopes that upstream wants besides, None when scopes are not the trouble."""
        challenge = response.headers.get("www-authenticate", "")
        missing = missing_scopes(response.status, challenge)
        headers = self.scope_headers
        if missing is None and headers.accepted:
            granted = self.profile.normalise(scope_names(response.headers.get(headers.granted, "")))
            would_do = sufficient_scopes(
                response.status, " ".join(granted), response.headers.get(headers.accepted, "")
            )
            # Any one of them would do; a scope nobody has put into words is not asked for.
            known = sorted(would_do & self.profile.scope_words.keys(), key=self._breadth)
            return frozenset(known[:1]) or None
        return self.profile.normalise(missing) if missing is not None else None

    def _breadth(self, scope: str) -> tuple[int, str]:
        return len(self.profile.normalise([scope])), scope

    def _refused(self, connection: Connection, outcome: str) -> None:
        self.parts._audit.record(
            "connection.refused",
            principal=self.caller.principal,
            provider=connection.provider,
            connection=connection.id,
            account=connection.account.label,
            tool=self.use.tool,
            kernel=self.caller.kernel_id,
            notebook=self.caller.notebook,
            outcome=outcome,
        )


class _Line(Note):
    """The line in the audit of each sending with a connection.

    Unless `early`, it is written while the answer is on its way. Nobody gets an answer whose line
    could not be written, and after that nothing is sent before its line is in the file.
    """

    def __init__(self, sending: _Sending, connection: Connection, *, early: bool) -> None:
        self._sending = sending
        self._connection = connection
        self._early = early
        self._written = False

    def before(self) -> None:
        self._written = self._early or not self._sending.parts._audit.sound
        if self._written:
            self._write()

    def after(self) -> None:
        if not self._written:
            self._write()

    def _write(self) -> None:
        self._sending.parts._connections.used(
            self._connection,
            tool=self._sending.use.tool,
            kernel=self._sending.caller.kernel_id,
            notebook=self._sending.caller.notebook,
        )
