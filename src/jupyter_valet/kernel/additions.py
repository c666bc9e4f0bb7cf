"""Adding an API or an MCP server to this notebook: `%valet add` and `valet.add_api`.

The kernel reads the document, with its own network and its own rights; the broker fetches nothing
because a notebook says so.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .._version import __version__
from ..wire.errors import ValetError
from ..wire.toolsets import MAX_DOCUMENT, AddRequest, ServerRequest, ToolsetView
from .catalogue import catalogue
from .plain_text import one_line
from .session import current

Source = str | os.PathLike[str] | Mapping[str, Any]

_SECONDS = 60.0
_SHOWN = 3


class Added:
    """What came of adding an API; shows itself in a sentence or two."""

    def __init__(self, view: ToolsetView) -> None:
        self.view = view

    def __repr__(self) -> str:
        view = self.view
        hosts = ", ".join(host.partition("://")[2] for host in view.hosts[:_SHOWN])
        lines = [
            f"tools.{view.name}: {one_line(view.title, 80)}, at {hosts}. "
            f"Its tools: {view.reads} that read and {view.writes} that write.",
            f"Used with the connections of {view.provider_title} (%connect {view.name}).",
            *(one_line(note, 200) for note in view.notes[:_SHOWN]),
        ]
        if view.skipped:
            first = view.skipped[0]
            lines.append(
                f"{len(view.skipped)} operations are left out, such as {first['operation']}: "
                f"{first['reason']}."
            )
        return "\n".join(lines)

    @property
    def skipped(self) -> list[dict[str, str]]:
        """The operations that are not offered, each with the reason."""
        return self.view.skipped


def add_api(
    source: Source,
    *,
    name: str,
    provider: str = "",
    scheme: str = "",
    overrides: Mapping[str, Any] | None = None,
) -> Added:
    """Make the operations of an API tools of this notebook.

    `source` is the document (OpenAPI, Swagger, Google Discovery), its path, or its URL. `provider`
    names whose connections are used, when the hosts alone do not say it; `scheme` which of the
    document's security schemes. `overrides` are in docs/tools.md. Raises `ValetError`.
    """
    document, url = _read(source)
    asked = AddRequest(name, document, url, provider, scheme, dict(overrides or {}))
    added = Added(current().add_toolset(asked))
    catalogue().refresh(quick=True)
    return added


def add_server(url: str, *, name: str) -> None:
    """Make the tools of an MCP server tools of this notebook. Raises `ValetError`."""
    current().add_server(ServerRequest(name, url))
    catalogue().refresh(quick=True)


def remove(name: str) -> None:
    """Take away an API or a server that this notebook added. Raises `ValetError`."""
    current().remove_toolset(name)
    catalogue().refresh(quick=True)


def provider_of(name: str) -> str:
    """Return whose connections the tools of an added API use; empty for any other name."""
    with suppress(ValetError):
        return next((api.provider for api in current().toolsets() if api.name == name), "")
    return ""


def is_server(url: str) -> bool:
    """Tell whether a URL looks like an MCP server's rather than a document's."""
    return urlsplit(url).path.rstrip("/").endswith(("/mcp", "/sse"))


def _read(source: Source) -> tuple[str, str]:
    """Return the document as text, and where it came from when that is an address."""
    if isinstance(source, Mapping):
        return json.dumps(source), ""
    text = os.fspath(source)
    if text.startswith(("https://", "http://")):
        return _decoded(_fetched(text)), text
    try:
        path = Path(text).expanduser()
        if path.stat().st_size > MAX_DOCUMENT:
            raise _bad("it is larger than 32 MB")
        return _decoded(path.read_bytes()), ""
    except OSError as error:
        raise _bad(f"the file cannot be read ({error.strerror})") from None


def _fetched(url: str) -> bytes:
    agent = {"User-Agent": f"jupyter-valet/{__version__}"}
    request = urllib.request.Request(url, headers=agent)  # noqa: S310 - http or https, as read
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            found: bytes = answer.read(MAX_DOCUMENT + 1)
    except urllib.error.HTTPError as error:
        raise _bad(f"its address answers with status {error.code}") from None
    except (OSError, ValueError):
        raise _bad("its address does not answer") from None
    if len(found) > MAX_DOCUMENT:
        raise _bad("it is larger than 32 MB")
    return found


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _bad("it is not text in UTF-8") from None


def _bad(what: str) -> ValetError:
    return ValetError("bad_document", what=what)
