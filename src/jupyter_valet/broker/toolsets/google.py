"""Google: who you are, Drive and Calendar, a handful (developers.google.com)."""

from __future__ import annotations

from ..egress.origin import Origin
from .model import Operation, Parameter, Toolset

_API = "https://www.googleapis.com/auth/"
_TIME = {"type": "string", "format": "date-time"}


def _page_size(wire_name: str, most: int) -> Parameter:
    return Parameter(
        "limit",
        "query",
        {"type": "integer", "minimum": 1, "maximum": most, "default": 25},
        "How many per page",
        wire_name=wire_name,
    )


_PAGE_TOKEN = Parameter(
    "page_token",
    "query",
    {"type": "string"},
    "The nextPageToken of the page before",
    wire_name="pageToken",
)
_CALENDAR = Parameter(
    "calendar",
    "path",
    {"type": "string", "minLength": 1},
    "Id of the calendar; `primary` is the person's own",
    required=True,
)

_OPERATIONS = (
    Operation(
        "userinfo",
        "Get the person who is signed in",
        "GET",
        "/v1/userinfo",
        scopes=frozenset({"openid"}),
        origin=Origin.parse("https://openidconnect.googleapis.com"),
    ),
    Operation(
        "list_files",
        "List or search files in Drive",
        "GET",
        "/drive/v3/files",
        (
            Parameter(
                "query",
                "query",
                {"type": "string"},
                "Drive search terms, for example `name contains 'budget'`",
                wire_name="q",
            ),
            _page_size("pageSize", 100),
            _PAGE_TOKEN,
        ),
        frozenset({_API + "drive.metadata.readonly"}),
        fixed_query=(
            ("fields", "nextPageToken,files(id,name,mimeType,modifiedTime,size,webViewLink)"),
        ),
    ),
    Operation(
        "get_file",
        "Get the name, type and size of a file in Drive",
        "GET",
        "/drive/v3/files/{file}",
        (
            Parameter(
                "file", "path", {"type": "string", "minLength": 1}, "Id of the file", required=True
            ),
        ),
        frozenset({_API + "drive.metadata.readonly"}),
    ),
    Operation(
        "list_events",
        "List events of a calendar",
        "GET",
        "/calendar/v3/calendars/{calendar}/events",
        (
            _CALENDAR,
            Parameter(
                "time_min",
                "query",
                _TIME,
                "Only events that end after this time, RFC 3339",
                wire_name="timeMin",
            ),
            Parameter(
                "time_max",
                "query",
                _TIME,
                "Only events that start before it, RFC 3339",
                wire_name="timeMax",
            ),
            Parameter("query", "query", {"type": "string"}, "Words to search for", wire_name="q"),
            _page_size("maxResults", 250),
            _PAGE_TOKEN,
        ),
        frozenset({_API + "calendar.events.readonly"}),
        fixed_query=(("singleEvents", "true"), ("orderBy", "startTime")),
    ),
    Operation(
        "create_event",
        "Create an event in a calendar",
        "POST",
        "/calendar/v3/calendars/{calendar}/events",
        (
            _CALENDAR,
            Parameter(
                "summary", "body", {"type": "string", "minLength": 1}, "Title", required=True
            ),
            Parameter("description", "body", {"type": "string"}, "Text"),
            Parameter(
                "start",
                "body",
                {
                    "type": "object",
                    "properties": {"dateTime": _TIME, "timeZone": {"type": "string"}},
                    "required": ["dateTime"],
                },
                "When it starts",
                required=True,
            ),
            Parameter(
                "end",
                "body",
                {
                    "type": "object",
                    "properties": {"dateTime": _TIME, "timeZone": {"type": "string"}},
                    "required": ["dateTime"],
                },
                "When it ends",
                required=True,
            ),
        ),
        frozenset({_API + "calendar.events"}),
    ),
)

GOOGLE = Toolset(
    "google", "Google", "google", Origin.parse("https://www.googleapis.com"), _OPERATIONS
)
