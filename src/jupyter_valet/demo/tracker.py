"""The issue tracker behind the demo API: projects, issues and people out of `tracker.json`."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

Issue = dict[str, Any]

MAX_LIMIT = 100
_FIELDS = ("title", "body", "labels", "assignee")
"""What a person writes of an issue."""


class NotFound(Exception):
    """There is no such project or issue."""


class Invalid(Exception):
    """The caller's values are not usable; the text says which and why."""


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in."""

    login: str
    name: str
    email: str
    role: str

    @property
    def initials(self) -> str:
        """The first letters of the person's names."""
        return "".join(word[0] for word in self.name.split())


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Tracker:
    """Projects and issues in memory; what is created is gone when the process ends."""

    def __init__(self, data: dict[str, Any], clock: Callable[[], str] = _now) -> None:
        data = copy.deepcopy(data)
        self.people = {p["login"]: Person(**p) for p in data["people"]}
        self._projects: dict[str, dict[str, Any]] = {p["key"]: p for p in data["projects"]}
        self._issues: dict[str, dict[int, Issue]] = {
            key: {issue["number"]: issue for issue in project.pop("issues")}
            for key, project in self._projects.items()
        }
        self._clock = clock

    @classmethod
    def shipped(cls) -> Tracker:
        """Return a tracker with the data that comes with the package."""
        text = resources.files(__package__).joinpath("tracker.json").read_text("utf-8")
        return cls(json.loads(text))

    def projects(self) -> list[dict[str, Any]]:
        """Return every project with the number of its open issues."""
        return [
            {**project, "open_issues": len(self.issues(key, "open", MAX_LIMIT))}
            for key, project in self._projects.items()
        ]

    def issues(self, project: str, state: str = "open", limit: int = 30) -> list[Issue]:
        """Return a project's issues without their bodies, newest first.

        Raises `NotFound` and `Invalid`.
        """
        if state not in ("open", "closed", "all"):
            raise Invalid("state must be open, closed or all")
        if not 1 <= limit <= MAX_LIMIT:
            raise Invalid(f"limit must be 1 to {MAX_LIMIT}")
        chosen = [i for i in self._of(project).values() if state in ("all", i["state"])]
        chosen.sort(key=lambda issue: (issue["created_at"], issue["number"]), reverse=True)
        return [{k: v for k, v in issue.items() if k != "body"} for issue in chosen[:limit]]

    def issue(self, project: str, number: int) -> Issue:
        """Return one issue with its body. Raises `NotFound`."""
        try:
            return dict(self._of(project)[number])
        except KeyError:
            raise NotFound(f"issue {number}") from None

    def create(self, project: str, author: str, values: object) -> Issue:
        """File an issue in `author`'s name and return it. Raises `NotFound` and `Invalid`."""
        issues = self._of(project)
        given = _checked(values, self.people)
        now = self._clock()
        issue: Issue = {
            "number": max(issues, default=0) + 1,
            "title": given["title"],
            "state": "open",
            "labels": given["labels"],
            "author": author,
            "assignee": given["assignee"],
            "comments": 0,
            "created_at": now,
            "updated_at": now,
            "closed_at": None,
            "body": given["body"],
        }
        issues[issue["number"]] = issue
        return dict(issue)

    def update(self, project: str, number: int, values: object) -> Issue:
        """Change what `values` name of an issue and return it. Raises `NotFound` and `Invalid`."""
        kept = self.issue(project, number)
        if not isinstance(values, dict):
            raise Invalid("the body must be a JSON object")
        written = {**{name: kept[name] for name in (*_FIELDS, "state")}, **values}
        state = written.pop("state")
        changed = _checked(written, self.people)
        if state not in ("open", "closed"):
            raise Invalid("state must be open or closed")
        now = self._clock()
        closed = (kept["closed_at"] or now) if state == "closed" else None
        issue = {**kept, **changed, "state": state, "updated_at": now, "closed_at": closed}
        self._of(project)[number] = issue
        return dict(issue)

    def _of(self, project: str) -> dict[int, Issue]:
        try:
            return self._issues[project]
        except KeyError:
            raise NotFound(f"project {project}") from None


def _checked(values: object, people: dict[str, Person]) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise Invalid("the body must be a JSON object")
    if unknown := sorted(values.keys() - set(_FIELDS)):
        raise Invalid(f"unknown member {unknown[0]!r}")
    title, body = values.get("title"), values.get("body", "")
    labels, assignee = values.get("labels", []), values.get("assignee")
    if not isinstance(title, str) or not 0 < len(title.strip()) <= 200:
        raise Invalid("title must be text of 1 to 200 characters")
    if not isinstance(body, str) or len(body) > 10_000:
        raise Invalid("body must be text of at most 10000 characters")
    if not isinstance(labels, list) or not all(isinstance(x, str) and x for x in labels):
        raise Invalid("labels must be a list of names")
    if assignee is not None and assignee not in people:
        raise Invalid("assignee must be the login of a person here")
    return {"title": title.strip(), "body": body, "labels": labels, "assignee": assignee}
