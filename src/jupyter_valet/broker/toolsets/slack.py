"""Slack's Web API, what is used most (docs.slack.dev/reference/methods).

Slack answers 200 also when it refuses; `ok` says which it was.
"""

from __future__ import annotations

from ..egress.origin import Origin
from .model import Operation, Paging, Parameter, Toolset

_TEXT = {"type": "string", "minLength": 1}
_CHANNEL = Parameter(
    "channel", "query", _TEXT, "Id of the channel, such as C012AB3CD", required=True
)
_LIMIT = Parameter(
    "limit",
    "query",
    {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    "How many per page",
)
_CURSOR = Parameter("cursor", "query", {"type": "string"}, "The next_cursor of the page before")
_OLDEST = Parameter("oldest", "query", {"type": "string"}, "Only after this time, in Unix seconds")
_LATEST = Parameter("latest", "query", {"type": "string"}, "Only before this time, in Unix seconds")
_PAGES = Paging("token", "cursor", "response_metadata.next_cursor")
_MESSAGE = (
    "{ts: ts, user: user || bot_id, text: text, thread_ts: thread_ts, replies: reply_count, "
    "reactions: reactions[].{name: name, count: count}, files: files[].{id: id, name: name}}"
)
_PERSON = (
    "{id: id, name: name, real_name: real_name, title: profile.title, email: profile.email, "
    "tz: tz, bot: is_bot, deleted: deleted}"
)

_OPERATIONS = (
    Operation(
        "whoami",
        "Get the person who is signed in and the workspace",
        "GET",
        "/api/auth.test",
        select="{url: url, team: team, user: user, user_id: user_id, team_id: team_id}",
    ),
    Operation(
        "list_channels",
        "List the channels of the workspace",
        "GET",
        "/api/conversations.list",
        (
            Parameter(
                "types",
                "query",
                {"type": "string", "default": "public_channel"},
                "public_channel, private_channel, mpim, im; several with commas",
            ),
            _LIMIT,
            _CURSOR,
        ),
        frozenset({"channels:read"}),
        fixed_query=(("exclude_archived", "true"),),
        paging=_PAGES,
        select=(
            "{channels: channels[].{id: id, name: name, private: is_private, topic: topic.value, "
            "purpose: purpose.value, members: num_members}}"
        ),
    ),
    Operation(
        "read_channel",
        "Read the messages of a channel, newest first",
        "GET",
        "/api/conversations.history",
        (_CHANNEL, _OLDEST, _LATEST, _LIMIT, _CURSOR),
        frozenset({"channels:history"}),
        paging=_PAGES,
        select=f"{{messages: messages[].{_MESSAGE}}}",
    ),
    Operation(
        "read_thread",
        "Read the replies to a message",
        "GET",
        "/api/conversations.replies",
        (
            _CHANNEL,
            Parameter("ts", "query", _TEXT, "The ts of the first message", required=True),
            _LIMIT,
            _CURSOR,
        ),
        frozenset({"channels:history"}),
        paging=_PAGES,
        select=f"{{messages: messages[].{_MESSAGE}}}",
    ),
    Operation(
        "search_messages",
        "Search messages in all channels that you can see",
        "GET",
        "/api/search.messages",
        (
            Parameter(
                "query",
                "query",
                _TEXT,
                "Slack search terms, for example `in:#general from:@ada tides`",
                required=True,
            ),
            Parameter(
                "count",
                "query",
                {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                "How many per page",
            ),
            Parameter("page", "query", {"type": "integer", "minimum": 1}, "Which page"),
        ),
        frozenset({"search:read"}),
        select=(
            "{total: messages.total, matches: messages.matches[].{channel: channel.name, "
            "channel_id: channel.id, user: username, ts: ts, text: text, permalink: permalink}}"
        ),
    ),
    Operation(
        "list_people",
        "List the people in the workspace",
        "GET",
        "/api/users.list",
        (_LIMIT, _CURSOR),
        frozenset({"users:read"}),
        paging=_PAGES,
        select=f"{{members: members[].{_PERSON}}}",
    ),
    Operation(
        "get_person",
        "Get one person in the workspace",
        "GET",
        "/api/users.info",
        (Parameter("user", "query", _TEXT, "Id of the person, such as U012AB3CD", required=True),),
        frozenset({"users:read"}),
        select=f"user.{_PERSON}",
    ),
    Operation(
        "post_message",
        "Send a message to a channel, or a reply in a thread, in your name",
        "POST",
        "/api/chat.postMessage",
        (
            Parameter("channel", "body", _TEXT, "Id of the channel", required=True),
            Parameter(
                "text",
                "body",
                {"type": "string", "minLength": 1, "maxLength": 40_000},
                "Text in Slack's mrkdwn",
                required=True,
            ),
            Parameter("thread_ts", "body", {"type": "string"}, "The ts of the message to reply to"),
        ),
        frozenset({"chat:write"}),
        select="{channel: channel, ts: ts}",
    ),
)

SLACK = Toolset(
    "slack",
    "Slack",
    "slack",
    Origin.parse("https://slack.com"),
    tuple(_OPERATIONS),
    listing="connected",
    verdict="ok",
)
