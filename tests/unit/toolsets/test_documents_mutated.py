"""Real documents with parts replaced at random: whatever happens, it is an error of ours or a tool.

And whatever a tool is called with, it is a request within the grammar or an error of ours.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import jsonschema_rs
import pytest
from api_documents import compiled, one

from jupyter_valet.broker.egress import build
from jupyter_valet.broker.toolsets import Tool
from jupyter_valet.wire.errors import ValetError

DOCUMENTS = [
    "train-travel-3.1.json",
    "parameters-style-3.1.json",
    "slack-swagger2.json",
    "gmail.v1",
]
ODD: list[Any] = [
    None, True, 0, -1, 1.5, "", "x", "\0", "#/", "$ref", [], {}, [None], [[]], {"$ref": "#/paths"},
    {"$ref": ""}, {"$ref": "#"}, {"$ref": "#/info"}, {"a": 1}, "{", "}", "{a}", "/", 10**30, "é",
    {"": ""}, ["$ref"],
]  # fmt: skip
KEYWORDS = ["$ref", "type", "in", "name", "schema", "nullable", "properties", "allOf", "content"]
TEXTS = ["a", "ü/..", "YQ==", "%2e", "a\r\nb", "x y", "", "../x", "a;b=c", "{x}", "#", "?"]
ROUNDS = 40


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_with_odd_parts_is_compiled_or_refused(name: str) -> None:
    chance = random.Random(f"20261122 {name}")
    whole = _shortened(json.loads(one(name)))
    good = 0
    for _ in range(ROUNDS):
        document = _mutated(whole, chance)
        try:
            made = compiled(document, url="https://x.example/a/b.json")
        except ValetError as refused:
            if refused.code != "bad_document":
                raise
            continue
        for operation in made.toolset.operations:
            tool = Tool(made.toolset, operation)
            assert jsonschema_rs.meta.is_valid(tool.input_schema)
            good += _called(tool, chance)
    assert good > ROUNDS


def _shortened(document: dict[str, Any]) -> dict[str, Any]:
    if "paths" in document:
        document["paths"] = dict(list(document["paths"].items())[:15])
    return document


def _mutated(whole: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    document = copy.deepcopy(whole)
    places: list[tuple[Any, Any]] = []
    _places(document, places)
    for _ in range(chance.randint(1, 12)):
        holder, key = chance.choice(places)
        kind = chance.random()
        if kind < 0.6:
            holder[key] = copy.deepcopy(chance.choice(ODD))
        elif kind < 0.8:
            holder[key] = copy.deepcopy(chance.choice(places)[0])
        elif isinstance(holder, dict):
            holder[chance.choice(KEYWORDS)] = copy.deepcopy(chance.choice(ODD))
    return document


def _places(node: Any, found: list[tuple[Any, Any]]) -> None:
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        found.append((node, key))
        if isinstance(node[key], dict | list):
            _places(node[key], found)


def _called(tool: Tool, chance: random.Random) -> int:
    """Call with what the schema asks for; return 1 when a request was made."""
    defs = tool.input_schema.get("$defs", {})
    arguments = {
        p.name: _sample(p.schema, defs, chance, 0)
        for p in tool.operation.parameters
        if p.required or chance.random() < 0.5
    }
    try:
        tool.check(arguments)
        request = build(tool.source, tool.operation, arguments)
    except ValetError as refused:
        if refused.code not in ("bad_request", "bad_arguments"):
            raise
        return 0
    assert request.origin == tool.source.origin_of(tool.operation)
    return 1


def _sample(schema: Any, defs: Any, chance: random.Random, depth: int) -> Any:
    if not isinstance(schema, dict) or not schema or depth > 5:
        return chance.choice(["x", 1, ["a"], {"k": "v"}, True, None])
    if "$ref" in schema:
        return _sample(defs[schema["$ref"].rpartition("/")[2]], defs, chance, depth + 1)
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kind = schema.get("type", "string")
    match chance.choice(kind) if isinstance(kind, list) else kind:
        case "array":
            return [_sample(schema.get("items"), defs, chance, depth + 1)] * chance.randint(0, 2)
        case "object":
            members = list(schema.get("properties", {}).items())[:4]
            return {name: _sample(member, defs, chance, depth + 1) for name, member in members}
        case "integer" | "number":
            return chance.choice([0, 1, 2**70])
        case "boolean":
            return True
        case _:
            return chance.choice(TEXTS)
