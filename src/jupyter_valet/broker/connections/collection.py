"""All connections in one vault."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from msgspec import structs

from ...wire.errors import ValetError
from ...wire.views import ConnectionView
from ..oauth import Account, OAuthApp, OAuthClient, Profile, TokenSet
from ..secret import Secret
from ..vault import Conflict, Record, Vault, VaultUnreachable, VaultUnsure, VaultUnwritable
from . import suspension
from .apps import Apps
from .connection import ACTIVE, Connection, connection_id, new_meta, view
from .freshness import Freshness
from .held import Held

if TYPE_CHECKING:
    from ..audit import Audit

USED_SECONDS = 300.0
"""How old the stored `last_used_at` may become before a use costs a write."""

Ended = Literal["forgotten", "revoked", "not_confirmed"]


class Connections:
    """The connections of everybody; any number of processes may have one of these on a vault."""

    def __init__(
        self,
        vault: Vault,
        oauth: OAuthClient,
        profiles: Mapping[str, Profile],
        audit: Audit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._oauth = oauth
        self._profiles = profiles
        self._audit = audit
        self._clock = clock
        self._held = Held(vault)
        self._apps = Apps(vault, profiles)
        self._freshness = Freshness(
            vault, self._held, oauth, profiles, self._apps, self._note, clock
        )
        self._used: dict[str, float] = {}
        self._written: dict[str, float] = {}
        self.on_change: Callable[[], None] = lambda: None

    # Look-ups --------------------------------------------------------------------------------

    def find(
        self, principal: str, provider: str, seen: tuple[Vault, int] | None = None
    ) -> list[Connection]:
        """Return the person's connections at `provider`, the one used last first.

        `seen` is a vault and what its `data_version` was just now; then it is not asked again.
        """
        profile = self._profiles.get(provider)
        if profile is None:
            return []
        found = []
        for record in self._held.all(seen):
            if record.meta["principal"] == principal and record.meta["provider"] == profile.name:
                connection = self._connection(record)
                if connection.made_under(profile):
                    found.append(connection)
        if len(found) > 1:
            found.sort(key=lambda c: (c.last_used_at, c.created_at), reverse=True)
        return found

    def get(self, principal: str, id: str) -> Connection | None:
        """Return the connection with this id, if it is this person's."""
        record = self._held.record(id)
        if record is None or record.meta["principal"] != principal:
            return None
        return self._connection(record)

    def views(self, principal: str) -> list[ConnectionView]:
        """Return what may be told about the person's connections, those of lost profiles too."""
        mine = (r for r in self._held.all() if r.meta["principal"] == principal)
        return [view(c, self._profiles.get(c.provider)) for c in map(self._connection, mine)]

    def scopes_to_ask(
        self, principal: str, profile: Profile, scopes: Iterable[str], *, new_account: bool = False
    ) -> frozenset[str]:
        """Return the union of `scopes` and what the person's connections hold (step-up, CL-17).

        A new token takes the place of the old one, so asking for the missing scope alone would lose
        the others. For a further account nothing is added.
        """
        asked = profile.to_ask(scopes)
        if not new_account:
            asked = asked.union(*(c.scopes for c in self.find(principal, profile.name)))
        return profile.minimal(asked)

    # Making ----------------------------------------------------------------------------------

    def store(
        self, principal: str, profile: Profile, tokens: TokenSet, account: Account
    ) -> Connection:
        """Keep what a sign-in brought: a new connection, or a new credential for the old one.

        Durable when it returns. Of an earlier sign-in of the same account the refresh token stays
        when none came (L16), and scopes stay usable that were approved then and granted now; any
        other scope that was granted without being asked for is audited and not usable (R156).
        """
        id = connection_id(principal, profile, account)
        while True:
            before = self._held.record(id)
            merged = self._merged(before, tokens)
            meta = new_meta(principal, profile, account, self._clock())
            meta |= {"scopes": sorted(merged.scopes)}
            if before is not None:
                meta["created_at"] = before.meta["created_at"]
                meta["last_used_at"] = before.meta["last_used_at"]
            try:
                record = self._held.put(id, meta, merged, expect=before.revision if before else 0)
            except Conflict:
                continue
            if merged.extra:
                scopes = " ".join(sorted(merged.extra))[:500]
                self._note("connection.refused", record, "scopes_not_asked_for", scopes=scopes)
            if before is None:
                self.on_change()
            return self._connection(record)

    def _merged(self, before: Record | None, tokens: TokenSet) -> TokenSet:
        if before is None:
            return tokens
        approved = frozenset(before.meta["scopes"])
        alive = before.meta["status"] == ACTIVE
        kept = self._held.tokens(before).refresh_token if alive else None
        return replace(
            tokens,
            refresh_token=tokens.refresh_token or kept,
            scopes=tokens.scopes | (tokens.extra & approved),
            extra=tokens.extra - approved,
        )

    # Use and end -----------------------------------------------------------------------------

    async def access_token(
        self, connection: Connection, *, rejected: Secret | None = None, found: bool = False
    ) -> Secret:
        """Return an access token that does not expire within the next half minute.

        `rejected` is one that the provider's API just refused: it is replaced if it is still the
        current one. `found` says that `connection` was found just now, and nothing awaited since:
        the vault is not looked at again.

        Raises `NeedsLogin`, `ProviderUnreachable`, and `ValetError("not_found")` when the
        connection has ended.
        """
        held = self._held
        record = held.last_read(connection.id) if found else held.record(connection.id)
        if record is None or record.meta["principal"] != connection.principal:
            raise ValetError("not_found", what="connection")
        return await self._freshness.access_token(record, rejected)

    def used(self, connection: Connection, *, outcome: str = "ok", **facts: Any) -> None:
        """Note a use in the audit, with its tool, kernel and notebook.

        The time of it stays in memory and reaches the vault now and then, not per call.
        """
        now = self._clock()
        self._used[connection.id] = now
        self._audit.record(
            "connection.used",
            principal=connection.principal,
            provider=connection.provider,
            connection=connection.id,
            account=connection.account.label,
            outcome=outcome,
            **facts,
        )
        record = self._held.last_read(connection.id)
        if record is None:
            return  # it has ended meanwhile, and its credential was used all the same
        last = max(record.meta["last_used_at"], self._written.get(record.id, 0.0))
        if now - last > USED_SECONDS:
            self._written[record.id] = now
            self._write_use(record)

    def reflected(self, connection: Connection) -> None:
        """Count an answer that contained the credential; too many suspend the connection (R142)."""
        record = suspension.count(self._held, connection.id)
        if record is not None and suspension.hits(record) == suspension.MOST_HITS:
            self._note("connection.suspended", record, attempt=suspension.hits(record))

    async def end(self, principal: str, id: str, *, revoke: bool) -> Ended:
        """Forget the connection here, and with `revoke` end the grant at the provider.

        It is gone here whatever the provider says; the answer and the audit tell which. Raises
        `ValetError("not_found")`.
        """
        connection = self.get(principal, id)
        record = self._held.record(id)
        if connection is None or record is None:
            raise ValetError("not_found", what="connection")
        tokens = self._held.tokens(record)
        self._held.delete(id)
        self._used.pop(id, None)
        self._written.pop(id, None)
        # First the deeds, then the notes: an audit that cannot be written must not save a token.
        confirmed = revoke and await self._revoke(connection, tokens)
        self._apps.forget(connection.provider, owner=principal)  # its secret is the credential
        self._note("connection.ended", record)
        self.on_change()
        if not revoke:
            return "forgotten"
        outcome: Ended = "revoked" if confirmed else "not_confirmed"
        self._note("connection.revoked", record, "ok" if confirmed else outcome)
        return outcome

    async def _revoke(self, connection: Connection, tokens: TokenSet) -> bool:
        profile = self._profiles.get(connection.provider)
        app = self._apps.find(connection.provider, tokens.client_id, owner=connection.principal)
        if profile is None or app is None or not connection.made_under(profile):
            return False
        return await self._oauth.revoke(profile, app, tokens)

    async def close(self) -> None:
        """Wait for what is under way and write the last uses down."""
        await self._freshness.close()
        for record in self._held.all():
            if self._used.get(record.id, 0.0) > record.meta["last_used_at"]:
                self._write_use(record)

    # The OAuth app ---------------------------------------------------------------------------

    def app(
        self, provider: str, client_id: str = "", *, for_codes: bool = False, owner: str = ""
    ) -> OAuthApp | None:
        """Return the client to use at `provider`: the person's own, else the public one.

        `for_codes`: the one to sign in by a code with. With `client_id` the one that was registered
        under it, where that is on file. `owner`: whose, where the client is its own account.
        """
        return self._apps.find(provider, client_id, for_codes=for_codes, owner=owner)

    def registers(self, profile: Profile) -> bool:
        """Tell whether a client for `profile` can be had without the person."""
        return self._apps.registers(profile)

    async def obtain_app(self, profile: Profile, redirect_uri: str) -> OAuthApp | None:
        """Return the client for a sign-in that begins now, registering one where that is possible.

        None: the person must name one. Raises as `OAuthClient.register` does.
        """
        return await self._apps.obtain(profile, redirect_uri, self._oauth)

    def save_app(self, app: OAuthApp) -> None:
        """Keep the person's OAuth app. Raises `ValetError("unknown_provider")`."""
        self._apps.save(app)

    def forget_app(self, provider: str, *, for_codes: bool = False, owner: str = "") -> bool:
        """Drop the client at `provider`, so that the next sign-in asks for one again."""
        return self._apps.forget(provider, for_codes=for_codes, owner=owner)

    # Records ---------------------------------------------------------------------------------

    def _connection(self, record: Record) -> Connection:
        connection, used = self._held.connection(record), self._used.get(record.id, 0.0)
        if used <= connection.last_used_at:
            return connection
        return structs.replace(connection, last_used_at=used)

    def _write_use(self, record: Record) -> None:
        meta = {**record.meta, "last_used_at": self._used[record.id]}
        # Somebody else wrote, or nothing can be written: no reason to fail what only reads.
        with contextlib.suppress(Conflict, VaultUnwritable, VaultUnreachable, VaultUnsure):
            self._held.put(record.id, meta, self._held.tokens(record), expect=record.revision)

    def _note(self, action: str, record: Record, outcome: str = "ok", **facts: Any) -> None:
        self._audit.record(
            action,
            principal=record.meta["principal"],
            provider=record.meta["provider"],
            connection=record.id,
            account=record.meta["account"],
            outcome=outcome,
            **facts,
        )
