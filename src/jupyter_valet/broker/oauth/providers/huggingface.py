"""Hugging Face: OpenID Connect (huggingface.co/docs/hub/oauth), and an access token as a key."""

from __future__ import annotations

from ...egress.origin import Origin
from ..profile import DeviceFlow, Identity, Profile, Quirks

_SCOPE_WORDS = {
    "openid": "Know who you are",
    "profile": "See your name and picture",
    "email": "See your email address",
    "read-billing": "See whether you have a way to pay",
    "read-repos": "Read your repositories, private ones too",
    "contribute-repos": "Create repositories, and write those that were made with this app",
    "write-repos": "Read and write your repositories",
    "manage-repos": "Create, change and delete your repositories",
    "inference-api": "Run models in your name, at your cost",
    "jobs": "Run jobs in your name, at your cost",
    "webhooks": "Change your webhooks",
    "write-discussions": "Write in discussions and pull requests in your name",
}

_IMPLIED = {
    "manage-repos": ("write-repos", "contribute-repos"),
    "write-repos": ("read-repos",),
}

# Tokens for the storage behind the Hub, for Spaces, and OAuth's own (R112).
_DENIED = (
    "* /oauth/**",
    "* /api/**/xet-read-token/**",
    "* /api/**/xet-write-token/**",
    "* /api/spaces/*/*/jwt",
    "* /api/settings/tokens/**",
    "* /settings/tokens/**",
    "* /api/**/resource-groups/*/tokens/**",
)

_ORIGINS = (
    Origin.parse("https://huggingface.co"),
    Origin.parse("https://router.huggingface.co"),
    Origin.parse("https://datasets-server.huggingface.co"),
)

HUGGINGFACE = Profile(
    name="huggingface",
    title="Hugging Face",
    issuer="https://huggingface.co",
    authorization_endpoint="https://huggingface.co/oauth/authorize",
    token_endpoint="https://huggingface.co/oauth/token",  # noqa: S106 - a URL
    userinfo_endpoint="https://huggingface.co/oauth/userinfo",
    origins=_ORIGINS,
    identity=Identity(id="sub", label=("preferred_username", "name", "sub")),
    identity_scopes=("openid", "profile"),
    denied=_DENIED,
    device=DeviceFlow(endpoint="https://huggingface.co/oauth/device"),
    default_scopes=("openid", "profile", "read-repos"),
    scope_words=_SCOPE_WORDS,
    register_url="https://huggingface.co/settings/applications/new",
    quirks=Quirks(implied_scopes=_IMPLIED, dead_grant="it was revoked, or has run out"),
)

HUGGINGFACE_TOKEN = Profile(
    name="huggingface_token",
    title="Hugging Face (token)",
    issuer="https://huggingface.co",
    kind="api_key",
    origins=_ORIGINS,
    denied=_DENIED,
    register_url="https://huggingface.co/settings/tokens",
)
