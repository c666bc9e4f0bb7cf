"""Google (developers.google.com/identity/protocols/oauth2/web-server)."""

from __future__ import annotations

from ...egress.origin import Origin
from ..profile import DeviceFlow, Identity, Profile, Quirks

_API = "https://www.googleapis.com/auth/"

_SCOPE_WORDS = {
    "openid": "Know who you are",
    "email": "See your email address",
    "profile": "See your name and picture",
    _API + "drive": "Read, change and delete all your Drive files",
    _API + "drive.readonly": "Read all your Drive files",
    _API + "drive.file": "Read and change the Drive files that you open with this app",
    _API + "drive.metadata.readonly": "See the names of your Drive files",
    _API + "calendar": "Read, change and share your calendars",
    _API + "calendar.readonly": "Read your calendars",
    _API + "calendar.events": "Read and change events in your calendars",
    _API + "calendar.events.readonly": "Read events in your calendars",
    _API + "gmail.readonly": "Read your email",
    _API + "gmail.send": "Send email in your name",
    _API + "gmail.metadata": "See the headers of your email",
    _API + "spreadsheets": "Read and change your spreadsheets",
    _API + "spreadsheets.readonly": "Read your spreadsheets",
    _API + "documents": "Read and change your documents",
    _API + "documents.readonly": "Read your documents",
    _API + "tasks": "Read and change your tasks",
    _API + "tasks.readonly": "Read your tasks",
    _API + "bigquery": "Read and change your BigQuery data",
    _API + "cloud-platform": "Read and change everything in your Google Cloud projects",
}

# The token response names them in the long form whatever was asked.
_ALIASES = {_API + "userinfo.email": "email", _API + "userinfo.profile": "profile"}

# The methods of the discovery documents accept the wider scope wherever they accept the narrower.
_IMPLIED = {
    _API + "drive": (_API + "drive.readonly", _API + "drive.file"),
    _API + "drive.readonly": (_API + "drive.metadata.readonly",),
    _API + "calendar": (_API + "calendar.readonly", _API + "calendar.events"),
    _API + "calendar.readonly": (_API + "calendar.events.readonly",),
    _API + "calendar.events": (_API + "calendar.events.readonly",),
    _API + "spreadsheets": (_API + "spreadsheets.readonly",),
    _API + "documents": (_API + "documents.readonly",),
    _API + "tasks": (_API + "tasks.readonly",),
}

# What answers with a credential, on the hosts below or on those that a later toolset adds: OAuth's
# own endpoints, keys and tokens of service accounts, HMAC keys of Cloud Storage, API keys.
_DENIED = (
    "* /o/oauth2/**",
    "* /oauth2/v*/token*",
    "* /revoke",
    "POST /**/serviceaccounts/*:*",
    "POST /**/serviceaccounts/*/keys",
    "POST /storage/v*/projects/*/hmackeys",
    "* /**/keys/*/keystring",
    "POST /v*/projects/*/locations/*/keys",
)

GOOGLE = Profile(
    name="google",
    title="Google",
    issuer="https://accounts.google.com",
    authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth",
    token_endpoint="https://oauth2.googleapis.com/token",  # noqa: S106 - a URL
    userinfo_endpoint="https://openidconnect.googleapis.com/v1/userinfo",
    revocation_endpoint="https://oauth2.googleapis.com/revoke",
    origins=(
        Origin.parse("https://www.googleapis.com"),
        Origin.parse("https://openidconnect.googleapis.com"),
        Origin.parse("https://gmail.googleapis.com"),
        Origin.parse("https://sheets.googleapis.com"),
        Origin.parse("https://docs.googleapis.com"),
        Origin.parse("https://tasks.googleapis.com"),
        Origin.parse("https://bigquery.googleapis.com"),
    ),
    denied=_DENIED,
    identity=Identity(id="sub", label=("email", "name", "sub")),
    identity_scopes=("openid", "email"),
    default_scopes=("openid", "email", "profile"),
    scope_words=_SCOPE_WORDS,
    device=DeviceFlow(
        endpoint="https://oauth2.googleapis.com/device/code",
        # "Allowed scopes" of OAuth 2.0 for TV and limited-input device applications; such a client
        # is of another type than those for a browser. The answer keeps the draft's name.
        scopes=frozenset(
            {
                "openid",
                "email",
                "profile",
                _API + "drive.appdata",
                _API + "drive.file",
                _API + "youtube",
                _API + "youtube.readonly",
            }
        ),
        own_app=True,
        uri_member="verification_url",
    ),
    token_auth="client_secret_post",  # noqa: S106 - a method
    # A refresh token comes only with `offline`, and after the first time only with `consent`;
    # `include_granted_scopes` puts earlier grants into the new token (incremental authorization).
    authorize_params={
        "access_type": "offline",
        "prompt": "consent",
        "include_granted_scopes": "true",
    },
    select_account_params={"prompt": "consent select_account"},
    register_url="https://console.cloud.google.com/auth/clients",
    quirks=Quirks(
        scope_aliases=_ALIASES,
        implied_scopes=_IMPLIED,
        dead_grant=(
            "it was revoked, not used for six months, ended by a new password, "
            "or ended after seven days because the app is in testing"
        ),
        # Google Cloud session control, "Reauthentication" (RAPT).
        subtype_words={"invalid_rapt": "your organisation asks you to sign in again"},
    ),
)
