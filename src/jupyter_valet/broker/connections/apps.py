"""OAuth apps: client ids and secrets, each good at the one issuer it was made for.

The person's own come first, then a public one that the profile names, then one that is made for the
occasion: by a document about this server or by registration (CL-05).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace

from ...wire.errors import ValetError
from ..oauth import OAuthApp, OAuthClient, OAuthRefused, Profile, client_document
from ..secret import Secret
from ..vault import Record, Vault

KIND = "oauth_app"
REGISTERED = "oauth_registration"
FOR_CODES = "oauth_device_app"
"""Apps that sign people in by a code alone, of providers where those are of another kind."""
OWN_CLIENT = "oauth_own_client"
"""Clients that are their own accounts: each a credential of one person's, and of no other's."""


class Apps:
    """OAuth apps by provider name, sealed in the vault."""

    def __init__(self, vault: Vault, profiles: Mapping[str, Profile]) -> None:
        self._vault = vault
        self._profiles = profiles
        self._refusing: set[str] = set()

    def registers(self, profile: Profile) -> bool:
        """Tell whether `obtain` is worth trying where nothing is on file."""
        return bool(profile.registers) and profile.issuer not in self._refusing

    def find(
        self, provider: str, client_id: str = "", *, for_codes: bool = False, owner: str = ""
    ) -> OAuthApp | None:
        """Return the client to use at `provider`: the person's own, else the public one.

        `for_codes`: to sign in by a code, which takes a client of another kind at some. `owner`:
        the person who asks, where the client is its own account; nobody gets another's.

        With `client_id` the one that was made under it, where there is one: what was issued to it
        is of no use to another. One that was kept for another issuer, or before the provider's
        settings were changed, is not returned: its secret must not be sent there (CL-08, L10).
        """
        profile = self._profiles.get(provider)
        if profile is None:
            return None
        if profile.own_account:
            record = self._vault.get(OWN_CLIENT, _own_client_id(provider, owner))
            good = record is not None and _made_for(profile, record)
            return replace(_app(profile, record), owner=owner) if record and good else None
        by_code = self._for_codes(profile)
        if profile.device.own_app and for_codes:
            return by_code
        if by_code is not None and by_code.client_id == client_id:
            return by_code
        made = self._made(profile, client_id) if client_id else None
        return made or self._own(profile) or _public(profile)

    async def obtain(
        self, profile: Profile, redirect_uri: str, oauth: OAuthClient
    ) -> OAuthApp | None:
        """Return the client for a sign-in that begins now; make one when there is none.

        None: only the person can name one. Raises as `OAuthClient.register` does.
        """
        app = self.find(profile.name)
        if app is not None or not self.registers(profile):
            return app
        if profile.registers == "document" and await client_document.reachable(redirect_uri):
            app = client_document.app(profile, redirect_uri)
            self._keep(profile, app, redirect_uri, 0.0)
            return app
        return self._registered(profile, redirect_uri) or await self._register(
            profile, redirect_uri, oauth
        )

    async def _register(self, profile: Profile, redirect_uri: str, oauth: OAuthClient) -> OAuthApp:
        try:
            made = await oauth.register(profile, redirect_uri)
        except OAuthRefused:
            self._refusing.add(profile.issuer)  # the page asks the person next time
            raise
        self._keep(profile, made.app, redirect_uri, made.secret_expires_at)
        return made.app

    def save(self, app: OAuthApp) -> None:
        """Keep the person's OAuth app, in place of an earlier one.

        Raises `ValetError("unknown_provider")` when there is no provider of this name and issuer.
        """
        profile = self._profiles.get(app.provider)
        if profile is None or profile.issuer != app.issuer:
            raise ValetError("unknown_provider", provider=app.provider)
        kind, id = FOR_CODES if app.for_codes else KIND, app.provider
        if profile.own_account:
            kind, id = OWN_CLIENT, _own_client_id(app.provider, app.owner)
        self._vault.put(kind, id, _meta(profile, app), app.client_secret or Secret(""))

    def forget(self, provider: str, *, for_codes: bool = False, owner: str = "") -> bool:
        """Drop what is on file, e.g. because the provider does not accept its secret.

        With `owner` that person's client, where it is its own account, and nothing else.
        """
        if owner:
            return self._vault.delete(OWN_CLIENT, _own_client_id(provider, owner))
        if for_codes:
            return self._vault.delete(FOR_CODES, provider)
        for record in self._vault.list(REGISTERED):
            if record.meta["provider"] == provider:
                self._vault.delete(REGISTERED, record.id)
        return self._vault.delete(KIND, provider)

    # Records ---------------------------------------------------------------------------------

    def _own(self, profile: Profile) -> OAuthApp | None:
        record = self._vault.get(KIND, profile.name)
        return _app(profile, record) if record and _made_for(profile, record) else None

    def _for_codes(self, profile: Profile) -> OAuthApp | None:
        record = self._vault.get(FOR_CODES, profile.name) if profile.device.own_app else None
        if record is None or not _made_for(profile, record):
            return None
        return replace(_app(profile, record), for_codes=True)

    def _registered(self, profile: Profile, redirect_uri: str) -> OAuthApp | None:
        """Return the client that was registered for this issuer and redirect URI, while good."""
        record = self._vault.get(REGISTERED, _registration_id(profile, redirect_uri))
        if record is None or not _made_for(profile, record):
            return None
        expires: float = record.meta["secret_expires_at"]
        return None if expires and expires <= time.time() else _app(profile, record)

    def _made(self, profile: Profile, client_id: str) -> OAuthApp | None:
        for record in self._vault.list(REGISTERED):
            if record.meta["client_id"] == client_id and _made_for(profile, record):
                return _app(profile, record)
        return None

    def _keep(
        self, profile: Profile, app: OAuthApp, redirect_uri: str, secret_expires_at: float
    ) -> None:
        meta = _meta(profile, app) | {
            "provider": profile.name,
            "token_auth": app.token_auth,
            "secret_expires_at": secret_expires_at,
        }
        id = _registration_id(profile, redirect_uri)
        self._vault.put(REGISTERED, id, meta, app.client_secret or Secret(""))


def _registration_id(profile: Profile, redirect_uri: str) -> str:
    """Name a registration by whom it is with: the issuer, for this address of ours (CL-08)."""
    key = "\0".join((profile.issuer, redirect_uri))
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _own_client_id(provider: str, owner: str) -> str:
    return hashlib.sha256("\0".join((provider, owner)).encode()).hexdigest()[:32]


def _meta(profile: Profile, app: OAuthApp) -> dict[str, object]:
    return {
        "issuer": app.issuer,
        "fingerprint": profile.fingerprint,
        "client_id": app.client_id,
    }


def _made_for(profile: Profile, record: Record) -> bool:
    made = (record.meta["issuer"], record.meta["fingerprint"])
    return made == (profile.issuer, profile.fingerprint)


def _app(profile: Profile, record: Record) -> OAuthApp:
    return OAuthApp(
        profile.name,
        profile.issuer,
        record.meta["client_id"],
        record.payload or None,
        record.meta.get("token_auth", ""),
    )


def _public(profile: Profile) -> OAuthApp | None:
    if not profile.public_client_id:
        return None
    return OAuthApp(profile.name, profile.issuer, profile.public_client_id)
