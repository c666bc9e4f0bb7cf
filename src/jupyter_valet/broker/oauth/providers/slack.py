"""Slack: the person's own token (docs.slack.dev, "Installing with OAuth"), and one that is pasted.

Slack sends browsers back to https alone, so on a machine without a public address the token of an
app is pasted: `slack_token`.
"""

from __future__ import annotations

from ...egress.origin import Origin
from ..profile import Identity, Profile, Quirks

_SCOPE_WORDS = {
    "channels:read": "See the public channels",
    "channels:history": "Read messages in public channels",
    "channels:write": "Create, rename and archive public channels",
    "groups:read": "See the private channels that you are in",
    "groups:history": "Read messages in private channels that you are in",
    "im:read": "See your direct messages' list",
    "im:history": "Read your direct messages",
    "mpim:read": "See your group messages' list",
    "mpim:history": "Read your group messages",
    "chat:write": "Send messages in your name",
    "files:read": "Read the files that you can see",
    "files:write": "Upload, change and delete files in your name",
    "users:read": "See the people in the workspace",
    "users:read.email": "See people's email addresses",
    "users.profile:read": "See people's profiles",
    "users.profile:write": "Change your profile and status",
    "team:read": "See the workspace's name and domain",
    "emoji:read": "See the workspace's emoji",
    "pins:read": "See what is pinned",
    "pins:write": "Pin and unpin in your name",
    "reactions:read": "See reactions",
    "reactions:write": "Add and remove reactions in your name",
    "bookmarks:read": "See bookmarks",
    "search:read": "Search everything that you can see",
}

# What answers with a token or a configuration of apps.
_DENIED = (
    "* /api/oauth.*",
    "* /api/openid.connect.token",
    "* /api/apps.connections.open",
    "* /api/apps.manifest.*",
    "* /api/tooling.tokens.rotate",
    "* /api/auth.teams.list",
    "* /oauth/**",
)

# docs.slack.dev/reference/methods: each may be posted or got ("Using the Web API"), with its
# arguments in the query, so a GET tells nothing. These only read.
_READS = (
    "POST /api/auth.test",
    "POST /api/bookmarks.list",
    "POST /api/chat.getPermalink",
    "POST /api/conversations.history",
    "POST /api/conversations.info",
    "POST /api/conversations.list",
    "POST /api/conversations.members",
    "POST /api/conversations.replies",
    "POST /api/emoji.list",
    "POST /api/files.info",
    "POST /api/files.list",
    "POST /api/pins.list",
    "POST /api/reactions.get",
    "POST /api/reactions.list",
    "POST /api/search.all",
    "POST /api/search.files",
    "POST /api/search.messages",
    "POST /api/team.info",
    "POST /api/usergroups.list",
    "POST /api/usergroups.users.list",
    "POST /api/users.conversations",
    "POST /api/users.getPresence",
    "POST /api/users.info",
    "POST /api/users.list",
    "POST /api/users.lookupByEmail",
    "POST /api/users.profile.get",
)

_ORIGINS = (Origin.parse("https://slack.com"), Origin.parse("https://files.slack.com"))

SLACK = Profile(
    name="slack",
    title="Slack",
    issuer="https://slack.com",
    authorization_endpoint="https://slack.com/oauth/v2/authorize",
    token_endpoint="https://slack.com/api/oauth.v2.access",  # noqa: S106 - a URL
    userinfo_endpoint="https://slack.com/api/auth.test",
    origins=_ORIGINS,
    identity=Identity(id="user_id", label=("user", "user_id")),
    denied=_DENIED,
    reads=_READS,
    gets_may_write=frozenset(_ORIGINS[:1]),
    default_scopes=("users:read", "channels:read"),
    scope_words=_SCOPE_WORDS,
    scope_separator=",",
    token_auth="client_secret_basic",  # noqa: S106 - a method
    select_account_params={},
    register_url="https://api.slack.com/apps",
    quirks=Quirks(
        granted_scope_separators=",",
        scope_parameter="user_scope",
        token_member="authed_user",  # noqa: S106 - a name
        token_types=("user",),
        error_words={
            "invalid_code": "invalid_grant",
            "code_already_used": "invalid_grant",
            "invalid_refresh_token": "invalid_grant",
            "token_revoked": "invalid_grant",
            "bad_client_secret": "invalid_client",
            "invalid_client_id": "invalid_client",
        },
        dead_grant="it was revoked, or the app was removed from the workspace",
    ),
)

SLACK_TOKEN = Profile(
    name="slack_token",
    title="Slack (token)",
    issuer="https://slack.com",
    kind="api_key",
    origins=_ORIGINS,
    denied=_DENIED,
    reads=_READS,
    gets_may_write=frozenset(_ORIGINS[:1]),
    register_url="https://api.slack.com/apps",
)
