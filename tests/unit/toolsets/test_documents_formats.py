"""Every format says the same in its own way: OpenAPI 3.0–3.2, Swagger 2.0, Discovery, YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from api_documents import compiled, every, known, one, only, sent, small

from jupyter_valet.broker.egress import build
from jupyter_valet.broker.toolsets import Shaping, Tool
from jupyter_valet.broker.toolsets.documents import Cache, Flow
from jupyter_valet.broker.toolsets.model import Need
from jupyter_valet.wire.errors import ValetError

TEXT = {"type": "string"}
AUTH = "https://www.googleapis.com/auth/"

# What each document has, and what of it is not offered. GitHub's and Google's grow; theirs are
# counted where they are pinned.
COUNTS = {
    "slack-swagger2.json": (174, 0),
    "box-openapi3.json": (292, 4),
    "figma-openapi.yaml": (47, 0),
    "train-travel-3.1.json": (7, 0),
    "parameters-style-3.1.json": (25, 0),
    "star-trek-3.0.json": (120, 0),
}


@pytest.mark.parametrize("name", every())
def test_every_operation_of_a_real_document_is_a_good_tool(name: str) -> None:
    """Its schema is one, its check compiles, and what it needs is known."""
    made = known(name)
    for operation in made.toolset.operations:
        tool = Tool(made.toolset, operation)
        assert jsonschema_rs.meta.is_valid(tool.input_schema)
        jsonschema_rs.validator_for(tool.input_schema)
        assert made.toolset.origin_of(operation) in made.origins
    if name in COUNTS:
        assert (len(made.toolset.operations), len(made.skipped)) == COUNTS[name]


@pytest.mark.parametrize("name", ["train-travel-3.1.json", "box-openapi3.json", "gmail.v1"])
def test_bytes_and_a_mapping_are_the_same_document(name: str) -> None:
    raw = one(name)
    assert compiled(raw) == compiled(json.loads(raw))


# YAML -------------------------------------------------------------------------------------------


def test_yaml_is_read_as_json_would_be() -> None:
    """OpenAPI 3.1.1 §4.2: YAML 1.2's JSON schema, in which `on` is a word and a date is text."""
    document = """
openapi: 3.1.1
info: {title: Things, version: 1.0}
servers: [{url: "https://api.example"}]
x-shared: &shared
  type: string
  enum: [on, off, yes, no, 2024-01-01, ~, "true", 0o17, 1e3, 0x1F, 012, .5]
paths:
  /things:
    get:
      operationId: op
      parameters:
        - {name: q, in: query, schema: *shared}
        - name: r
          in: query
          schema:
            <<: *shared
            description: >-
              Folded
              text
      responses: {200: {description: OK}}
"""
    shown = only_yaml(document).input_schema["properties"]
    words = ["on", "off", "yes", "no", "2024-01-01", None, "true", 15, 1000.0, 31, 12, 0.5]
    assert shown["q"]["enum"] == words
    assert shown["r"] == {"type": "string", "enum": words, "description": "Folded text"}


def only_yaml(text: str) -> Tool:
    made = compiled(text.encode())
    (operation,) = made.toolset.operations
    return Tool(made.toolset, operation)


def test_yaml_tags_make_nothing() -> None:
    """No tag constructs an object; what it stands on is text."""
    document = """
openapi: 3.1.1
servers: [{url: "https://a.example"}]
paths: {/a: {get: {summary: !!python/object/apply:os.system [echo all is lost]}}}
"""
    assert only_yaml(document).operation.summary == "Get a"


def test_two_byte_orders_and_a_mark() -> None:
    raw = json.dumps(small()).encode()
    for encoding in ("utf-8-sig", "utf-16"):
        assert compiled(raw.decode().encode(encoding)) == compiled(raw)


# Swagger 2.0 ------------------------------------------------------------------------------------


def swagger(method: str = "get", **described: Any) -> dict[str, Any]:
    more = described.pop("document", {})
    return {
        "swagger": "2.0",
        "info": {"title": "Old"},
        "host": "api.example",
        "basePath": "/v1",
        "schemes": ["http", "https"],
        "paths": {"/things": {method: {"operationId": "op", **described}}},
        **more,
    }


@pytest.mark.parametrize(
    ("collection", "wanted"),
    [
        (None, "q=a,b"),
        ("csv", "q=a,b"),
        ("ssv", "q=a%20b"),
        ("tsv", "q=a%09b"),
        ("pipes", "q=a%7Cb"),
        ("multi", "q=a&q=b"),
    ],
)
def test_collection_formats(collection: str | None, wanted: str) -> None:
    """2.0, *Parameter Object*."""
    node = {"name": "q", "in": "query", "type": "array", "items": TEXT}
    made = sent(
        swagger(parameters=[node | ({"collectionFormat": collection} if collection else {})]),
        q=["a", "b"],
    )
    assert made.url == f"https://api.example/v1/things?{wanted}"


def test_a_body_parameter_is_the_body() -> None:
    thing = {"type": "object", "properties": {"a": {"type": "integer", "x-nullable": True}}}
    node = {
        "name": "whatever",
        "in": "body",
        "required": True,
        "schema": {"$ref": "#/definitions/Thing"},
    }
    document = swagger("post", parameters=[node], document={"definitions": {"Thing": thing}})
    assert sent(document, a=None).body == b'{"a":null}'


def test_form_parameters_are_a_form_and_with_a_file_multipart() -> None:
    form = [{"name": "a", "in": "formData", "type": "string", "required": True},
            {"name": "b", "in": "formData", "type": "array", "items": TEXT}]  # fmt: skip
    made = sent(swagger("post", parameters=form), a="x y", b=["1", "2"])
    assert (made.body, made.headers["Content-Type"]) == (
        b"a=x+y&b=1,2",
        "application/x-www-form-urlencoded",
    )
    file = {"name": "f", "in": "formData", "type": "file"}
    made = sent(swagger("post", parameters=[*form, file]), a="x", f="YWJj")
    assert made.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert made.body is not None
    assert (
        b'name="f"; filename="f"\r\nContent-Type: application/octet-stream\r\n\r\nabc\r\n'
        in made.body
    )


def test_answers_of_swagger_are_told_too() -> None:
    answers = {"200": {"schema": {"type": "array", "items": {"properties": {"id": TEXT}}}}}
    operation = only(swagger(responses=answers, produces=["application/json"])).operation
    assert (operation.returns.kind, operation.returns.fields) == ("array", ("id",))


def test_slack_takes_its_token_from_nobody() -> None:
    """Its document has `token` in every query, header and form."""
    made = known("slack-swagger2.json")
    for operation in made.toolset.operations:
        assert "token" not in {p.sent_as for p in operation.parameters}
    post = next(o for o in made.toolset.operations if o.name == "chat_post_message")
    assert post.scopes == {"chat:write:bot", "chat:write:user"}
    assert post.access == "write"
    listed = next(o for o in made.toolset.operations if o.name == "conversations_list")
    assert listed.paging is not None
    assert listed.paging.member == "response_metadata.next_cursor"


# OpenAPI 3.2 ------------------------------------------------------------------------------------


def test_the_query_method_reads() -> None:
    """3.2.0 §4.8: `query`, and `additionalOperations` for other methods."""
    body = {
        "content": {"application/json": {"schema": {"type": "object", "properties": {"q": TEXT}}}}
    }
    document = small(method="query", version="3.2.0", requestBody=body)
    tool = only(document)
    assert (tool.access, sent(document, q="x").body) == ("read", b'{"q":"x"}')
    more = {"LINK": {"operationId": "link"}}
    document["paths"]["/things"]["additionalOperations"] = more
    assert [s.reason for s in compiled(document).skipped] == [
        "its method is not one that is called"
    ]


def test_a_reference_to_the_documents_own_address_stays_in_it() -> None:
    """3.2.0 §4.1.2: `$self` is the base of references."""
    named = {"$self": "https://x.example/api.json", "components": {"schemas": {"A": TEXT}}}
    ref = {"$ref": "https://x.example/api.json#/components/schemas/A"}
    document = small(
        version="3.2.0", parameters=[{"name": "q", "in": "query", "schema": ref}], document=named
    )
    assert only(document).input_schema["$defs"] == {"A": TEXT}
    del document["$self"]
    assert only(document, url="https://x.example/api.json").input_schema["$defs"] == {"A": TEXT}


def test_a_path_item_may_be_elsewhere_in_the_document() -> None:
    document = small()
    document["components"] = {"pathItems": {"P": document["paths"]["/things"]}}
    document["paths"]["/things"] = {"$ref": "#/components/pathItems/P"}
    assert only(document).operation.name == "op"


def test_paths_with_a_fragment_are_several_operations_of_one_path() -> None:
    """Box's way around one operation for each method of a path."""
    made = known("box-openapi3.json")
    paths = {o.path for o in made.toolset.operations}
    assert not any("#" in path for path in paths)
    assert (
        sum(o.path == "/2.0/files/{file_id}" and o.method == "GET" for o in made.toolset.operations)
        == 2
    )


# Discovery --------------------------------------------------------------------------------------


def test_one_scope_of_many_is_enough_and_the_narrowest_is_asked_for() -> None:
    made = known("calendar.v3")
    listed = next(o for o in made.toolset.operations if o.name == "events_list")
    assert len(listed.alternatives) > 5
    assert all(len(need.scopes) == 1 for need in listed.alternatives)
    assert listed.scopes == {AUTH + "calendar.events.readonly"}
    assert listed.scopes_for({AUTH + "calendar", "x"}) == {AUTH + "calendar"}
    both = {AUTH + "calendar", AUTH + "calendar.readonly"}
    assert listed.scopes_for(both) == {AUTH + "calendar.readonly"}


@pytest.mark.parametrize(
    ("document", "operation", "scope"),
    [
        ("drive.v3", "files_list", "drive.metadata.readonly"),
        ("drive.v3", "files_create", "drive"),
        ("gmail.v1", "users_messages_list", "gmail.readonly"),
        ("gmail.v1", "users_messages_send", "gmail.send"),
        ("sheets.v4", "spreadsheets_values_get", "spreadsheets.readonly"),
        ("compute.v1", "instances_list", "compute.readonly"),
    ],
)
def test_a_scope_that_shows_a_part_is_not_the_one_to_ask_for(
    document: str, operation: str, scope: str
) -> None:
    """`drive.file` and `gmail.metadata` are narrower, and the answers would be empty or refused."""
    made = known(document)
    found = next(o for o in made.toolset.operations if o.name == operation)
    assert found.scopes == {AUTH + scope}


def test_discoverys_uploads_carry_metadata_and_media() -> None:
    made = known("drive.v3")
    operation = next(o for o in made.toolset.operations if o.name == "files_create_upload")
    given = {"name": "a.txt", "media": "aGk=", "media_type": "text/plain"}
    Tool(made.toolset, operation).check(given)
    request = build(made.toolset, operation, given)
    assert request.target == "/upload/drive/v3/files?uploadType=multipart"
    kind, _, boundary = request.headers["Content-Type"].partition("; boundary=")
    assert kind == "multipart/related"
    assert request.body == (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
        f'{{"name":"a.txt"}}\r\n'
        f"--{boundary}\r\nContent-Type: text/plain\r\n\r\nhi\r\n"
        f"--{boundary}--\r\n"
    ).encode()  # fmt: skip


def test_members_that_a_method_needs_are_required() -> None:
    """Discovery says so on the member: `annotations.required`."""
    made = known("gmail.v1")
    send = next(o for o in made.toolset.operations if o.name == "users_messages_send")
    assert set(send.input_schema["required"]) == {"userId", "raw"}


# Security schemes -------------------------------------------------------------------------------


def test_the_schemes_say_what_a_profile_needs() -> None:
    schemes = {
        "o": {"type": "oauth2", "flows": {"authorizationCode": {
            "authorizationUrl": "https://a.example/auth", "tokenUrl": "https://a.example/token",
            "scopes": {"read": "Read <b>all</b>", "bad scope": "x"}}}},
        "k": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "b": {"type": "http", "scheme": "Bearer"},
        "p": {"type": "http", "scheme": "basic"},
        "c": {"type": "openIdConnect", "openIdConnectUrl": "https://a.example/.well-known"},
        "m": {"type": "mutualTLS"},
        "r": {"$ref": "#/components/securitySchemes/b"},
        "x": "nothing",
    }  # fmt: skip
    made = compiled(small(document={"components": {"securitySchemes": schemes}}))
    found = {scheme.name: scheme for scheme in made.schemes}
    assert {name: scheme.kind for name, scheme in found.items()} == {
        "o": "oauth2", "k": "api_key", "b": "bearer", "p": "basic", "c": "openid_connect",
        "m": "other", "r": "bearer",
    }  # fmt: skip
    assert found["o"].flows == (
        Flow("authorizationCode", "https://a.example/auth", "https://a.example/token"),
    )
    assert found["o"].scopes == {"read": "Read all"}
    assert (found["k"].place, found["k"].parameter) == ("header", "X-Key")
    assert found["c"].discovery_url == "https://a.example/.well-known"


def test_the_schemes_of_real_documents() -> None:
    train = known("train-travel-3.1.json")
    assert train.schemes[0].scopes == {"read": "Read access", "write": "Write access"}
    assert train.toolset.operations[0].alternatives[0].schemes == ("OAuth2",)
    slack = known("slack-swagger2.json")
    assert slack.schemes[0].flows[0].token_url == "https://slack.com/api/oauth.access"
    gmail = known("gmail.v1")
    assert gmail.schemes[0].scopes[AUTH + "gmail.send"] == "Send email on your behalf"
    assert known("github").schemes == ()


def test_need_is_all_of_a_set() -> None:
    made = known("slack-swagger2.json")
    history = next(o for o in made.toolset.operations if o.name == "conversations_list")
    assert history.alternatives == (
        Need(frozenset({"channels:read", "groups:read", "im:read", "mpim:read"}), ("slackAuth",)),
    )


# Overrides --------------------------------------------------------------------------------------


def three(**more: Any) -> dict[str, Any]:
    asked = [{"name": "n", "in": "query", "schema": {"type": "integer"}},
             {"name": "id", "in": "path", "schema": TEXT}]  # fmt: skip
    paths = {
        "/a/{id}": {
            "get": {
                "operationId": "get_a",
                "parameters": asked,
                "summary": "Get one of the things",
            },
            "post": {"operationId": "search_a", "parameters": asked},
            "delete": {"operationId": "delete_a"},
        }
    }
    return small(document={"paths": paths, **more})


def names(**overrides: Any) -> list[str]:
    return [o.name for o in compiled(three(), overrides=overrides).toolset.operations]


def test_operations_are_switched_by_name_and_by_pattern() -> None:
    assert names() == ["delete_a", "get_a", "search_a"]
    assert names(only=["*_a"], without=["delete_*"]) == ["get_a", "search_a"]
    assert names(only=["get_a"]) == ["get_a"]
    assert names(without=["*"], operations={"get_a": {"enabled": True}}) == ["get_a"]
    assert names(operations={"get_a": {"enabled": False}}) == ["delete_a", "search_a"]


def test_an_operation_is_renamed_described_and_reclassified() -> None:
    change = {
        "name": "find",
        "description": "Search the things. **All** of them.",
        "access": "read",
    }
    made = compiled(three(), overrides={"operations": {"search_a": change}})
    found = next(o for o in made.toolset.operations if o.name == "find")
    assert (found.summary, found.access) == ("Search the things", "read")
    assert found.description == "Search the things. All of them."


def test_what_a_model_is_given_can_be_set(tmp_path: Path) -> None:
    """Also after a start from the cache."""
    change = {"select": "[].id"}
    overrides = {
        "list": "all",
        "trim": False,
        "limit": 900,
        "operations": {"get_a": change},
    }
    for _ in range(2):
        made = Cache(tmp_path).compiled(three(), name="t", overrides=overrides).toolset
        assert (made.listing, made.shaping) == ("all", Shaping(trim=False, limit=900))
        assert [o.select for o in made.operations] == ["", "[].id", ""]


def test_default_arguments_are_sent_unless_they_are_given() -> None:
    change = {"defaults": {"n": 100, "id": "x"}}
    made = compiled(three(), overrides={"only": ["get_a"], "operations": {"get_a": change}})
    tool = Tool(made.toolset, made.toolset.operations[0])
    assert tool.input_schema["required"] == []
    assert tool.input_schema["properties"]["n"]["default"] == 100
    tool.check({})
    assert build(tool.source, tool.operation, {}).target == "/v1/a/x?n=100"
    assert build(tool.source, tool.operation, {"n": 1, "id": "y"}).target == "/v1/a/y?n=1"


def test_another_server_and_its_variables() -> None:
    overrides = {"server": "https://ghe.example/api/v3"}
    made = compiled(three(), overrides=overrides)
    assert str(made.toolset.origin) == "https://ghe.example"
    assert made.toolset.operations[0].path == "/api/v3/a/{id}"
    templated = three(
        servers=[{"url": "https://{region}.example", "variables": {"region": {"default": "eu"}}}]
    )
    made = compiled(templated, overrides={"variables": {"region": "us"}})
    assert str(made.toolset.origin) == "https://us.example"


def test_a_setting_for_an_operation_that_is_gone_is_told_and_no_error() -> None:
    made = compiled(three(), overrides={"operations": {"gone": {"enabled": True}}})
    assert [(s.operation, s.reason) for s in made.skipped] == [
        ("gone", "a setting names it, and there is none")
    ]


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        ({"onyl": []}, "has no setting 'onyl'"),
        ({"only": "get_a"}, "`only` must be a list"),
        ({"list": "some"}, "`list` must be one of auto, connected, all, none"),
        ({"trim": 1}, "`trim` must be true or false"),
        ({"limit": 10}, "`limit` must be a number from 500"),
        ({"operations": {"get_a": {"select": "["}}}, "`select` of get_a is not a JMESPath"),
        ({"operations": []}, "`operations` must be an object"),
        ({"operations": {"get_a": {"nmae": "x"}}}, "has no setting 'nmae'"),
        ({"operations": {"get_a": {"name": "Bad Name"}}}, "must be lower-case"),
        ({"operations": {"get_a": {"name": "delete_a"}}}, "delete_a is taken"),
        ({"operations": {"get_a": {"name": "x" * 64}}}, "too long"),
        ({"operations": {"get_a": {"access": "admin"}}}, "must be read or write"),
        ({"operations": {"get_a": {"enabled": "yes"}}}, "must be true or false"),
        ({"operations": {"get_a": {"defaults": {"z": 1}}}}, "get_a has no argument z"),
        ({"server": 7}, "`server` must be text"),
        ({"variables": {"a": 1}}, "`variables` must be text"),
    ],
)
def test_settings_that_are_wrong_are_named(overrides: Any, why: str) -> None:
    with pytest.raises(ValetError, match=why) as caught:
        compiled(three(), overrides=overrides)
    assert caught.value.code == "bad_overrides"


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "a" * 31, "a b"])
def test_a_toolsets_name_is_a_short_word(name: str) -> None:
    from jupyter_valet.broker.toolsets.documents import compile_document

    with pytest.raises(ValetError, match="no name for a toolset"):
        compile_document(small(), name=name)
