"""How arguments are written: the tables of OpenAPI 3.1.1 §4.8.12.4 and §4.8.15, byte by byte."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
import uritemplate
from api_documents import only, sent, small

from jupyter_valet.broker.egress import build
from jupyter_valet.wire.errors import ValetError

EMPTY, STRING = "", "blue"
ARRAY = ["blue", "black", "brown"]
OBJECT = {"R": 100, "G": 200, "B": 150}

IN_PATH = [
    ("matrix", False, STRING, ";color=blue"),
    ("matrix", False, EMPTY, ";color"),
    ("matrix", False, ARRAY, ";color=blue,black,brown"),
    ("matrix", False, OBJECT, ";color=R,100,G,200,B,150"),
    ("matrix", True, STRING, ";color=blue"),
    ("matrix", True, ARRAY, ";color=blue;color=black;color=brown"),
    ("matrix", True, OBJECT, ";R=100;G=200;B=150"),
    ("label", False, STRING, ".blue"),
    ("label", False, ARRAY, ".blue,black,brown"),
    ("label", False, OBJECT, ".R,100,G,200,B,150"),
    ("label", True, ARRAY, ".blue.black.brown"),
    ("label", True, OBJECT, ".R=100.G=200.B=150"),
    ("simple", False, STRING, "blue"),
    ("simple", False, ARRAY, "blue,black,brown"),
    ("simple", False, OBJECT, "R,100,G,200,B,150"),
    ("simple", True, ARRAY, "blue,black,brown"),
    ("simple", True, OBJECT, "R=100,G=200,B=150"),
]
IN_QUERY = [
    ("form", False, EMPTY, "color="),
    ("form", False, STRING, "color=blue"),
    ("form", False, ARRAY, "color=blue,black,brown"),
    ("form", False, OBJECT, "color=R,100,G,200,B,150"),
    ("form", True, EMPTY, "color="),
    ("form", True, STRING, "color=blue"),
    ("form", True, ARRAY, "color=blue&color=black&color=brown"),
    ("form", True, OBJECT, "R=100&G=200&B=150"),
    ("spaceDelimited", False, ARRAY, "color=blue%20black%20brown"),
    ("spaceDelimited", False, OBJECT, "color=R%20100%20G%20200%20B%20150"),
    ("pipeDelimited", False, ARRAY, "color=blue%7Cblack%7Cbrown"),
    ("pipeDelimited", False, OBJECT, "color=R%7C100%7CG%7C200%7CB%7C150"),
    ("deepObject", True, OBJECT, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
]


def parameter(where: str, **more: Any) -> dict[str, Any]:
    return {"name": "color", "in": where, "schema": {}, **more}


def query(value: Any, **more: Any) -> str:
    made = sent(small(parameters=[parameter("query", **more)]), color=value)
    return made.target.removeprefix("/v1/things").removeprefix("?")


def path(value: Any, template: str = "/a/{color}", version: str = "3.1.1", **more: Any) -> str:
    document = small(template, version=version, parameters=[parameter("path", **more)])
    return sent(document, color=value).target.removeprefix("/v1/a/")


@pytest.mark.parametrize(("style", "explode", "value", "wanted"), IN_QUERY)
def test_a_query_is_written_as_in_the_table(
    style: str, explode: bool, value: Any, wanted: str
) -> None:
    assert query(value, style=style, explode=explode) == wanted


@pytest.mark.parametrize(("style", "explode", "value", "wanted"), IN_PATH)
def test_a_path_is_written_as_in_the_table(
    style: str, explode: bool, value: Any, wanted: str
) -> None:
    """An empty `matrix` value stands for itself; other empty ones are no path segment."""
    document = small("/a/{color}", parameters=[parameter("path", style=style, explode=explode)])
    assert sent(document, color=value).target == f"/v1/a/{wanted}"


@pytest.mark.parametrize("version", ["3.0.0", "3.0.3", "3.1.0"])
def test_label_is_dotted_in_the_versions_whose_tables_say_so(version: str) -> None:
    """3.0.3 and 3.1.0 have `.1.2`; 3.0.4 and 3.1.1 corrected it to RFC 6570's `.1,2`."""
    assert path([1, 2], version=version, style="label") == ".1.2"
    assert path({"R": 1}, version=version, style="label") == ".R.1"
    assert path([1, 2], version="3.0.4", style="label") == ".1,2"


def test_an_array_in_a_path_is_a_list_and_not_python() -> None:
    assert path(["1", "2"]) == "1,2"
    assert path([1, 2], style="matrix") == ";color=1,2"


def test_each_piece_is_encoded_and_the_delimiters_are_not() -> None:
    """R127: no piece becomes two, whatever it holds."""
    assert query(["a,b", "c&d=e", "f g"], explode=False) == "color=a%2Cb,c%26d%3De,f%20g"
    assert query(["a|b"], style="pipeDelimited", explode=False) == "color=a%7Cb"
    assert query({"a=b": "c&d"}, explode=True) == "a%3Db=c%26d"
    assert path(["a,b", "c/d"]) == "a%2Cb,c%2Fd"


def test_reserved_characters_are_kept_where_a_document_allows_them() -> None:
    """`allowReserved`; what would end the argument stays encoded all the same (R128)."""
    assert query("a/b?c:d,e", allowReserved=True) == "color=a/b?c:d,e"
    assert query("a&b=c#d+e", allowReserved=True) == "color=a%26b=c%23d%2Be"


def test_a_value_with_a_content_type_is_json() -> None:
    """§4.8.12.3."""
    content = {"application/json": {"schema": {"type": "object"}}}
    document = small(parameters=[{"name": "filter", "in": "query", "content": content}])
    made = sent(document, filter={"a": [1, None], "b": "ü"})
    assert (
        made.target == "/v1/things?filter=%7B%22a%22%3A%5B1%2Cnull%5D%2C%22b%22%3A%22%5Cu00fc%22%7D"
    )


def test_deep_objects_go_as_deep_as_they_are() -> None:
    """The standard leaves lists and objects in them open: lists repeat, objects go on."""
    value = {"a": [1, 2], "b": {"c": True}}
    made = query(value, style="deepObject", explode=True)
    assert made == "color%5Ba%5D=1&color%5Ba%5D=2&color%5Bb%5D%5Bc%5D=true"


def test_scalars_are_written_as_json_writes_them() -> None:
    assert query(True) == "color=true"
    assert query(1.5) == "color=1.5"
    assert query([None, {"a": 1}]) == "color=null&color=%7B%22a%22%3A1%7D"


def test_a_list_of_nothing_is_nothing() -> None:
    """RFC 6570 §2.3."""
    assert query([]) == query({}) == query([], explode=False) == ""


def test_a_header_is_a_simple_list() -> None:
    document = small(parameters=[parameter("header", name="X-Color")])
    assert sent(document, X_Color=["1", "2"]).headers["X-Color"] == "1,2"
    exploded = small(parameters=[parameter("header", name="X-Color", explode=True)])
    assert sent(exploded, X_Color=OBJECT).headers["X-Color"] == "R=100,G=200,B=150"


@pytest.mark.parametrize("value", ["a\r\nHost: evil", "a\nb", "\0", " a", "ü", ["a", "b\n"]])
def test_a_header_argument_is_one_line(value: Any) -> None:
    """R128."""
    with pytest.raises(ValetError, match="X_Color cannot be sent in a header"):
        sent(small(parameters=[parameter("header", name="X-Color")]), X_Color=value)


def test_cookies_are_pairs_that_cannot_become_more() -> None:
    document = small(parameters=[parameter("cookie"), parameter("cookie", name="theme")])
    made = sent(document, color="a; admin=1", theme=["x", "y"])
    assert made.cookies == "color=a%3B%20admin%3D1; theme=x; theme=y"
    assert made.lines["Cookie"] == made.cookies
    assert "Cookie" not in made.headers


@pytest.mark.parametrize("text", ["users/1", "a b", "x:y@z", "files/a.b/c", "2024+1"])
def test_a_reserved_expansion_is_rfc_6570s(text: str) -> None:
    """Discovery's `{+name}` (RFC 6570 §3.2.3), with Google's own library as the oracle."""
    wanted = uritemplate.expand("{+color}", color=text)
    assert path(text, **{"x-multi-segment": True}) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "..",
        "a/../b",
        "a/..",
        "../a",
        ".",
        "%2e%2e/a",
        "a/%252e%252e",
        "a//b",
        "/a",
        "a\\..\\b",
        "\0",
    ],
)
def test_a_path_of_several_segments_climbs_nowhere(text: str) -> None:
    """GitHub's `x-multi-segment` and Discovery's `{+name}` keep slashes, and nothing else (L3)."""
    with pytest.raises(ValetError):
        path(text, **{"x-multi-segment": True})


def test_pieces_that_are_harmless_apart_climb_nowhere_together() -> None:
    """`.` twice is `..`, and `%2` before `e` is a dot once it is decoded."""
    two = [parameter("path", name="a"), parameter("path", name="b")]
    document = small("/x/{a}{b}/y", parameters=two)
    assert sent(document, a="v1", b="2").target == "/v1/x/v12/y"
    for a, b in (("%2", "e"), ("%252", "e")):
        with pytest.raises(ValetError, match="a, b would name another path"):
            sent(document, a=a, b=b)


def test_a_segment_with_text_around_it() -> None:
    """Google's custom methods: `/v1/{name}:cancel`."""
    document = small("/jobs/{color}:cancel", "post", parameters=[parameter("path")])
    assert sent(document, color="a:b/c").target == "/v1/jobs/a%3Ab%2Fc:cancel"


def test_a_whole_query_from_one_argument() -> None:
    """OpenAPI 3.2.0 §4.12.3.2, `in: querystring`."""
    content = {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}
    whole = {"name": "search", "in": "querystring", "content": content}
    made = sent(small(version="3.2.0", parameters=[whole]), search={"a": "x&y", "b": [1, 2]})
    assert made.target == "/v1/things?a=x%26y&b=1&b=2"
    whole["content"] = {"application/json": {"schema": {}}}
    made = sent(small(version="3.2.0", parameters=[whole]), search={"a": 1})
    assert made.target == "/v1/things?%7B%22a%22%3A1%7D"


# Bodies -----------------------------------------------------------------------------------------

FORM = "application/x-www-form-urlencoded"
TEXT = {"type": "string"}


def body(
    media_type: str, properties: dict[str, Any], encoding: dict[str, Any] | None = None
) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    content = {media_type: {"schema": schema, "encoding": encoding or {}}}
    return small(method="post", requestBody={"content": content, "required": True})


def test_a_form_as_in_the_standards_example() -> None:
    """§4.8.15.3: the complex member is JSON. Encoded as WHATWG URL §5.2, which decodes the same."""
    document = body(FORM, {"id": TEXT, "address": {"type": "object", "properties": {}}})
    address = {
        "streetAddress": "123 Example Dr.",
        "city": "Somewhere",
        "state": "CA",
        "zip": "99999+1234",
    }
    made = sent(document, id="f81d4fae-7dec-11d0-a765-00a0c91e6bf6", address=address)
    assert made.headers["Content-Type"] == FORM
    assert made.body is not None
    example = (
        "id=f81d4fae-7dec-11d0-a765-00a0c91e6bf6&address=%7B%22streetAddress%22:%22123+Example+Dr.%22"
        ",%22city%22:%22Somewhere%22,%22state%22:%22CA%22,%22zip%22:%2299999%2B1234%22%7D"
    )
    assert parse_qsl(made.body.decode()) == parse_qsl(example)
    assert b"123+Example+Dr." in made.body


@pytest.mark.parametrize(
    ("encoding", "value", "wanted"),
    [
        ({}, ["a", "b"], b"m=a&m=b"),
        ({"style": "form", "explode": False}, ["a", "b&c"], b"m=a,b%26c"),
        ({"style": "pipeDelimited", "explode": False}, ["a", "b"], b"m=a%7Cb"),
        ({"style": "spaceDelimited", "explode": False}, ["a", "b"], b"m=a+b"),
        ({"style": "deepObject", "explode": True}, {"a": "b c"}, b"m%5Ba%5D=b+c"),
    ],
)
def test_a_forms_members_follow_their_encoding(
    encoding: dict[str, Any], value: Any, wanted: bytes
) -> None:
    assert (
        sent(body(FORM, {"m": {}}, {"m": encoding} if encoding else None), m=value).body == wanted
    )


def test_a_multipart_body_has_a_part_for_each_member() -> None:
    """RFC 7578; §4.8.15.4: text is plain, an object JSON, a file bytes with a name."""
    properties = {
        "id": TEXT,
        "about": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "file": {"type": "string", "format": "binary"},
        "more": {"type": "array", "items": TEXT},
    }
    document = body("multipart/form-data", properties, {"file": {"contentType": "image/png"}})
    made = sent(document, id="x", about={"a": 1}, file="iVBORw==", more=["p", "q"])
    kind, _, boundary = made.headers["Content-Type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    assert made.body == (
        f'--{boundary}\r\nContent-Disposition: form-data; name="id"\r\n\r\nx\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="about"\r\n'
        f'Content-Type: application/json\r\n\r\n{{"a":1}}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
        f"Content-Type: image/png\r\n\r\n"
    ).encode() + b"\x89PNG\r\n" + (
        f'--{boundary}\r\nContent-Disposition: form-data; name="more"\r\n\r\np\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="more"\r\n\r\nq\r\n'
        f"--{boundary}--\r\n"
    ).encode()  # fmt: skip


def test_no_part_ends_another() -> None:
    """The boundary is made of what is between it."""
    document = body("multipart/form-data", {"a": TEXT, 'n"\r\n': TEXT})
    first = sent(document, a="x")
    boundary = first.headers["Content-Type"].partition("boundary=")[2]
    again = sent(document, a=f"x\r\n--{boundary}--\r\n")
    other = again.headers["Content-Type"].partition("boundary=")[2]
    assert other != boundary
    assert again.body is not None
    assert again.body.count(other.encode()) == 2
    named = sent(document, n="x").body
    assert named is not None
    assert b'name="n%22%0D%0A"' in named


def test_a_body_of_bytes_is_given_in_base64() -> None:
    content = {"image/png": {}, "image/jpeg": {}}
    document = small(method="put", requestBody={"content": content})
    made = sent(document, body="iVBORw==")
    assert (made.body, made.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    made = sent(document, body="iVBORw==", content_type="image/jpeg")
    assert made.headers["Content-Type"] == "image/jpeg"
    with pytest.raises(ValetError, match="body is not base64"):
        sent(document, body="not base64!")
    with pytest.raises(ValetError, match="content_type must be one of image/png, image/jpeg"):
        sent(document, body="", content_type="text/html")


def test_a_range_of_media_types_is_a_choice_of_one() -> None:
    document = small(method="put", requestBody={"content": {"*/*": {}}})
    assert sent(document, body="YQ==").headers["Content-Type"] == "application/octet-stream"
    assert sent(document, body="YQ==", content_type="a/b; c=d").body == b"a"
    for hostile in ("a/b\r\nX: y", "a", "a/b, c/d", "a/b; c"):
        with pytest.raises(ValetError, match="content_type is not a media type"):
            sent(document, body="YQ==", content_type=hostile)


def test_a_text_body_is_the_text() -> None:
    """GitHub's `markdown/render-raw` takes two types of text."""
    content = {"text/plain": {"schema": TEXT}, "text/x-markdown": {"schema": TEXT}}
    document = small(method="post", requestBody={"content": content})
    assert sent(document, body="# ü").body == "# ü".encode()
    made = sent(document, body="#", content_type="text/x-markdown")
    assert made.headers["Content-Type"] == "text/x-markdown"


def test_a_number_that_json_does_not_have_is_refused() -> None:
    tool = only(body("application/json", {"n": {"type": "number"}}))
    with pytest.raises(ValetError, match="cannot be written as JSON"):
        build(tool.source, tool.operation, {"n": float("nan")})
