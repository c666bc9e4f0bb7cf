"""Sign-ins whose answer does not come back through the browser: by a code, and as the client.

Neither has a `state`, PKCE or a redirect URI; what is asked for, and of whom, is fixed all the same
before anybody is asked (RFC 8628 §3, RFC 6749 §4.4).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .client import OAuthClient, check_app, scope_text
from .errors import OAuthRefused
from .profile import Profile
from .records import DeviceCode, OAuthApp, TokenSet


@dataclass(frozen=True)
class WithoutBrowser:
    """Talks to the authorization servers as `oauth` does, on the same connections."""

    oauth: OAuthClient
    clock: Callable[[], float] = time.time

    async def ask_code(self, profile: Profile, app: OAuthApp, scopes: Iterable[str]) -> DeviceCode:
        """Return a code for the person to type at the provider (RFC 8628 §3.1).

        Only to be called once they have approved. Raises `OAuthRefused`, `ProviderUnreachable` and
        `AddressRefused`.
        """
        check_app(profile, app)
        asked = profile.to_ask(scopes)
        endpoint = await self.oauth.token_endpoint(profile)
        if not endpoint.endpoints.device:
            raise OAuthRefused(profile.title, "no_device_flow")
        text = scope_text(profile, endpoint.endpoints, asked)
        return await endpoint.ask_code(app, text, profile.normalise(asked), self.clock())

    async def redeem_code(self, profile: Profile, app: OAuthApp, code: DeviceCode) -> TokenSet:
        """Return the tokens, once the person has typed the code; at the server that issued it.

        Raises `rfc8628.NotYet` until then, `CallbackRefused` when they said no, and what
        `OAuthClient.exchange` does.
        """
        check_app(profile, app)
        issued = (code.provider, code.issuer, code.client_id)
        if issued != (profile.name, profile.issuer, app.client_id):
            raise OAuthRefused(profile.title, "other_app")
        endpoint = await self.oauth.token_endpoint(profile)
        if endpoint.endpoints.token != code.token_endpoint:
            raise OAuthRefused(profile.title, "bad_metadata")
        return await endpoint.redeem_code(app, code, self.clock())

    async def own_tokens(self, profile: Profile, app: OAuthApp, scopes: Iterable[str]) -> TokenSet:
        """Return a token for the client itself (RFC 6749 §4.4); raises as `ask_code` does."""
        check_app(profile, app)
        asked = profile.to_ask(scopes)
        endpoint = await self.oauth.token_endpoint(profile)
        text = profile.scope_separator.join(sorted(profile.minimal(asked)))
        normal = profile.normalise(asked)
        return await endpoint.client_credentials(app, text, normal, self.clock())
