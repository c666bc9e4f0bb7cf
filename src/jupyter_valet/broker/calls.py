"""One tool call, from a checked capability to an answer: policy, credential, egress, audit.

It knows neither MCP nor the client: what it lacks it says with `NeedsAuthorization`, and whoever
asked turns that into a question to the person.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from ..wire.errors import ValetError
from .audit import Audit
from .connections import Connection, Connections, NeedsLogin
from .egress import Egress, Request, Response, Withheld, build
from .egress.challenge import missing_scopes, scope_names, sufficient_scopes
from .elicitation import NeedsAuthorization
from .kernels import Caller
from .oauth import Profile
from .policy import Allow, NeedsConnection, NeedsScopes, decide
from .secret import Secret
from .toolsets import Tool, Toolset

_TEXTUAL = ("text/", "application/json", "application/xml", "application/x-ndjson")
_TEXTUAL_SUFFIXES = ("+json", "+xml")


class UnknownTool(LookupError):
    """There is no tool of that name."""


@dataclass(frozen=True)
class ToolOutcome:
    """What a call came to: `data` is JSON or text, `error` says that upstream refused."""

    data: Any
    error: ValetError | None = None


class Calls:
    """The tools, and how one is run."""

    def __init__(
        self,
        toolsets: Iterable[Toolset],
        connections: Connections,
        egress: Egress,
        audit: Audit,
        profiles: Mapping[str, Profile],
    ) -> None:
        self._tools = {
            tool.name: tool
            for toolset in toolsets
            for tool in (Tool(toolset, operation) for operation in toolset.operations)
        }
        self._all = tuple(self._tools.values())
        self._connections = connections
        self._egress = egress
        self._audit = audit
        self._profiles = profiles

    def tools(self) -> tuple[Tool, ...]:
        """Return every tool; always the same tuple."""
        return self._all

    def find(self, name: str) -> Tool | None:
        """Return the tool of that name, or None."""
        return self._tools.get(name)

    async def call(self, caller: Caller, name: str, arguments: Mapping[str, Any]) -> ToolOutcome:
        """Run a tool for `caller` with their own connection.

        Raises `UnknownTool`, `NeedsAuthorization`, and `ValetError` for bad arguments and for what
        goes wrong on the way.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise UnknownTool(name)
        tool.check(arguments)
        request = build(tool.source, tool.operation, arguments)
        call = _Call(self, caller, tool, request, self._profiles[tool.provider])
        return await call.run()


@dataclass(frozen=True)
class _Call:
    """One call under way."""

    calls: Calls
    caller: Caller
    tool: Tool
    request: Request
    profile: Profile

    async def run(self) -> ToolOutcome:
        connection = self._connection()
        credential = await self._credential(connection)
        response = await self._send(connection, credential)
        if response.status == 401:
            # Refused for want of a good credential, so not processed (RFC 9110 §15.5.2): one
            # forced refresh and one more try are safe for any method (L17).
            credential = await self._credential(connection, rejected=credential)
            response = await self._send(connection, credential)
        self._check_refusal(connection, response)
        self.calls._connections.used(
            connection,
            tool=self.tool.name,
            kernel=self.caller.kernel_id,
            notebook=self.caller.notebook,
        )
        return _outcome(response, self.profile.title)

    def _connection(self) -> Connection:
        decision = decide(
            self.caller,
            self.calls._connections.find(self.caller.principal, self.tool.provider),
            self.profile.normalise(self.tool.operation.scopes),
            str(self.request.origin),
        )
        match decision:
            case Allow(connection):
                return connection
            case NeedsConnection(reason):
                raise self._needs(self.tool.operation.scopes, reason)
            case NeedsScopes(connection, missing):
                raise self._more(connection, missing)
            case _:
                assert_never(decision)

    async def _credential(self, connection: Connection, rejected: Secret | None = None) -> Secret:
        try:
            return await self.calls._connections.access_token(connection, rejected=rejected)
        except NeedsLogin as needs:
            scopes = self.tool.operation.scopes | connection.scopes
            raise self._needs(scopes, needs.reason) from None

    async def _send(self, connection: Connection, credential: Secret) -> Response:
        try:
            return await self.calls._egress.send(
                self.request,
                credential,
                principal=f"{self.caller.principal}/{self.caller.kernel_id}",
                loopback=self.profile.loopback,
                provider=self.profile.title,
                placement=self.profile.placed(connection.account.label),
                never=self.profile.never,
            )
        except Withheld:
            self._refused(connection, "response_withheld")
            self.calls._connections.reflected(connection)
            raise
        except ValetError as error:
            if error.code == "endpoint_denied":
                self._refused(connection, error.code)
            raise

    def _check_refusal(self, connection: Connection, response: Response) -> None:
        """Raise `NeedsAuthorization` when signing in again, or for more, would help."""
        if response.status == 401:
            self._refused(connection, "unauthorized")
            scopes = self.tool.operation.scopes | connection.scopes
            raise self._needs(scopes, f"{self.profile.title} refused the sign-in there was")
        missing = self._missing(response)
        if missing is not None and not missing <= connection.scopes:
            self._refused(connection, "insufficient_scope")
            raise self._more(connection, missing)

    def _missing(self, response: Response) -> frozenset[str] | None:
        """Return the scopes that upstream wants besides, None when scopes are not the trouble."""
        challenge = response.headers.get("www-authenticate", "")
        missing = missing_scopes(response.status, challenge)
        source = self.tool.source
        if missing is None and source.accepted_header:
            granted = self.profile.normalise(
                scope_names(response.headers.get(source.granted_header, ""))
            )
            would_do = sufficient_scopes(
                response.status,
                " ".join(granted),
                response.headers.get(source.accepted_header, ""),
            )
            # Any one of them would do; a scope nobody has put into words is not asked for.
            known = sorted(would_do & self.profile.scope_words.keys(), key=self._breadth)
            return frozenset(known[:1]) or None
        return self.profile.normalise(missing) if missing is not None else None

    def _breadth(self, scope: str) -> tuple[int, str]:
        return len(self.profile.normalise([scope])), scope

    def _more(self, connection: Connection, missing: frozenset[str]) -> NeedsAuthorization:
        """Ask for the union of what there is and what is missing (step-up)."""
        words = "; ".join(self.profile.words(scope) for scope in sorted(missing))
        return self._needs(
            connection.scopes | missing | self.tool.operation.scopes,
            f"the permission is missing: {words}",
            missing=words,
        )

    def _needs(self, scopes: frozenset[str], why: str, missing: str = "") -> NeedsAuthorization:
        name = f"{self.tool.toolset}.{self.tool.operation.name}"
        reason = f"The tool {name} needs it" + (f"; {why}." if why else ".")
        asked = self.calls._connections.scopes_to_ask(self.caller.principal, self.profile, scopes)
        return NeedsAuthorization(self.tool.provider, asked, reason, missing)

    def _refused(self, connection: Connection, outcome: str) -> None:
        self.calls._audit.record(
            "connection.refused",
            principal=self.caller.principal,
            provider=connection.provider,
            connection=connection.id,
            account=connection.account.label,
            tool=self.tool.name,
            kernel=self.caller.kernel_id,
            notebook=self.caller.notebook,
            outcome=outcome,
        )


def _outcome(response: Response, title: str) -> ToolOutcome:
    error = None
    if not response.ok:
        error = ValetError("upstream_error", provider=title, status=response.status)
    return ToolOutcome(_data(response), error)


def _data(response: Response) -> Any:
    """Return the body as JSON when it is that, as text when it is textual, else what it is."""
    if not response.body:
        return None
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith(_TEXTUAL) and not media_type.endswith(_TEXTUAL_SUFFIXES):
        return {"content_type": media_type, "bytes": len(response.body)}
    text = response.body.decode("utf-8", "replace")
    if "json" not in media_type or "ndjson" in media_type:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
