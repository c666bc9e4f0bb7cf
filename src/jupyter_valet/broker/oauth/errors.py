"""What can go wrong with a provider: fixed slugs and fixed words, never the provider's own text.

::

    ValetError
    ├── OAuthRefused         sign_in_failed: the provider or its answer is not as it must be
    │   ├── CallbackRefused  what came back through the browser
    │   └── InvalidGrant     the code or the refresh token is dead: only a person can help
    └── ProviderUnreachable  no answer, too slow, 5xx, 429: worth another try
"""

from __future__ import annotations

from types import MappingProxyType

from ...wire.errors import ValetError

WORDS = MappingProxyType(
    {
        # The callback (RFC 6749 §4.1.2, RFC 9207).
        "malformed": "the provider's answer was malformed",
        "duplicate_parameter": "the provider's answer named a parameter twice",
        "state_missing": "the provider's answer did not say which sign-in it belongs to",
        "state_mismatch": "the provider's answer belongs to another sign-in",
        "state_expired": "the provider's answer came too late",
        "iss_missing": "the provider's answer did not say who it is from",
        "iss_mismatch": "the answer came from another provider",
        "code_missing": "the provider's answer held no code",
        # Error codes of RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6.
        "access_denied": "access was not allowed",
        "invalid_request": "the provider did not accept the request",
        "invalid_scope": "the provider does not know a scope that was asked for",
        "unauthorized_client": "the OAuth app may not sign people in this way",
        "unsupported_response_type": "the OAuth app may not sign people in this way",
        "unsupported_grant_type": "the OAuth app may not sign people in this way",
        "invalid_client": "the provider does not accept the OAuth app's id and secret",
        "invalid_grant": "the provider no longer accepts the sign-in",
        "redirect_uri_mismatch": "the redirect URI is not registered for the OAuth app",
        "interaction_required": "the provider wants to ask the person",
        "login_required": "the provider wants to ask the person",
        "consent_required": "the provider wants to ask the person",
        # Device authorization (RFC 8628 §3.5); GitHub, "Error codes for the device flow".
        "expired_token": "the code was not typed at the provider in time",
        "device_flow_disabled": "the OAuth app may not sign people in by a code: allow it there",
        "no_device_flow": "the provider gives out no codes to sign in with",
        "bad_code": "the provider's answer held no usable code",
        # Answers of the token, identity and metadata endpoints.
        "refused": "the provider refused",
        "not_json": "the provider's answer was not understood",
        "bad_token": "the provider's answer held no usable token",
        "bad_token_type": "the provider issued a kind of token that is not supported",
        "bad_account": "the provider did not say whose account it is",
        "redirected": "the provider sent the request elsewhere",
        # Metadata (RFC 8414).
        "no_metadata": "the provider publishes no metadata",
        "issuer_mismatch": "the provider's metadata names another issuer",
        "bad_metadata": "the provider's metadata is not valid",
        "no_pkce": "the provider does not announce PKCE with S256",
        "bad_redirect_uri": "this server's address cannot take the provider's answer",
        "other_app": "the OAuth app on file belongs to another provider",
        # Dynamic client registration (RFC 7591 §3.2.2) and protected resources (RFC 9728).
        "registration_refused": "the provider does not register this server as a client by itself",
        "invalid_redirect_uri": "the provider does not accept this server's redirect URI",
        "resource_mismatch": "the server's metadata describes another server",
    }
)

RETRYABLE = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
"""Error codes that say "later" (RFC 6749 §4.1.2.1, RFC 8628 §3.5)."""


class OAuthRefused(ValetError):
    """A sign-in cannot go on. `slug` is a key of `WORDS`; `words` says it to a person."""

    def __init__(self, provider: str, slug: str, words: str = "") -> None:
        self.slug = slug if slug in WORDS else "refused"
        self.words = words or WORDS[self.slug]
        super().__init__("sign_in_failed", provider=provider, what=self.words)


class CallbackRefused(OAuthRefused):
    """What came back through the browser is not the answer to what was asked."""


class InvalidGrant(OAuthRefused):
    """The code or refresh token is no longer good; `reason_words` says why, as far as known."""

    def __init__(self, provider: str, reason: str = "") -> None:
        known = WORDS["invalid_grant"]
        self.reason_words = f"{known}: {reason}" if reason else known
        super().__init__(provider, "invalid_grant", self.reason_words)


class ProviderUnreachable(ValetError):
    """The provider did not answer, answered too slowly or with a failure of its own."""

    def __init__(self, provider: str) -> None:
        super().__init__("provider_unreachable", provider=provider)
