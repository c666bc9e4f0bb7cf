"""Google: who you are, Drive, Sheets, Calendar, Gmail and BigQuery (developers.google.com)."""

from __future__ import annotations

from ..egress.origin import Origin
from .model import Operation, Paging, Parameter, Toolset

_API = "https://www.googleapis.com/auth/"
_TIME = {"type": "string", "format": "date-time"}
_ID = {"type": "string", "minLength": 1}
_SHEETS = Origin.parse("https://sheets.googleapis.com")
_GMAIL = Origin.parse("https://gmail.googleapis.com")
_BIGQUERY = Origin.parse("https://bigquery.googleapis.com")
_PAGES = Paging("token", "page_token", "nextPageToken")


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

_FILE = Parameter("file", "path", _ID, "Id of the file", required=True)
_SPREADSHEET = Parameter(
    "spreadsheet", "path", _ID, "Id of the spreadsheet, as in its address", required=True
)
_RANGE = Parameter(
    "range", "path", _ID, "Cells in A1 notation, for example `Sheet1!A1:D20`", required=True
)
_ROWS = Parameter(
    "values",
    "body",
    {"type": "array", "items": {"type": "array", "items": {}}, "minItems": 1},
    "Rows, each a list of cells",
    required=True,
)
_INPUT = Parameter(
    "value_input",
    "query",
    {"enum": ["USER_ENTERED", "RAW"], "default": "USER_ENTERED"},
    "Whether text is read as if it were typed (formulas, dates), or kept as it is",
    wire_name="valueInputOption",
)
_PROJECT = Parameter("project", "path", _ID, "Id of the Cloud project", required=True)
_DATASET = Parameter("dataset", "path", _ID, "Id of the dataset", required=True)
_READ_SHEETS = frozenset({_API + "spreadsheets.readonly"})
_WRITE_SHEETS = frozenset({_API + "spreadsheets"})
_READ_MAIL = frozenset({_API + "gmail.readonly"})
_USE_BIGQUERY = frozenset({_API + "bigquery"})
_EVENT = (
    "{id: id, summary: summary, start: start.dateTime || start.date, "
    "end: end.dateTime || end.date, location: location, description: description, "
    "status: status, htmlLink: htmlLink, "
    "attendees: attendees[].{email: email, status: responseStatus}}"
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
        paging=_PAGES,
        select="{files: files}",
    ),
    Operation(
        "get_file",
        "Get the name, type and size of a file in Drive",
        "GET",
        "/drive/v3/files/{file}",
        (_FILE,),
        frozenset({_API + "drive.metadata.readonly"}),
        fixed_query=(
            ("fields", "id,name,mimeType,modifiedTime,size,webViewLink,owners(emailAddress)"),
        ),
    ),
    Operation(
        "export_file",
        "Read a Google Doc, Sheet or Slides file in Drive as text",
        "GET",
        "/drive/v3/files/{file}/export",
        (
            _FILE,
            Parameter(
                "format",
                "query",
                {"enum": ["text/plain", "text/markdown", "text/csv"], "default": "text/plain"},
                "As what; a spreadsheet as `text/csv` gives its first sheet",
                required=True,
                wire_name="mimeType",
            ),
        ),
        frozenset({_API + "drive.readonly"}),
        accept="*/*",
        defaults={"format": "text/plain"},
    ),
    Operation(
        "download_file",
        "Read a file in Drive that is not one of Google's own kinds, such as text, CSV or JSON",
        "GET",
        "/drive/v3/files/{file}",
        (_FILE,),
        frozenset({_API + "drive.readonly"}),
        fixed_query=(("alt", "media"),),
        accept="*/*",
    ),
    Operation(
        "get_spreadsheet",
        "Get the sheets of a spreadsheet: their names and sizes",
        "GET",
        "/v4/spreadsheets/{spreadsheet}",
        (_SPREADSHEET,),
        _READ_SHEETS,
        origin=_SHEETS,
        fixed_query=(("fields", "properties(title,timeZone),sheets.properties,spreadsheetUrl"),),
        select=(
            "{title: properties.title, url: spreadsheetUrl, sheets: sheets[].properties."
            "{title: title, id: sheetId, rows: gridProperties.rowCount, "
            "columns: gridProperties.columnCount}}"
        ),
    ),
    Operation(
        "read_cells",
        "Read cells of a spreadsheet",
        "GET",
        "/v4/spreadsheets/{spreadsheet}/values/{range}",
        (_SPREADSHEET, _RANGE),
        _READ_SHEETS,
        origin=_SHEETS,
    ),
    Operation(
        "write_cells",
        "Write cells of a spreadsheet, in place of what they hold",
        "PUT",
        "/v4/spreadsheets/{spreadsheet}/values/{range}",
        (_SPREADSHEET, _RANGE, _ROWS, _INPUT),
        _WRITE_SHEETS,
        origin=_SHEETS,
        defaults={"value_input": "USER_ENTERED"},
    ),
    Operation(
        "append_rows",
        "Append rows to a table in a spreadsheet",
        "POST",
        "/v4/spreadsheets/{spreadsheet}/values/{range}:append",
        (_SPREADSHEET, _RANGE, _ROWS, _INPUT),
        _WRITE_SHEETS,
        origin=_SHEETS,
        fixed_query=(("insertDataOption", "INSERT_ROWS"),),
        defaults={"value_input": "USER_ENTERED"},
    ),
    Operation(
        "list_calendars",
        "List your calendars",
        "GET",
        "/calendar/v3/users/me/calendarList",
        (_page_size("maxResults", 250), _PAGE_TOKEN),
        frozenset({_API + "calendar.readonly"}),
        paging=_PAGES,
        select=(
            "{items: items[].{id: id, summary: summary, primary: primary, timeZone: timeZone, "
            "accessRole: accessRole}}"
        ),
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
        paging=_PAGES,
        select=f"{{items: items[].{_EVENT}}}",
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
        select=_EVENT,
    ),
    Operation(
        "search_mail",
        "Search Gmail; returns the ids of messages",
        "GET",
        "/gmail/v1/users/me/messages",
        (
            Parameter(
                "query",
                "query",
                {"type": "string"},
                "Gmail search terms, for example `from:ada newer_than:7d`",
                wire_name="q",
            ),
            _page_size("maxResults", 500),
            _PAGE_TOKEN,
        ),
        _READ_MAIL,
        origin=_GMAIL,
        paging=_PAGES,
    ),
    Operation(
        "get_mail",
        "Get the headers and the beginning of one Gmail message",
        "GET",
        "/gmail/v1/users/me/messages/{message}",
        (Parameter("message", "path", _ID, "Id of the message", required=True),),
        _READ_MAIL,
        origin=_GMAIL,
        fixed_query=(
            ("format", "metadata"),
            *(("metadataHeaders", name) for name in ("From", "To", "Cc", "Subject", "Date")),
        ),
        select=(
            "{id: id, threadId: threadId, labels: labelIds, snippet: snippet, "
            "headers: payload.headers[].{name: name, value: value}}"
        ),
    ),
    Operation(
        "list_datasets",
        "List the BigQuery datasets of a project",
        "GET",
        "/bigquery/v2/projects/{project}/datasets",
        (_PROJECT, _page_size("maxResults", 1000), _PAGE_TOKEN),
        _USE_BIGQUERY,
        origin=_BIGQUERY,
        paging=_PAGES,
        select="{datasets: datasets[].{id: datasetReference.datasetId, location: location}}",
    ),
    Operation(
        "list_tables",
        "List the tables of a BigQuery dataset",
        "GET",
        "/bigquery/v2/projects/{project}/datasets/{dataset}/tables",
        (_PROJECT, _DATASET, _page_size("maxResults", 1000), _PAGE_TOKEN),
        _USE_BIGQUERY,
        origin=_BIGQUERY,
        paging=_PAGES,
        select="{tables: tables[].{id: tableReference.tableId, type: type}, total: totalItems}",
    ),
    Operation(
        "get_table",
        "Get the columns and the size of a BigQuery table",
        "GET",
        "/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}",
        (_PROJECT, _DATASET, Parameter("table", "path", _ID, "Id of the table", required=True)),
        _USE_BIGQUERY,
        origin=_BIGQUERY,
        select=(
            "{id: id, description: description, rows: numRows, bytes: numBytes, "
            "fields: schema.fields[].{name: name, type: type, mode: mode, "
            "description: description}}"
        ),
    ),
    Operation(
        "query",
        "Run a BigQuery query in Standard SQL, or with `dry_run` say what it would read",
        "POST",
        "/bigquery/v2/projects/{project}/queries",
        (
            _PROJECT,
            Parameter("query", "body", _ID, "The query", required=True),
            Parameter("dry_run", "body", {"type": "boolean"}, "Only estimate", wire_name="dryRun"),
            Parameter(
                "max_results",
                "body",
                {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100},
                "How many rows at most",
                wire_name="maxResults",
            ),
            Parameter(
                "maximum_bytes_billed",
                "body",
                {"type": "string", "pattern": "^[0-9]{1,18}$", "default": "1000000000"},
                "The query fails rather than reading more",
                wire_name="maximumBytesBilled",
            ),
            Parameter(
                "use_legacy_sql",
                "body",
                {"const": False, "default": False},
                "",
                wire_name="useLegacySql",
            ),
        ),
        _USE_BIGQUERY,
        origin=_BIGQUERY,
        defaults={
            "max_results": 100,
            "maximum_bytes_billed": "1000000000",
            "use_legacy_sql": False,
        },
        select=(
            "{complete: jobComplete, bytes: totalBytesProcessed, total: totalRows, "
            "columns: schema.fields[].name, rows: rows[].[f[].v][], job: jobReference.jobId}"
        ),
    ),
)

GOOGLE = Toolset(
    "google",
    "Google",
    "google",
    Origin.parse("https://www.googleapis.com"),
    _OPERATIONS,
    listing="connected",
)
