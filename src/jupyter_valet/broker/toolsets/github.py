"""GitHub's REST API, a handful (docs.github.com/rest, version 2022-11-28)."""

from __future__ import annotations

from ..egress.origin import Origin
from .model import Operation, Parameter, Toolset

_OWNER = Parameter(
    "owner",
    "path",
    {"type": "string", "minLength": 1},
    "Login of the repository's owner",
    required=True,
)
_REPO = Parameter(
    "repo", "path", {"type": "string", "minLength": 1}, "Name of the repository", required=True
)
_NUMBER = Parameter(
    "number", "path", {"type": "integer", "minimum": 1}, "Number of the issue", required=True
)
_PER_PAGE = Parameter(
    "per_page",
    "query",
    {"type": "integer", "minimum": 1, "maximum": 100, "default": 30},
    "How many per page",
)
_PAGE = Parameter("page", "query", {"type": "integer", "minimum": 1, "default": 1}, "Which page")
_STATE = Parameter(
    "state", "query", {"enum": ["open", "closed", "all"], "default": "open"}, "Which ones"
)
_LABELS = {"type": "array", "items": {"type": "string"}}

# Reading needs no scope for what is public. What is private needs `repo`, which also writes: it is
# asked for when GitHub says so, or with %connect, never in advance.
_OPERATIONS = (
    Operation("get_me", "Get the person who is signed in", "GET", "/user"),
    Operation(
        "list_repos",
        "List your repositories, last pushed first",
        "GET",
        "/user/repos",
        (
            Parameter("visibility", "query", {"enum": ["all", "public", "private"]}, "Which ones"),
            _PER_PAGE,
            _PAGE,
        ),
        fixed_query=(("sort", "pushed"),),
    ),
    Operation("get_repo", "Get one repository", "GET", "/repos/{owner}/{repo}", (_OWNER, _REPO)),
    Operation(
        "list_issues",
        "List the issues (and pull requests) of a repository",
        "GET",
        "/repos/{owner}/{repo}/issues",
        (
            _OWNER,
            _REPO,
            _STATE,
            Parameter("labels", "query", _LABELS, "Only with all of these labels"),
            Parameter(
                "since",
                "query",
                {"type": "string", "format": "date-time"},
                "Only those updated after this time, in ISO 8601",
            ),
            _PER_PAGE,
            _PAGE,
        ),
    ),
    Operation(
        "get_issue",
        "Get one issue",
        "GET",
        "/repos/{owner}/{repo}/issues/{number}",
        (_OWNER, _REPO, _NUMBER),
    ),
    Operation(
        "list_pulls",
        "List the pull requests of a repository",
        "GET",
        "/repos/{owner}/{repo}/pulls",
        (_OWNER, _REPO, _STATE, _PER_PAGE, _PAGE),
    ),
    Operation(
        "search_issues",
        "Search issues and pull requests",
        "GET",
        "/search/issues",
        (
            Parameter(
                "query",
                "query",
                {"type": "string", "minLength": 1, "maxLength": 256},
                "GitHub search terms, for example `repo:jupyter/notebook is:open bug`",
                required=True,
                wire_name="q",
            ),
            _PER_PAGE,
            _PAGE,
        ),
    ),
    Operation(
        "create_issue",
        "File a new issue in your name",
        "POST",
        "/repos/{owner}/{repo}/issues",
        (
            _OWNER,
            _REPO,
            Parameter(
                "title",
                "body",
                {"type": "string", "minLength": 1, "maxLength": 256},
                "Title",
                required=True,
            ),
            Parameter("body", "body", {"type": "string"}, "Text in Markdown"),
            Parameter("labels", "body", _LABELS, "Names of labels"),
        ),
        frozenset({"public_repo"}),
    ),
    Operation(
        "create_comment",
        "Comment on an issue or pull request in your name",
        "POST",
        "/repos/{owner}/{repo}/issues/{number}/comments",
        (
            _OWNER,
            _REPO,
            _NUMBER,
            Parameter(
                "body",
                "body",
                {"type": "string", "minLength": 1},
                "Text in Markdown",
                required=True,
            ),
        ),
        frozenset({"public_repo"}),
    ),
)

GITHUB = Toolset(
    "github",
    "GitHub",
    "github",
    Origin.parse("https://api.github.com"),
    _OPERATIONS,
    headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    granted_header="x-oauth-scopes",
    accepted_header="x-accepted-oauth-scopes",
)
