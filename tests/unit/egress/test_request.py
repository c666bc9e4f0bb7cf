"""From arguments to a request: data stays data."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import unquote

import pytest

from jupyter_valet.broker.egress import build
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.toolsets import Operation, Parameter, Toolset
from jupyter_valet.wire.errors import ValetError

STRING = {"type": "string"}
OPERATION = Operation(
    "get",
    "",
    "GET",
    "/v1/{name}/items",
    (
        Parameter("name", "path", STRING, "", required=True),
        Parameter("query", "query", STRING, "", wire_name="q"),
        Parameter("flag", "query", {"type": "boolean"}, ""),
        Parameter("labels", "query", {"type": "array"}, ""),
    ),
    fixed_query=(("sort", "new"),),
)
WRITE = Operation(
    "make", "", "POST", "/v1/items", (Parameter("title", "body", STRING, "", wire_name="t"),)
)
TOOLSET = Toolset(
    "x",
    "X",
    "x",
    Origin.parse("https://api.example"),
    (OPERATION, WRITE),
    headers={"X-Version": "1"},
)


def target(**arguments: Any) -> str:
    return build(TOOLSET, OPERATION, arguments).target


def test_arguments_go_where_they_belong() -> None:
    """Path, query, fixed query, our names for theirs."""
    made = target(name="a b", query="x&y=z#?", flag=True, labels=["p", "q,r"])
    assert made == "/v1/a%20b/items?sort=new&q=x%26y%3Dz%23%3F&flag=true&labels=p,q%2Cr"


def test_a_write_has_a_json_body() -> None:
    """And the toolset's headers; no header comes from an argument."""
    request = build(TOOLSET, WRITE, {"title": "x\r\ny"})
    assert request.body == b'{"t":"x\\r\\ny"}'
    assert request.headers == {
        "Accept": "application/json",
        "X-Version": "1",
        "Content-Type": "application/json",
    }


def test_the_origin_is_the_toolsets() -> None:
    """L8: no argument chooses the host."""
    request = build(TOOLSET, OPERATION, {"name": "//evil.example"})
    assert request.url == "https://api.example/v1/%2F%2Fevil.example/items?sort=new"


@pytest.mark.parametrize(
    "text", ["", "..", ".", "%2e%2e", "%252E%252E", "%25252e.", "a/..", "\\.."]
)
def test_a_dot_segment_is_refused_however_often_it_is_encoded(text: str) -> None:
    """R127, L3."""
    with pytest.raises(ValetError, match="name is not a plain name"):
        target(name=text)


@pytest.mark.redteam
def test_no_string_leaves_its_segment() -> None:
    """R127, R128: whatever it is made of, and however often a server decodes it."""
    pieces = [".", "..", "/", "\\", "%2e", "%2E", "%2f", "%5c", "%25", "2e", "a", "\r\n", "\0", ";",
              "?", "#", "@", ":", "%00", "%0a", "..;", "%u002e", "\u2024", "／"]  # fmt: skip
    chance = random.Random(20261121)
    escapes = 0
    for _ in range(20_000):
        text = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 6)))
        try:
            made = target(name=text).partition("?")[0]
        except ValetError:
            continue
        assert made.count("/") == 3
        for _ in range(3):
            made = unquote(made)
            segments = made.replace("\\", "/").split("/")
            escapes += any(part in (".", "..") for part in segments)
            escapes += any(ord(c) < 32 for c in made)
    assert escapes == 0
