"""Documents that are broken, huge, or made to harm: one operation is lost, or the document is."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from api_documents import compiled, only, reason, sent, small

from jupyter_valet.broker.toolsets.documents import reading
from jupyter_valet.wire.errors import ValetError

TEXT = {"type": "string"}
LOL = "\n".join(
    ["a: &a [lol,lol,lol,lol,lol,lol,lol,lol,lol]"]
    + [
        f"{b}: &{b} [{','.join('*' + a for _ in range(9))}]"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
)


def refused(document: Any, **how: Any) -> str:
    with pytest.raises(ValetError) as caught:
        compiled(document, **how)
    assert caught.value.code == "bad_document"
    return caught.value.message


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "neither a JSON nor a YAML object"),
        (b"hello", "neither a JSON nor a YAML object"),
        (b"[1, 2]", "neither a JSON nor a YAML object"),
        (b"\x89PNG\r\n\x1a\n\x00", "neither JSON nor YAML"),
        (b'{"openapi": "3.1.0", ', "neither JSON nor YAML"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"{}", "it is not OpenAPI"),
        (b'{"openapi": "4.0.0", "paths": {}}', "it is not OpenAPI"),
        (b'{"swagger": "1.2", "apis": []}', "it is not OpenAPI"),
        (b'{"openapi": "3.1.0"}', "no operation"),
        (b'{"openapi": "3.1.0", "paths": []}', "no operation"),
        (b'{"openapi": "3.1.0", "paths": {"/a": {"get": {}}}}', "no server is named"),
        (b"openapi: 3.1.0\npaths: &p {/a: *p}", "stands for nothing, or for itself"),
        (b"a: [" * 1000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"? [a, b]\n: c", "a key in it is not text"),
        (LOL.encode(), "its aliases stand for too much"),
        ({"openapi": "3.1.0", "paths": {"/a": object()}}, "what JSON cannot"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_what_is_no_document_is_refused_with_the_reason(document: Any, why: str) -> None:
    assert why in refused(document)


def test_a_mapping_that_holds_itself_is_refused() -> None:
    document: dict[str, Any] = {"openapi": "3.1.0"}
    document["paths"] = document
    assert "what JSON cannot" in refused(document)


def test_a_hundred_megabytes_are_refused_unread() -> None:
    began = time.process_time()
    assert "larger than 64 MB" in refused(b'{"a": "' + b"x" * 100_000_000)
    assert "larger than 16 MB" in refused(b"a: " + b"x" * 20_000_000)
    assert time.process_time() - began < 3
    assert reading.LIMIT < 100_000_000


def test_ten_thousand_operations_are_fine() -> None:
    paths = {f"/a/{n}/{{id}}": {"get": {"operationId": f"get_{n}"}} for n in range(10_000)}
    made = compiled(small(document={"paths": paths}))
    assert len(made.toolset.operations) == 10_000
    assert made.toolset.operations[0].input_schema["required"] == ["id"]


def test_more_than_there_ever_are_is_refused() -> None:
    paths = {f"/a/{n}": {"get": {}} for n in range(20_002)}
    assert "20,000 operations" in refused(small(document={"paths": paths}))


@pytest.mark.parametrize(
    ("schemas", "why"),
    [
        ({"A": {"$ref": "#/components/schemas/A"}}, "made of itself"),
        (
            {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}},
            "made of itself",
        ),
        ({"A": {"oneOf": [{"$ref": "#/components/schemas/A"}, TEXT]}}, "made of itself"),
        ({"A": {"anyOf": [{"not": {"$ref": "#/components/schemas/A"}}]}}, "made of itself"),
        ({"A": {"$ref": "https://evil.example/a.json#/A"}}, "another document"),
        ({"A": {"$ref": "file:///etc/passwd"}}, "another document"),
        ({"A": {"$ref": "other.yaml#/A"}}, "another document"),
        ({"A": {"$ref": "#/components/schemas/None"}}, "points nowhere"),
        ({"A": {"$ref": "#anchor"}}, "an anchor"),
        ({"A": {"$ref": 7}}, "not text"),
    ],
)
def test_references_that_lead_nowhere_cost_one_operation(schemas: Any, why: str) -> None:
    """Nothing is fetched that a document names."""
    schema = {"type": "array", "items": {"$ref": "#/components/schemas/A"}}
    asked = [{"name": "q", "in": "query", "schema": schema}]
    assert why in reason(small(parameters=asked, document={"components": {"schemas": schemas}}))


def test_a_chain_of_references_is_followed_to_its_end() -> None:
    chain: dict[str, Any] = {
        f"A{n}": {"$ref": f"#/components/schemas/A{n + 1}"} for n in range(500)
    }
    chain["A500"] = TEXT
    asked = [{"name": "q", "in": "query", "schema": {"$ref": "#/components/schemas/A0"}}]
    tool = only(small(parameters=asked, document={"components": {"schemas": chain}}))
    tool.check({"q": "x"})
    with pytest.raises(ValetError, match="q must be of type string"):
        tool.check({"q": 1})
    looped = {"parameters": {"P": {"$ref": "#/components/parameters/P"}}}
    document = small(
        parameters=[{"$ref": "#/components/parameters/P"}], document={"components": looped}
    )
    assert "leads nowhere" in reason(document)


def test_a_billion_laughs_of_references_stay_names() -> None:
    """Each schema holds the next ten times; unrolled it would be 10^20 strings."""
    schemas: dict[str, Any] = {
        f"A{n}": {
            "type": "object",
            "properties": {f"m{k}": {"$ref": f"#/components/schemas/A{n + 1}"} for k in range(10)},
        }
        for n in range(20)
    }
    schemas["A20"] = TEXT
    asked = [{"name": "q", "in": "query", "schema": {"$ref": "#/components/schemas/A0"}}]
    tool = only(small(parameters=asked, document={"components": {"schemas": schemas}}))
    assert len(json.dumps(tool.input_schema)) < 20_000
    tool.check({"q": {"m0": {"m1": {}}}})


def test_deep_schemas_are_cut_and_not_a_recursion_error() -> None:
    schema: Any = TEXT
    for _ in range(400):
        schema = {"type": "array", "items": schema}
    tool = only(small(parameters=[{"name": "q", "in": "query", "schema": schema}]))
    tool.check({"q": []})


@pytest.mark.parametrize(
    ("described", "why"),
    [
        ({"parameters": [7]}, "no object"),
        ({"parameters": [{"in": "query"}]}, "no name"),
        ({"parameters": [{"name": "a", "in": "body"}]}, "place that is not known"),
        ({"security": {"a": []}}, "not well-formed"),
        ({"security": [{"a": ["two words"]}]}, "no proper name"),
        ({"requestBody": {"$ref": "#/nope"}}, "points nowhere"),
    ],
)
def test_one_bad_operation_costs_only_itself(described: Any, why: str) -> None:
    assert why in reason(small(**described))


def test_an_operation_that_is_no_object_costs_only_itself() -> None:
    document = small()
    document["paths"]["/things"]["post"] = ["no"]
    made = compiled(document)
    assert [s.operation for s in made.skipped] == ["POST /things"]
    assert len(made.toolset.operations) == 1


@pytest.mark.parametrize("method", ["trace", "options"])
def test_methods_that_are_never_called_are_left_out(method: str) -> None:
    """R110."""
    assert "method" in reason(small(method=method))


@pytest.mark.parametrize("path", ["/oauth/token", "/v1/user/api-keys", "/oauth2/v4/token"])
def test_endpoints_that_hand_out_credentials_are_left_out(path: str) -> None:
    """R112."""
    assert "hands out credentials" in reason(small(path, "post"))


@pytest.mark.parametrize("path", ["/a/{b", "/a/}b{", "/a/{}/{b}}"])
def test_a_path_with_loose_braces_costs_its_operation(path: str) -> None:
    assert "path is not well-formed" in reason(small(path))


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2e/b", "/a%zz"])
def test_a_path_that_no_request_may_have_costs_its_operation(path: str) -> None:
    """R127: also when the document itself says so."""
    assert "not well-formed" in reason(small(path))


def test_a_query_in_a_path_goes_with_every_request() -> None:
    """Some documents tell operations apart by it."""
    asked = [{"name": "q", "in": "query", "schema": TEXT}]
    made = sent(small("/a b?Action=List&X", parameters=asked), q="1")
    assert made.target == "/v1/a%20b?Action=List&X=&q=1"


@pytest.mark.parametrize("kind", ["text/plain\r\nX: y", "", "text", "a/b c", "é/x"])
def test_what_is_no_media_type_gets_into_no_header(kind: str) -> None:
    """R128."""
    body = {"content": {kind: {"schema": TEXT}}}
    assert "no media type" in reason(small(method="post", requestBody=body))
    assert sent(small(responses={"200": body})).headers["Accept"] == "application/json"
    schema = {"type": "object", "properties": {"a": TEXT}}
    parts = {"multipart/form-data": {"schema": schema, "encoding": {"a": {"contentType": kind}}}}
    made = sent(small(method="post", requestBody={"content": parts}), a="x").body
    assert made is not None
    assert b"X: y" not in made


def test_parameters_and_placeholders_need_not_agree() -> None:
    """What the document forgot to declare is an argument; what has no place in the path is none."""
    tool = only(small("/a/{b}", parameters=[{"name": "c", "in": "path", "schema": TEXT}]))
    assert tool.input_schema["required"] == ["b"]
    assert list(tool.input_schema["properties"]) == ["b"]


ODD = [
    {"type": "date"}, {"type": ["string", "nonsense"]}, {"required": True}, {"enum": "a"},
    {"properties": ["a"]}, {"minimum": "five"}, {"maxLength": -1}, {"items": [TEXT, TEXT]},
    {"additionalProperties": "yes"}, {"oneOf": {}}, {"exclusiveMinimum": True}, {"pattern": 7},
    {"exclusiveMinimum": True, "minimum": 3}, {"multipleOf": 0}, {"nullable": True}, "text", None,
    {"type": "string", "enum": ["a"], "nullable": True}, {"$schema": "x", "$id": "http://x/"},
    {"pattern": "(?P<n>x)"}, {"dependentRequired": {"a": "b"}}, {"const": None}, {"allOf": [7]},
]  # fmt: skip


@pytest.mark.parametrize("schema", ODD, ids=str)
@pytest.mark.parametrize("version", ["3.0.3", "3.1.1"])
def test_an_odd_schema_becomes_a_good_one(schema: Any, version: str) -> None:
    """Whatever a document says, what the model and the validator see is JSON Schema 2020-12."""
    import jsonschema_rs

    tool = only(small(version=version, parameters=[{"name": "q", "in": "query", "schema": schema}]))
    assert jsonschema_rs.meta.is_valid(tool.input_schema)
    tool.check({})


def test_the_older_dialects_are_translated() -> None:
    """3.0's `nullable` and boolean bounds, in the keywords of 2020-12."""
    cases = [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        (
            {"type": "string", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ({"allOf": [TEXT], "nullable": True}, {"anyOf": [{"allOf": [TEXT]}, {"type": "null"}]}),
        (
            {"type": "integer", "minimum": 3, "exclusiveMinimum": True},
            {"type": "integer", "exclusiveMinimum": 3},
        ),
        (
            {"type": "integer", "minimum": 3, "exclusiveMinimum": False},
            {"type": "integer", "minimum": 3},
        ),
        (
            {"type": "integer", "minimum": "0", "default": "500"},
            {"type": "integer", "minimum": 0, "default": 500},
        ),
        ({"type": "boolean", "default": "true"}, {"type": "boolean", "default": True}),
        ({"oneOf": [TEXT, {"type": "integer"}]}, {"oneOf": [TEXT, {"type": "integer"}]}),
    ]
    for given, wanted in cases:
        tool = only(small(parameters=[{"name": "q", "in": "query", "schema": given}]))
        assert tool.input_schema["properties"]["q"] == wanted


def test_a_validators_refusal_leaves_the_names_checked() -> None:
    """A schema that no rule of ours foresaw does not make its tool unusable."""
    from jupyter_valet.broker.toolsets import Operation, Parameter, Tool, Toolset

    tool = only(small(parameters=[{"name": "q", "in": "query", "schema": TEXT}]))
    odd = Parameter("q", "query", {"type": "string", "pattern": "("}, "")
    operation = Operation("op", "", "GET", "/x", (odd,))
    again = Tool(Toolset("t", "", "t", tool.source.origin, (operation,)), operation)
    again.check({"q": "x"})
    with pytest.raises(ValetError, match="it takes only q"):
        again.check({"z": 1})
