"""Documents of real APIs, from where they are published; nothing of them is in this repository."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from oauth_harness import REPOSITORY, npm_folder

from jupyter_valet.broker.egress import Request, build
from jupyter_valet.broker.toolsets import Tool
from jupyter_valet.broker.toolsets.documents import Compiled, compile_document

GOOGLE = ("gmail.v1", "drive.v3", "sheets.v4", "compute.v1", "calendar.v3")
PUBLIC = (
    "slack-swagger2.json",
    "box-openapi3.json",
    "figma-openapi.yaml",
    "train-travel-3.1.json",
    "parameters-style-3.1.json",
    "star-trek-3.0.json",
)


def github() -> bytes:
    """Return GitHub's whole API (npm `@octokit/openapi`)."""
    folder = npm_folder() / "node_modules/@octokit/openapi/generated"
    return (folder / "api.github.com.json").read_bytes()


def google(name: str) -> bytes:
    """Return a Discovery document (PyPI `google-api-python-client`), for example `gmail.v1`."""
    spec = importlib.util.find_spec("googleapiclient")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "discovery_cache/documents"
    return (folder / f"{name}.json").read_bytes()


def public(name: str) -> bytes:
    """Return a document of the folder that lies beside a checkout; skip when there is none."""
    path = REPOSITORY.parent / "shared/data/openapi" / name
    if not path.exists():
        pytest.skip(f"the API documents beside the checkout are missing: {path.parent}")
    return path.read_bytes()


def every() -> list[str]:
    """Return the names of all that `one` knows."""
    return ["github", *GOOGLE, *PUBLIC]


def one(name: str) -> bytes:
    """Return a document by its name."""
    if name == "github":
        return github()
    return google(name) if name in GOOGLE else public(name)


# Small ones, for one thing each ----------------------------------------------------------------


def small(
    path: str = "/things", method: str = "get", *, version: str = "3.1.1", **described: Any
) -> dict[str, Any]:
    """Return a document with one operation."""
    about = described.pop("document", {})
    return {
        "openapi": version,
        "info": {"title": "Things", "version": "1"},
        "servers": [{"url": "https://api.example/v1"}],
        "paths": {path: {method: {"operationId": "op", **described}}},
        **about,
    }


def compiled(document: Mapping[str, Any] | bytes, **how: Any) -> Compiled:
    """Compile as the toolset `t`."""
    return compile_document(document, name="t", **how)


@lru_cache
def known(name: str) -> Compiled:
    """Return a real document, compiled once for all tests of a file; look at it, change nothing."""
    return compiled(one(name), url="https://docs.example/openapi.json")


def only(document: Mapping[str, Any], **how: Any) -> Tool:
    """Return the one tool of a small document, and fail with the reason when there is none."""
    made = compiled(document, **how)
    assert not made.skipped, made.skipped
    (operation,) = made.toolset.operations
    return Tool(made.toolset, operation)


def sent(document: Mapping[str, Any], **arguments: Any) -> Request:
    """Return what the one tool sends, its arguments checked as for a call."""
    tool = only(document)
    tool.check(arguments)
    return build(tool.source, tool.operation, arguments)


def reason(document: Mapping[str, Any]) -> str:
    """Return why the operation `op` was skipped; another, good one keeps the document alive."""
    good = {"/good": {"get": {"operationId": "good"}}}
    made = compiled({**document, "paths": {**document["paths"], **good}})
    assert [operation.name for operation in made.toolset.operations] == ["good"]
    (skipped,) = made.skipped
    return skipped.reason
