"""The traps that compilers of API documents fall into, one test each: what is wanted instead."""

from __future__ import annotations

from typing import Any

import pytest
from api_documents import compiled, known, only, reason, sent, small

from jupyter_valet.broker.egress import build
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.toolsets import Tool
from jupyter_valet.broker.toolsets.model import Need
from jupyter_valet.wire.errors import ValetError

TEXT = {"type": "string"}


def json_body(schema: Any, **more: Any) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}, **more}}


def members(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


def test_null_is_sent_where_it_means_something() -> None:
    """GitHub's `milestone: null` clears it."""
    old = small(
        version="3.0.3", method="patch", **json_body(members({"m": {**TEXT, "nullable": True}}))
    )
    new = small(method="patch", **json_body(members({"m": {"type": ["string", "null"]}})))
    assert sent(old, m=None).body == sent(new, m=None).body == b'{"m":null}'
    strict = small(method="patch", **json_body(members({"m": TEXT})))
    with pytest.raises(ValetError, match="m must be of type string"):
        sent(strict, m=None)


def test_the_most_specific_server_is_used() -> None:
    """GitHub uploads assets to another host; a credential is for hosts, and does not follow."""
    document = small(servers=[{"url": "https://uploads.example/api"}])
    request = sent(document)
    assert request.url == "https://uploads.example/api/things"
    document["paths"]["/things"]["servers"] = [{"url": "https://path.example"}]
    assert sent(document).url == "https://uploads.example/api/things"
    del document["paths"]["/things"]["get"]["servers"]
    assert sent(document).url == "https://path.example/things"
    assert compiled(document).origins == (Origin.parse("https://path.example"),)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Accept",
        "Content-Type",
        "Cookie",
        "X-Api-Key",
        "api_key",
        "X-Figma-Token",
        "Proxy-Authorization",
        "X-Auth-Token",
        "X-CSRF-Token",
        "Host",
        "X-HTTP-Method-Override",
        "Range",
        "X-Forwarded-For",
        "X-Amz-Security-Token",
        "Authorization-Token",
    ],
)
def test_a_header_that_is_not_the_callers_is_no_argument(name: str) -> None:
    """OpenAPI 3.1.1 §4.8.12.2 for the first three; credentials and overrides for the rest."""
    header = {"name": name, "in": "header", "required": True, "schema": TEXT}
    tool = only(small(parameters=[header]))
    assert tool.input_schema["properties"] == {}


@pytest.mark.parametrize("name", ["Idempotency-Key", "If-Match", "X-Request-Id", "Notion-Version"])
def test_other_headers_are(name: str) -> None:
    tool = only(small(parameters=[{"name": name, "in": "header", "schema": TEXT}]))
    assert list(tool.input_schema["properties"]) == [name.replace("-", "_")]


def test_a_place_of_a_security_scheme_is_no_argument() -> None:
    schemes = {"k": {"type": "apiKey", "in": "query", "name": "appid"},
               "s": {"type": "apiKey", "in": "cookie", "name": "JSESSION"}}  # fmt: skip
    asked = [{"name": "appid", "in": "query", "schema": TEXT},
             {"name": "JSESSION", "in": "cookie", "schema": TEXT},
             {"name": "q", "in": "query", "schema": TEXT}]  # fmt: skip
    tool = only(small(parameters=asked, document={"components": {"securitySchemes": schemes}}))
    assert list(tool.input_schema["properties"]) == ["q"]


def test_wrong_arguments_are_named_before_anything_is_sent() -> None:
    document = small(
        method="post",
        parameters=[{"name": "n", "in": "query", "schema": {"type": "integer"}}],
        **json_body(members({"title": TEXT}, required=["title"]), required=True),
    )
    for arguments, words in (
        ({}, "title is missing"),
        ({"titel": "x"}, "it takes only n, title"),
        ({"title": "x", "n": "y"}, "n must be of type integer"),
    ):
        with pytest.raises(ValetError, match=words):
            sent(document, **arguments)


def test_path_parameters_with_several_segments_keep_their_slashes() -> None:
    """68 of GitHub's."""
    made = known("github")
    tool = Tool(made.toolset, _named(made, "repos_get_content"))
    target = build(
        tool.source, tool.operation, {"owner": "o", "repo": "r", "path": "a b/c.md"}
    ).target
    assert target == "/repos/o/r/contents/a%20b/c.md"


def test_json_is_preferred_among_media_types() -> None:
    content = {"text/plain": {}, "application/x-www-form-urlencoded": {},
               "application/json": {"schema": members({"a": TEXT})}}  # fmt: skip
    made = sent(small(method="post", requestBody={"content": content}), a="x")
    assert made.headers["Content-Type"] == "application/json"
    vendor = {"application/vnd.x+json": {"schema": members({"a": TEXT})}, "text/plain": {}}
    made = sent(small(method="post", requestBody={"content": vendor}), a="x")
    assert (made.headers["Content-Type"], made.body) == ("application/vnd.x+json", b'{"a":"x"}')


def test_a_required_body_without_members_is_an_empty_object() -> None:
    document = small(method="post", **json_body(members({"a": TEXT}), required=True))
    assert sent(document).body == b"{}"
    optional = small(method="post", **json_body(members({"a": TEXT})))
    assert sent(optional).body is None
    assert sent(small(method="post")).body is None
    assert "Content-Type" not in sent(small(method="post")).headers


def test_a_delete_may_have_a_body() -> None:
    document = small(method="delete", **json_body(members({"a": TEXT})))
    assert sent(document, a="x").body == b'{"a":"x"}'
    assert sent(document).body is None


def test_members_for_answers_only_are_not_offered() -> None:
    """`readOnly`, wherever it is said, and in whatever depth."""
    schema = members(
        {"id": {**TEXT, "readOnly": True}, "made": {"$ref": "#/components/schemas/Made"},
         "in": members({"id": {**TEXT, "readOnly": True}, "a": TEXT}, required=["id", "a"])},
        required=["id"],
    )  # fmt: skip
    parts = {"components": {"schemas": {"Made": {**TEXT, "readOnly": True}}}}
    tool = only(small(method="post", document=parts, **json_body(schema)))
    assert list(tool.input_schema["properties"]) == ["in"]
    assert tool.input_schema["required"] == []
    inner = tool.input_schema["properties"]["in"]
    assert (list(inner["properties"]), inner["required"]) == (["a"], ["a"])


def test_a_name_in_two_places_is_qualified_in_both() -> None:
    """Nobody gets the plain name: it would change its meaning when the document gains the other."""
    document = small(
        "/things/{name}",
        "patch",
        parameters=[{"name": "name", "in": "path", "required": True, "schema": TEXT}],
        **json_body(members({"name": TEXT, "other": TEXT})),
    )
    made = sent(document, name_in_path="a", name_in_body="b", other="c")
    assert (made.target, made.body) == ("/v1/things/a", b'{"name":"b","other":"c"}')


@pytest.mark.parametrize("name", ["compute.v1", "gmail.v1", "sheets.v4"])
def test_names_never_clash_in_googles_documents(name: str) -> None:
    """110 operations of Compute have a name in path and body."""
    for operation in known(name).toolset.operations:
        names = [p.name for p in operation.parameters]
        assert len(set(names)) == len(names)
        assert all(each.isidentifier() and len(each) <= 64 for each in names)


def test_an_operations_parameters_override_those_of_its_path() -> None:
    document = small(parameters=[{"name": "n", "in": "query", "schema": {"type": "integer"}}])
    document["paths"]["/things"]["parameters"] = [
        {"name": "n", "in": "query", "schema": TEXT},
        {"name": "m", "in": "query", "schema": TEXT},
    ]
    shown = only(document).input_schema["properties"]
    assert {name: schema["type"] for name, schema in shown.items()} == {
        "n": "integer",
        "m": "string",
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [members({"a": TEXT}), members({"b": TEXT})]},
        {"anyOf": [members({"a": TEXT}), {"type": "array", "items": TEXT}]},
        {"type": "array", "items": TEXT},
        {"type": "object", "additionalProperties": TEXT},
        {"type": "string"},
        True,
        {},
    ],
)
def test_a_body_that_is_no_plain_object_is_one_argument(schema: Any) -> None:
    """A choice stays a choice: `oneOf` is not widened."""
    document = small(method="post", **json_body(schema, required=True))
    tool = only(document)
    assert list(tool.input_schema["properties"]) == ["body"]
    assert tool.input_schema["properties"]["body"] == schema
    with pytest.raises(ValetError, match="body is missing"):
        tool.check({})


def test_an_array_is_sent_as_it_is() -> None:
    document = small(method="post", **json_body({"type": "array", "items": TEXT}))
    assert sent(document, body=["a", "b"]).body == b'["a","b"]'


def test_all_of_is_one_object() -> None:
    named = {"components": {"schemas": {"Base": members({"a": TEXT}, required=["a"])}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Base"}, members({"b": TEXT})]}
    tool = only(small(method="post", document=named, **json_body(schema, required=True)))
    assert list(tool.input_schema["properties"]) == ["a", "b"]
    assert tool.input_schema["required"] == ["a"]


def test_a_schema_that_holds_itself_is_named_and_not_unrolled() -> None:
    tree = members(
        {
            "value": TEXT,
            "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
        }
    )
    document = small(
        method="post",
        document={"components": {"schemas": {"Tree": tree}}},
        **json_body({"$ref": "#/components/schemas/Tree"}),
    )
    tool = only(document)
    assert list(tool.input_schema["$defs"]) == ["Tree"]
    tool.check({"children": [{"children": [{"value": "x"}]}]})
    with pytest.raises(ValetError, match="children must be of type string"):
        tool.check({"children": [{"children": [{"value": 1}]}]})


def test_gmails_message_holds_itself() -> None:
    """`MessagePart`."""
    made = known("gmail.v1")
    schema = Tool(made.toolset, _named(made, "users_messages_insert")).input_schema
    assert schema["$defs"]["MessagePart"]["properties"]["parts"]["items"] == {
        "$ref": "#/$defs/MessagePart"
    }


def test_what_comes_back_is_told_in_advance() -> None:
    answers = {
        "200": {"content": {"application/json": {"schema": members(
            {"items": {"type": "array", "items": members({"id": TEXT, "name": TEXT})},
             "nextPageToken": TEXT})}}}}  # fmt: skip
    asked = [{"name": "pageToken", "in": "query", "schema": TEXT}]
    operation = only(small(parameters=asked, responses=answers)).operation
    assert operation.returns.kind == "object"
    assert operation.returns.records == "items"
    assert operation.returns.fields == ("id", "name")
    assert operation.paging is not None
    assert (operation.paging.argument, operation.paging.member) == ("pageToken", "nextPageToken")


@pytest.mark.parametrize(
    ("answers", "kind", "accept"),
    [
        ({"204": {"description": ""}}, "nothing", ""),
        ({"200": {"content": {"image/png": {}}}}, "binary", "image/png"),
        ({"200": {"content": {"text/csv; charset=utf-8": {}}}}, "text", "text/csv"),
        ({"302": {"description": ""}}, "", ""),
        (
            {"201": {"content": {"application/json": {"schema": {"type": "array"}}}}},
            "array",
            "application/json",
        ),
    ],
)
def test_an_answer_is_asked_for_in_its_own_type(answers: Any, kind: str, accept: str) -> None:
    operation = only(small(responses=answers)).operation
    assert (operation.returns.kind, operation.accept) == (kind, accept)


def test_github_pages_by_link() -> None:
    made = known("github")
    paging = _named(made, "issues_list_for_repo").paging
    assert paging is not None
    assert (paging.kind, paging.argument) == ("link", "page")


def test_security_is_alternatives_of_sets() -> None:
    """OpenAPI 3.1.1 §4.8.30: or of ands; the document's own unless the operation says otherwise."""
    document = small(
        security=[{"oauth": ["a", "b"], "key": []}, {"oauth": ["c"]}],
        document={"security": [{"oauth": ["root"]}]},
    )
    operation = only(document).operation
    assert set(operation.alternatives) == {
        Need(frozenset({"a", "b"}), ("key", "oauth")),
        Need(frozenset({"c"}), ("oauth",)),
    }
    assert operation.scopes == {"c"}
    assert operation.scopes_for({"a", "b"}) == {"a", "b"}
    assert operation.scopes_for({"a", "b", "c"}) == {"c"}
    assert operation.scopes_for({"a"}) == {"c"}
    del document["paths"]["/things"]["get"]["security"]
    assert only(document).operation.scopes == {"root"}


def test_an_empty_requirement_means_that_anybody_may() -> None:
    operation = only(small(security=[{"oauth": ["a"]}, {}])).operation
    assert operation.scopes == frozenset()
    assert operation.scopes_for({"a"}) == frozenset()
    assert only(small(security=[])).operation.alternatives == ()


@pytest.mark.parametrize(
    ("url", "from_url", "wanted"),
    [
        ("https://{host}.example/{v}", "", "https://eu.example/v2/things"),
        ("/api", "https://docs.example/spec/openapi.json", "https://docs.example/api/things"),
        ("../v3/", "https://docs.example/spec/v2/openapi.json", "https://docs.example/spec/v3/things"),
        (None, "https://docs.example/spec/openapi.json", "https://docs.example/things"),
        ("http://api.example:80/x", "", "https://api.example/x/things"),
        ("http://localhost:8080", "", "http://localhost:8080/things"),
    ],
)  # fmt: skip
def test_a_server_is_resolved(url: str | None, from_url: str, wanted: str) -> None:
    """§4.8.5 and §4.8.6: variables, addresses relative to the document, no servers at all."""
    variables = {"host": {"default": "eu", "enum": ["eu", "us"]}, "v": {"default": "v2"}}
    document = small()
    document["servers"] = [] if url is None else [{"url": url, "variables": variables}]
    tool = only(document, url=from_url)
    assert str(tool.source.origin_of(tool.operation)) + tool.operation.path == wanted


@pytest.mark.parametrize(
    "url",
    ["ftp://api.example", "https://user@api.example", "https://10.0.0.1", "https://[::1]", "file:///x",
     "http://api.example:8080", "https://{missing}.example", "", "https://a.example/{x}y"],
)  # fmt: skip
def test_a_server_that_no_credential_goes_to_costs_its_operation(url: str) -> None:
    """BP-10, R136: only https, only names."""
    assert "server" in reason(small(servers=[{"url": url}]))


def test_int64_is_text_or_a_number_and_is_sent_as_text() -> None:
    """Discovery's `format: int64`: 55 of Compute's parameters."""
    made = known("compute.v1")
    operation = _named(made, "instances_get_serial_port_output")
    tool = Tool(made.toolset, operation)
    given = {"project": "p", "zone": "z", "instance": "i"}
    for start in ("9007199254740993", 9007199254740993):
        tool.check({**given, "start": start})
        target = build(tool.source, operation, {**given, "start": start}).target
        assert target.endswith("?start=9007199254740993")


def test_a_default_or_pattern_that_is_broken_costs_nothing_else() -> None:
    """GitHub's `"format": "uri", "default": ""`; strict validators refuse the whole document."""
    asked = [
        {"name": "a", "in": "query", "schema": {**TEXT, "format": "uri", "default": ""}},
        {"name": "b", "in": "query", "schema": {**TEXT, "pattern": "[a-"}},
        {"name": "c", "in": "query", "description": "x" * 200_000, "schema": TEXT},
    ]
    tool = only(small(parameters=asked))
    tool.check({"a": "x", "b": "x"})
    assert "pattern" not in tool.input_schema["properties"]["b"]
    assert len(tool.input_schema["properties"]["c"]["description"]) <= 300


def test_githubs_own_document_loads() -> None:
    """1,223 operations; the one that hands out tokens is left out (R112)."""
    made = known("github")
    assert len(made.toolset.operations) == 1222
    assert [s.operation for s in made.skipped] == [
        "POST /app/installations/{installation_id}/access_tokens"
    ]
    assert "hands out credentials" in made.skipped[0].reason


def _named(made: Any, name: str) -> Any:
    return next(o for o in made.toolset.operations if o.name == name)
