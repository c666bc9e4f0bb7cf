"""The demo provider's issue tracker."""

from __future__ import annotations

from ..egress.origin import Origin
from .model import Operation, Parameter, Toolset

_PROJECT = Parameter(
    "project", "path", {"type": "string", "minLength": 1}, "Key of the project", required=True
)

_OPERATIONS = (
    Operation(
        "get_me", "Get the person who is signed in", "GET", "/api/me", scopes=frozenset({"profile"})
    ),
    Operation(
        "list_projects",
        "List all projects with their number of open issues",
        "GET",
        "/api/projects",
        scopes=frozenset({"issues:read"}),
    ),
    Operation(
        "list_issues",
        "List the issues of a project, newest first",
        "GET",
        "/api/projects/{project}/issues",
        (
            _PROJECT,
            Parameter(
                "state",
                "query",
                {"enum": ["open", "closed", "all"], "default": "open"},
                "Which issues",
            ),
            Parameter(
                "limit",
                "query",
                {"type": "integer", "minimum": 1, "maximum": 100, "default": 30},
                "How many at most",
            ),
        ),
        frozenset({"issues:read"}),
    ),
    Operation(
        "get_issue",
        "Get one issue with its text",
        "GET",
        "/api/projects/{project}/issues/{number}",
        (
            _PROJECT,
            Parameter(
                "number",
                "path",
                {"type": "integer", "minimum": 1},
                "Number of the issue",
                required=True,
            ),
        ),
        frozenset({"issues:read"}),
    ),
    Operation(
        "create_issue",
        "File a new issue in your name",
        "POST",
        "/api/projects/{project}/issues",
        (
            _PROJECT,
            Parameter(
                "title",
                "body",
                {"type": "string", "minLength": 1, "maxLength": 200},
                "Title",
                required=True,
            ),
            Parameter("body", "body", {"type": "string", "maxLength": 10000}, "Text in Markdown"),
            Parameter(
                "labels", "body", {"type": "array", "items": {"type": "string"}}, "Names of labels"
            ),
        ),
        frozenset({"issues:write"}),
    ),
)


def demo(origin: Origin) -> Toolset:
    """Return the toolset of the demo provider that listens at `origin`."""
    return Toolset("demo", "Demo issue tracker", "demo", origin, _OPERATIONS)
