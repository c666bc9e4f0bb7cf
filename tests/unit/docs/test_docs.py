"""What the documents name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
PACKAGE = REPOSITORY / "src" / "jupyter_valet"
PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").glob("*.md"))]

_NAME = re.compile(
    r"`((?:src|tests|broker|server|kernel|wire|demo|sandbox|cli)/(?:[\w./-]*(?:/|\.\w+))?)`"
)
"""A file, or a folder with its slash; `server/discover` is a method of MCP."""
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    """A reader who looks for the code finds it where the page says."""
    named = set(_NAME.findall(page.read_text("utf-8")))
    missing = [n for n in named if not ((PACKAGE / n).exists() or (REPOSITORY / n).exists())]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = set(_LINK.findall(page.read_text("utf-8")))
    assert [link for link in links if not (page.parent / link).exists()] == []
