"""GitHub: OAuth apps and GitHub Apps (docs.github.com, "Authorizing OAuth apps")."""

from __future__ import annotations

from ...egress.origin import Origin
from ..profile import DeviceFlow, Identity, Profile, Quirks, Revocation

_SCOPE_WORDS = {
    "repo": "Read and write your repositories, private ones too",
    "public_repo": "Read and write your public repositories",
    "repo:status": "Read and write commit statuses",
    "repo_deployment": "Read and write deployments",
    "repo:invite": "Accept and decline invitations to repositories",
    "security_events": "Read and write security events",
    "read:user": "Read your profile",
    "user:email": "Read your email addresses",
    "user:follow": "Follow and unfollow people",
    "user": "Read and change your profile",
    "read:org": "Read your organisations and teams",
    "write:org": "Change your membership of organisations",
    "admin:org": "Administer your organisations and teams",
    "gist": "Write your gists",
    "notifications": "Read your notifications",
    "workflow": "Change GitHub Actions workflows",
    "read:project": "Read your projects",
    "project": "Read and write your projects",
    "write:discussion": "Read and write team discussions",
    "read:discussion": "Read team discussions",
    "read:packages": "Download packages",
    "write:packages": "Publish packages",
}

# docs.github.com, "Scopes for OAuth apps": "Normalized scopes" and the indented table.
_IMPLIED = {
    "repo": (
        "public_repo",
        "repo:status",
        "repo_deployment",
        "repo:invite",
        "security_events",
    ),
    "user": ("read:user", "user:email", "user:follow"),
    "admin:org": ("write:org",),
    "write:org": ("read:org",),
    "project": ("read:project",),
    "write:discussion": ("read:discussion",),
    "write:packages": ("read:packages",),
}

# docs.github.com, "Troubleshooting OAuth app access token request errors". They come with 200.
_ERRORS = {
    "bad_verification_code": "invalid_grant",
    "bad_refresh_token": "invalid_grant",
    "incorrect_client_credentials": "invalid_client",
    "unverified_user_email": "access_denied",
}

# docs.github.com/rest: what answers with a credential, or makes a key of the caller's own one.
_DENIED = (
    "* /applications/**",
    "* /authorizations/**",
    "* /app-manifests/**",
    "POST /app/installations/*/access_tokens",
    "POST /installation/token",
    "POST /repos/*/*/actions/runners/*",
    "POST /orgs/*/actions/runners/*",
    "POST /enterprises/*/actions/runners/*",
    "POST /repos/*/*/keys",
    "POST /user/keys",
    "POST /user/gpg_keys",
    "POST /user/ssh_signing_keys",
    "POST /user/codespaces/*/exports",
    "POST /orgs/*/personal-access-token*/**",
)

GITHUB = Profile(
    name="github",
    title="GitHub",
    # Published at https://github.com/.well-known/oauth-authorization-server/login/oauth.
    issuer="https://github.com/login/oauth",
    authorization_endpoint="https://github.com/login/oauth/authorize",
    token_endpoint="https://github.com/login/oauth/access_token",  # noqa: S106 - a URL
    userinfo_endpoint="https://api.github.com/user",
    # Not RFC 7009. `grant` rather than `token`: step-ups leave older tokens behind that nobody
    # knows any more, and only the end of the authorization ends those too.
    revocation=Revocation(
        style="delete_json", url="https://api.github.com/applications/{client_id}/grant"
    ),
    origins=(Origin.parse("https://api.github.com"),),
    identity=Identity(id="id", label=("login", "id")),
    denied=_DENIED,
    # To be allowed in the app's settings; a client secret is not needed for it.
    device=DeviceFlow(endpoint="https://github.com/login/device/code"),
    default_scopes=("read:user",),
    scope_words=_SCOPE_WORDS,
    token_auth="client_secret_post",  # noqa: S106 - a method
    register_url="https://github.com/settings/applications/new",
    quirks=Quirks(
        granted_scope_separators=", ",
        implied_scopes=_IMPLIED,
        error_words=_ERRORS,
        dead_grant="it was revoked, or not used for too long",
        accepts_form_answers=True,
    ),
)
