"""GitHub's REST API, what is used most (docs.github.com/rest, version 2022-11-28)."""

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
_NAMES = {"type": "array", "items": {"type": "string"}}
_TEXT = {"type": "string", "minLength": 1}
_SINCE = Parameter(
    "since",
    "query",
    {"type": "string", "format": "date-time"},
    "Only those updated after this time, in ISO 8601",
)
_REF = Parameter(
    "ref", "query", {"type": "string"}, "Branch, tag or commit; default branch if none"
)


def _asked(what: str, example: str) -> Parameter:
    schema = {"type": "string", "minLength": 1, "maxLength": 256}
    said = f"GitHub search terms for {what}, for example `{example}`"
    return Parameter("query", "query", schema, said, required=True, wire_name="q")


def _title(*, required: bool = True) -> Parameter:
    schema = {"type": "string", "minLength": 1, "maxLength": 256}
    return Parameter("title", "body", schema, "Title", required=required)


# What a model is given of each record; a person's code gets all of it.
_PERSON = (
    "{login: login, name: name, id: id, type: type, company: company, bio: bio, html_url: html_url}"
)
_REPOSITORY = (
    "{full_name: full_name, description: description, private: private, fork: fork, "
    "archived: archived, language: language, stars: stargazers_count, "
    "open_issues: open_issues_count, "
    "default_branch: default_branch, topics: topics, pushed_at: pushed_at, html_url: html_url}"
)
_ISSUE = (
    "{number: number, title: title, state: state, user: user.login, labels: labels[].name, "
    "assignees: assignees[].login, comments: comments, created_at: created_at, "
    "updated_at: updated_at, pull_request: pull_request && `true`, html_url: html_url"
)
_COMMENT = "{id: id, user: user.login, created_at: created_at, body: body, html_url: html_url}"
_PULL = (
    "{number: number, title: title, state: state, draft: draft, user: user.login, "
    "labels: labels[].name, head: head.label, base: base.ref, created_at: created_at, "
    "updated_at: updated_at, merged_at: merged_at, html_url: html_url"
)
_COMMIT = (
    "{sha: sha, message: commit.message, author: author.login || commit.author.name, "
    "date: commit.author.date, html_url: html_url"
)
_RUN = (
    "{id: id, name: name, event: event, status: status, conclusion: conclusion, "
    "branch: head_branch, sha: head_sha, actor: actor.login, created_at: created_at, "
    "html_url: html_url}"
)
_CHANGED = (
    "{filename: filename, status: status, additions: additions, deletions: deletions, patch: patch}"
)
_MADE = "{number: number, title: title, state: state, html_url: html_url}"

# Reading needs no scope for what is public. What is private needs `repo`, which also writes: it is
# asked for when GitHub says so, or with %connect, never in advance.
_WRITES = frozenset({"public_repo"})
_REPOSITORIES = "/repos/{owner}/{repo}"
_OPERATIONS = (
    Operation("get_me", "Get the person who is signed in", "GET", "/user", select=_PERSON),
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
        select=f"[].{_REPOSITORY}",
    ),
    Operation(
        "get_repo", "Get one repository", "GET", _REPOSITORIES, (_OWNER, _REPO), select=_REPOSITORY
    ),
    Operation(
        "search_repos",
        "Search all repositories of GitHub",
        "GET",
        "/search/repositories",
        (_asked("repositories", "topic:jupyter stars:>100"), _PER_PAGE, _PAGE),
        select=f"{{total: total_count, items: items[].{_REPOSITORY}}}",
    ),
    Operation(
        "get_file",
        "Read a file of a repository as text, or list a folder",
        "GET",
        f"{_REPOSITORIES}/contents/{{path}}",
        (
            _OWNER,
            _REPO,
            Parameter(
                "path", "path", {"type": "string"}, "Path in it", required=True, reserved=True
            ),
            _REF,
        ),
        fixed_headers=(("Accept", "application/vnd.github.raw+json"),),
    ),
    Operation(
        "search_code",
        "Search the code of repositories",
        "GET",
        "/search/code",
        (_asked("code", "repo:jupyter/notebook extend_config"), _PER_PAGE, _PAGE),
        select=(
            "{total: total_count, items: items[].{repository: repository.full_name, path: path, "
            "html_url: html_url}}"
        ),
    ),
    Operation(
        "list_branches",
        "List the branches of a repository",
        "GET",
        f"{_REPOSITORIES}/branches",
        (_OWNER, _REPO, _PER_PAGE, _PAGE),
        select="[].{name: name, sha: commit.sha, protected: protected}",
    ),
    Operation(
        "list_commits",
        "List the commits of a branch or of a file, newest first",
        "GET",
        f"{_REPOSITORIES}/commits",
        (
            _OWNER,
            _REPO,
            Parameter("sha", "query", {"type": "string"}, "Branch or commit to start from"),
            Parameter("path", "query", {"type": "string"}, "Only those that change this file"),
            Parameter("author", "query", {"type": "string"}, "Only those of this login"),
            _PER_PAGE,
            _PAGE,
        ),
        select=f"[].{_COMMIT}}}",
    ),
    Operation(
        "get_commit",
        "Get one commit with the files that it changes",
        "GET",
        f"{_REPOSITORIES}/commits/{{ref}}",
        (
            _OWNER,
            _REPO,
            Parameter("ref", "path", _TEXT, "Commit, branch or tag", required=True, reserved=True),
        ),
        select=f"{_COMMIT}, stats: stats, files: files[].{_CHANGED}}}",
    ),
    Operation(
        "list_issues",
        "List the issues (and pull requests) of a repository",
        "GET",
        f"{_REPOSITORIES}/issues",
        (
            _OWNER,
            _REPO,
            _STATE,
            Parameter("labels", "query", _LABELS, "Only with all of these labels"),
            _SINCE,
            _PER_PAGE,
            _PAGE,
        ),
        select=f"[].{_ISSUE}}}",
    ),
    Operation(
        "get_issue",
        "Get one issue with its text",
        "GET",
        f"{_REPOSITORIES}/issues/{{number}}",
        (_OWNER, _REPO, _NUMBER),
        select=f"{_ISSUE}, milestone: milestone.title, body: body}}",
    ),
    Operation(
        "list_comments",
        "List the comments on an issue or pull request",
        "GET",
        f"{_REPOSITORIES}/issues/{{number}}/comments",
        (_OWNER, _REPO, _NUMBER, _SINCE, _PER_PAGE, _PAGE),
        select=f"[].{_COMMENT}",
    ),
    Operation(
        "search_issues",
        "Search issues and pull requests",
        "GET",
        "/search/issues",
        (_asked("issues", "repo:jupyter/notebook is:open bug"), _PER_PAGE, _PAGE),
        select=f"{{total: total_count, items: items[].{_ISSUE}}}}}",
    ),
    Operation(
        "create_issue",
        "File a new issue in your name",
        "POST",
        f"{_REPOSITORIES}/issues",
        (
            _OWNER,
            _REPO,
            _title(),
            Parameter("body", "body", {"type": "string"}, "Text in Markdown"),
            Parameter("labels", "body", _LABELS, "Names of labels"),
            Parameter("assignees", "body", _NAMES, "Logins of people"),
        ),
        _WRITES,
        select=_MADE,
    ),
    Operation(
        "update_issue",
        "Change, close or reopen an issue, label or assign it",
        "PATCH",
        f"{_REPOSITORIES}/issues/{{number}}",
        (
            _OWNER,
            _REPO,
            _NUMBER,
            _title(required=False),
            Parameter("body", "body", {"type": "string"}, "Text in Markdown, in place of what is"),
            Parameter("state", "body", {"enum": ["open", "closed"]}, "Close or reopen"),
            Parameter("labels", "body", _LABELS, "All labels that it has then"),
            Parameter("assignees", "body", _NAMES, "All people that it has then"),
        ),
        _WRITES,
        select=_MADE,
    ),
    Operation(
        "create_comment",
        "Comment on an issue or pull request in your name",
        "POST",
        f"{_REPOSITORIES}/issues/{{number}}/comments",
        (
            _OWNER,
            _REPO,
            _NUMBER,
            Parameter("body", "body", _TEXT, "Text in Markdown", required=True),
        ),
        _WRITES,
        select=_COMMENT,
    ),
    Operation(
        "list_pulls",
        "List the pull requests of a repository",
        "GET",
        f"{_REPOSITORIES}/pulls",
        (_OWNER, _REPO, _STATE, _PER_PAGE, _PAGE),
        select=f"[].{_PULL}}}",
    ),
    Operation(
        "get_pull",
        "Get one pull request with its text",
        "GET",
        f"{_REPOSITORIES}/pulls/{{number}}",
        (_OWNER, _REPO, _NUMBER),
        select=(
            f"{_PULL}, body: body, mergeable: mergeable_state, additions: additions, "
            "deletions: deletions, changed_files: changed_files}"
        ),
    ),
    Operation(
        "list_pull_files",
        "List the files that a pull request changes, with their patches",
        "GET",
        f"{_REPOSITORIES}/pulls/{{number}}/files",
        (_OWNER, _REPO, _NUMBER, _PER_PAGE, _PAGE),
        select=f"[].{_CHANGED}",
    ),
    Operation(
        "create_pull",
        "Open a pull request in your name",
        "POST",
        f"{_REPOSITORIES}/pulls",
        (
            _OWNER,
            _REPO,
            _title(),
            Parameter("head", "body", _TEXT, "Branch with the changes", required=True),
            Parameter("base", "body", _TEXT, "Branch that they go into", required=True),
            Parameter("body", "body", {"type": "string"}, "Text in Markdown"),
            Parameter("draft", "body", {"type": "boolean"}, "Whether it is a draft"),
        ),
        _WRITES,
        select=_MADE,
    ),
    Operation(
        "list_runs",
        "List the workflow runs (CI) of a repository, newest first",
        "GET",
        f"{_REPOSITORIES}/actions/runs",
        (
            _OWNER,
            _REPO,
            Parameter("branch", "query", {"type": "string"}, "Only of this branch"),
            Parameter(
                "status",
                "query",
                {"enum": ["success", "failure", "in_progress", "queued", "cancelled"]},
                "Only these",
            ),
            _PER_PAGE,
            _PAGE,
        ),
        select=f"{{total: total_count, runs: workflow_runs[].{_RUN}}}",
    ),
    Operation(
        "get_latest_release",
        "Get the newest release of a repository with its notes",
        "GET",
        f"{_REPOSITORIES}/releases/latest",
        (_OWNER, _REPO),
        select=(
            "{name: name, tag: tag_name, published_at: published_at, body: body, "
            "assets: assets[].{name: name, size: size, url: browser_download_url}, "
            "html_url: html_url}"
        ),
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
    listing="connected",
)
