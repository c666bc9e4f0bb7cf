"""Keeping an access token fresh: one refresh for all who wait, in all processes (L15, R162).

The order that matters: take the lock of all processes, read again, ask the provider, write durably,
give out. A refresh token that rotates exists only in this process between the third and the fourth,
so nobody's cancellation stops a refresh that has begun.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from msgspec import structs

from ...wire.errors import ValetError
from ..oauth import InvalidGrant, OAuthApp, OAuthClient, Profile, TokenSet
from ..secret import Secret
from ..vault import Conflict, Record, Vault
from .apps import Apps
from .connection import ACTIVE, NEEDS_LOGIN, SETTINGS_CHANGED, NeedsLogin, from_record
from .held import Held

SKEW_SECONDS = 30.0
"""A token this close to its end counts as expired, since clocks differ and calls take time."""


class Note(Protocol):
    """Writes an audit event about a connection."""

    def __call__(self, action: str, record: Record, outcome: str = "ok") -> None:
        """Record `action`."""
        ...


class Freshness:
    """Gives out access tokens that are good, refreshing them when they are not."""

    def __init__(
        self,
        vault: Vault,
        held: Held,
        oauth: OAuthClient,
        profiles: Mapping[str, Profile],
        apps: Apps,
        note: Note,
        clock: Callable[[], float],
    ) -> None:
        self._vault = vault
        self._held = held
        self._oauth = oauth
        self._profiles = profiles
        self._apps = apps
        self._note = note
        self._clock = clock
        self._flights: dict[str, asyncio.Task[Secret]] = {}

    async def access_token(self, record: Record, rejected: Secret | None) -> Secret:
        """Return a good access token that is not `rejected`; see `Connections.access_token`.

        `record` is the connection's, read just now.
        """
        tokens = self._held.tokens(record)
        if self._good(record, tokens, rejected):
            return tokens.access_token
        token = await self._fly(record.id, rejected)
        if rejected is not None and token == rejected:
            # The flight under way had begun before this token was refused.
            token = await self._fly(record.id, rejected)
        return token

    async def close(self) -> None:
        """Wait for the refreshes under way."""
        if self._flights:
            await asyncio.wait(self._flights.values())

    async def _fly(self, id: str, rejected: Secret | None) -> Secret:
        """Join the refresh under way, or start one; cancelling a waiter cancels only its wait."""
        flight = self._flights.get(id)
        if flight is None:
            flight = asyncio.create_task(self._refresh(id, rejected))
            self._flights[id] = flight
            flight.add_done_callback(lambda landed: self._land(id, landed))
        return await asyncio.shield(flight)

    def _land(self, id: str, flight: asyncio.Task[Secret]) -> None:
        self._flights.pop(id, None)
        if not flight.cancelled():
            flight.exception()  # seen, though everybody who waited may have been cancelled

    # Under the lock --------------------------------------------------------------------------

    async def _refresh(self, id: str, rejected: Secret | None) -> Secret:
        async with self._vault.lock(f"refresh-{id}"):
            self._held.forget()
            while True:
                record, tokens = self._read(id)
                if self._good(record, tokens, rejected):
                    return tokens.access_token  # another process was faster, or a person signed in
                profile, app = self._means(record, tokens, rejected)
                try:
                    fresh = await self._oauth.refresh(profile, app, tokens)
                except InvalidGrant as dead:
                    self._believe(profile, record, tokens, dead)
                else:
                    if await self._keep(profile, app, record, tokens, fresh):
                        return fresh.access_token

    def _read(self, id: str) -> tuple[Record, TokenSet]:
        record = self._held.record(id)
        if record is None:
            raise ValetError("not_found", what="connection")
        return record, self._held.tokens(record)

    def _good(self, record: Record, tokens: TokenSet, rejected: Secret | None) -> bool:
        if record.meta["status"] != ACTIVE:
            raise NeedsLogin(from_record(record), record.meta["reason"])
        fresh = tokens.expires_at is None or self._clock() < tokens.expires_at - SKEW_SECONDS
        return fresh and (rejected is None or tokens.access_token != rejected)

    def _means(
        self, record: Record, tokens: TokenSet, rejected: Secret | None
    ) -> tuple[Profile, OAuthApp]:
        """Return what a refresh needs, or raise `NeedsLogin`."""
        profile = self._profiles.get(record.meta["provider"])
        if profile is None or not from_record(record).made_under(profile):
            raise self._dead(record, tokens, SETTINGS_CHANGED)
        if profile.keyed:
            raise self._dead(record, tokens, "the API key was refused")
        owner = record.meta["principal"]
        app = self._apps.find(profile.name, tokens.client_id, owner=owner)
        if app is None or (profile.own_account and app.client_id != tokens.client_id):
            raise self._dead(record, tokens, "the OAuth app is no longer on file")
        if tokens.refresh_token is None and not profile.own_account:
            refused = InvalidGrant(profile.title, profile.quirks.dead_grant).reason_words
            raise self._dead(record, tokens, refused if rejected else "the sign-in has run out")
        return profile, app

    def _believe(
        self, profile: Profile, record: Record, tokens: TokenSet, dead: InvalidGrant
    ) -> None:
        """Read again before believing that a grant is dead: a sign-in may have come (L15)."""
        self._held.forget()
        record, now = self._read(record.id)
        before = (tokens.refresh_token, tokens.access_token)
        if (now.refresh_token, now.access_token) == before:
            if profile.own_account:  # its secret is no longer good: it is to be typed again
                self._apps.forget(profile.name, owner=record.meta["principal"])
            raise self._dead(record, now, dead.reason_words)

    async def _keep(
        self, profile: Profile, app: OAuthApp, record: Record, tokens: TokenSet, fresh: TokenSet
    ) -> bool:
        """Make refreshed tokens durable; False when a person's new sign-in came in between.

        What came in between and only touched metadata must not cost the rotated refresh token; and
        if it was the connection's end, the new tokens end too.
        """
        merged = replace(fresh, refresh_token=fresh.refresh_token or tokens.refresh_token)  # L16
        now: Record | None = record
        while now is not None and self._held.tokens(now).refresh_token == tokens.refresh_token:
            try:
                meta = {**now.meta, "scopes": sorted(merged.scopes)}
                stored = self._held.put(now.id, meta, merged, expect=now.revision)
            except Conflict:
                now = self._held.record(record.id)
            else:
                self._note("connection.refreshed", stored)
                return True
        if now is None:
            await self._oauth.revoke(profile, app, merged)
        return False

    def _dead(self, record: Record, tokens: TokenSet, reason: str) -> NeedsLogin:
        """Mark the connection, and return what to raise."""
        meta = {**record.meta, "status": NEEDS_LOGIN, "reason": reason}
        with contextlib.suppress(Conflict):  # whoever wrote in between knows better
            record = self._held.put(record.id, meta, tokens, expect=record.revision)
        connection = structs.replace(from_record(record), status=NEEDS_LOGIN, reason=reason)
        self._note("connection.refused", record, "needs_login")
        return NeedsLogin(connection, reason)
