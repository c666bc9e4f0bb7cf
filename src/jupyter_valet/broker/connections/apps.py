"""The person's OAuth apps: client ids and secrets, each good at the one issuer it was made for."""

from __future__ import annotations

from collections.abc import Mapping

from ...wire.errors import ValetError
from ..oauth import OAuthApp, Profile
from ..secret import Secret
from ..vault import Vault

KIND = "oauth_app"


class Apps:
    """OAuth apps by provider name, sealed in the vault."""

    def __init__(self, vault: Vault, profiles: Mapping[str, Profile]) -> None:
        self._vault = vault
        self._profiles = profiles

    def find(self, provider: str) -> OAuthApp | None:
        """Return the client to use at `provider`: the person's own, else the public one.

        One that was kept for another issuer, or before the provider's settings were changed, is
        not returned: its secret must not be sent there (CL-08, L10).
        """
        profile = self._profiles.get(provider)
        if profile is None:
            return None
        return self._own(profile) or _public(profile)

    def _own(self, profile: Profile) -> OAuthApp | None:
        record = self._vault.get(KIND, profile.name)
        if record is None:
            return None
        made = (record.meta["issuer"], record.meta["fingerprint"])
        if made != (profile.issuer, profile.fingerprint):
            return None
        return OAuthApp(
            profile.name, profile.issuer, record.meta["client_id"], record.payload or None
        )

    def save(self, app: OAuthApp) -> None:
        """Keep the person's OAuth app, in place of an earlier one.

        Raises `ValetError("unknown_provider")` when there is no provider of this name and issuer.
        """
        profile = self._profiles.get(app.provider)
        if profile is None or profile.issuer != app.issuer:
            raise ValetError("unknown_provider", provider=app.provider)
        meta = {
            "issuer": app.issuer,
            "fingerprint": profile.fingerprint,
            "client_id": app.client_id,
        }
        self._vault.put(KIND, app.provider, meta, app.client_secret or Secret(""))

    def forget(self, provider: str) -> bool:
        """Drop the person's OAuth app, e.g. because the provider does not accept its secret."""
        return self._vault.delete(KIND, provider)


def _public(profile: Profile) -> OAuthApp | None:
    if not profile.public_client_id:
        return None
    return OAuthApp(profile.name, profile.issuer, profile.public_client_id)
