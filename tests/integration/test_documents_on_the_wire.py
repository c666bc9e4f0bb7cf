"""Operations of real documents, called for real: what arrives at a server, byte by byte."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from api_documents import compiled, one

from jupyter_valet.broker.egress import Egress, Terms, build
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.toolsets import Tool

pytestmark = pytest.mark.anyio

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
NOTHING: dict[str, str] = {}

# Document, base path of its server, operation, arguments: request line, headers of its own, body.
CALLS: list[tuple[str, str, str, dict[str, Any], str, dict[str, str], bytes]] = [
    (
        "compute.v1", "", "instances_list",
        {"project": "p-1", "zone": "europe-west1-b", "filter": 'name eq "a&b"', "maxResults": 5},
        "GET /compute/v1/projects/p-1/zones/europe-west1-b/instances"
        "?filter=name%20eq%20%22a%26b%22&maxResults=5",
        NOTHING, b"",
    ),
    (
        "compute.v1", "", "disks_insert",
        {"project": "example.com:p", "zone": "z", "name": "d", "sizeGb": "10",
         "sourceImage_in_query": "i/1", "sourceImage_in_body": "i/2"},
        "POST /compute/v1/projects/example.com%3Ap/zones/z/disks?sourceImage=i%2F1",
        {"Content-Type": JSON}, b'{"name":"d","sizeGb":"10","sourceImage":"i/2"}',
    ),
    (
        "compute.v1", "", "instances_delete", {"project": "p", "zone": "z", "instance": "i"},
        "DELETE /compute/v1/projects/p/zones/z/instances/i", NOTHING, b"",
    ),
    (
        "gmail.v1", "", "users_messages_list",
        {"userId": "me", "labelIds": ["INBOX", "UNREAD"], "q": "from:ada subject:(re: x)"},
        "GET /gmail/v1/users/me/messages?labelIds=INBOX&labelIds=UNREAD"
        "&q=from%3Aada%20subject%3A%28re%3A%20x%29", NOTHING, b"",
    ),
    (
        "gmail.v1", "", "users_messages_send", {"userId": "a@b.example", "raw": "SGk="},
        "POST /gmail/v1/users/a%40b.example/messages/send", {"Content-Type": JSON},
        b'{"raw":"SGk="}',
    ),
    (
        "sheets.v4", "", "spreadsheets_values_get",
        {"spreadsheetId": "s", "range": "Sheet 1!A1:B2"},
        "GET /v4/spreadsheets/s/values/Sheet%201%21A1%3AB2", NOTHING, b"",
    ),
    (
        "sheets.v4", "", "spreadsheets_values_append",
        {"spreadsheetId": "s", "range_in_path": "A1", "valueInputOption": "RAW",
         "values": [[1, "x", None, True, 2.5]]},
        "POST /v4/spreadsheets/s/values/A1:append?valueInputOption=RAW",
        {"Content-Type": JSON}, b'{"values":[[1,"x",null,true,2.5]]}',
    ),
    (
        "sheets.v4", "", "spreadsheets_values_batch_get",
        {"spreadsheetId": "s", "ranges": ["A1", "B2"]},
        "GET /v4/spreadsheets/s/values:batchGet?ranges=A1&ranges=B2", NOTHING, b"",
    ),
    (
        "drive.v3", "", "files_list", {"q": "name contains 'budget'", "pageSize": 10,
                                       "fields": "nextPageToken,files(id,name)"},
        "GET /drive/v3/files?pageSize=10&q=name%20contains%20%27budget%27"
        "&fields=nextPageToken%2Cfiles%28id%2Cname%29", NOTHING, b"",
    ),
    (
        "drive.v3", "", "files_get", {"fileId": "1a", "alt": "media"},
        "GET /drive/v3/files/1a?alt=media", NOTHING, b"",
    ),
    (
        "drive.v3", "", "files_update", {"fileId": "1a", "addParents": "p", "name": "ü.txt"},
        "PATCH /drive/v3/files/1a?addParents=p", {"Content-Type": JSON}, b'{"name":"\\u00fc.txt"}',
    ),
    (
        "slack-swagger2.json", "/api", "chat_post_message",
        {"channel": "C1", "text": "a & b = ü ~*", "mrkdwn": False},
        "POST /api/chat.postMessage", {"Content-Type": FORM},
        b"channel=C1&mrkdwn=false&text=a+%26+b+%3D+%C3%BC+%7E*",
    ),
    (
        "slack-swagger2.json", "/api", "conversations_list",
        {"types": "public_channel,im", "limit": 2, "exclude_archived": True},
        "GET /api/conversations.list?exclude_archived=true&types=public_channel%2Cim&limit=2",
        NOTHING, b"",
    ),
    (
        "box-openapi3.json", "/2.0", "get_folders_id_items",
        {"folder_id": "0", "fields": ["id", "name,x"], "limit": 3},
        "GET /2.0/folders/0/items?fields=id,name%2Cx&limit=3", NOTHING, b"",
    ),
    (
        "box-openapi3.json", "/2.0", "put_folders_id",
        {"folder_id": "7", "if_match": "1", "shared_link": {"access": "open"}, "description": ""},
        "PUT /2.0/folders/7", {"if-match": "1", "Content-Type": JSON},
        b'{"description":"","shared_link":{"access":"open"}}',
    ),
    (
        "box-openapi3.json", "/2.0", "delete_folders_id", {"folder_id": "7", "recursive": True},
        "DELETE /2.0/folders/7?recursive=true", NOTHING, b"",
    ),
    (
        "figma-openapi.yaml", "", "get_images", {"file_key": "k", "ids": "1:2,1:3", "scale": 0.5},
        "GET /v1/images/k?ids=1%3A2%2C1%3A3&scale=0.5", NOTHING, b"",
    ),
    (
        "figma-openapi.yaml", "", "post_comment", {"file_key": "k", "message": "hi"},
        "POST /v1/files/k/comments", {"Content-Type": JSON}, b'{"message":"hi"}',
    ),
    (
        "train-travel-3.1.json", "", "get_trips",
        {"origin": "efdbb9d1-02c2-4bc3-afb7-6788d8782b1e",
         "destination": "b2e783e1-c824-4d63-b37a-d8d698862f1d", "date": "2024-02-01T09:00:00Z"},
        "GET /trips?origin=efdbb9d1-02c2-4bc3-afb7-6788d8782b1e"
        "&destination=b2e783e1-c824-4d63-b37a-d8d698862f1d&date=2024-02-01T09%3A00%3A00Z",
        NOTHING, b"",
    ),
    (
        "train-travel-3.1.json", "", "create_booking_payment",
        {"bookingId": "1", "amount": 49.99, "currency": "gbp",
         "source": {"object": "card", "name": "J. Doe", "number": "4242424242424242", "cvc": 123,
                    "exp_month": 12, "exp_year": 2025, "address_country": "gb"}},
        "POST /bookings/1/payment", {"Content-Type": JSON},
        b'{"amount":49.99,"currency":"gbp","source":{"object":"card","name":"J. Doe",'
        b'"number":"4242424242424242","cvc":123,"exp_month":12,"exp_year":2025,'
        b'"address_country":"gb"}}',
    ),
    (
        "star-trek-3.0.json", "/api/v1/rest", "get_character", {"uid": "CHMA0000215045"},
        "GET /api/v1/rest/character?uid=CHMA0000215045", NOTHING, b"",
    ),
    (
        "parameters-style-3.1.json", "", "paths_matrix_non_exploded",
        {"primitive": "buster", "array": ["a", "b"], "object": {"name": "x y"}},
        "GET /anything/path/matrix/;primitive=buster/;array=a,b/;object=name,x%20y", NOTHING, b"",
    ),
    (
        "parameters-style-3.1.json", "", "paths_label_exploded",
        {"primitive": "buster", "array": ["a", "b"], "object": {"name": "x"}},
        "POST /anything/path/label/.buster/.a.b/.name=x", NOTHING, b"",
    ),
    (
        "parameters-style-3.1.json", "", "query_pipe_delimited_non_exploded",
        {"array": ["a", "b|c"], "object": {"k": "v"}},
        "GET /anything/query/pipeDelimited?array=a%7Cb%7Cc&object=k%7Cv", NOTHING, b"",
    ),
    (
        "parameters-style-3.1.json", "", "query_deep_object_non_exploded",
        {"object": {"foo": "1", "bar": "2"}},
        "GET /anything/query/deepObject?object%5Bfoo%5D=1&object%5Bbar%5D=2", NOTHING, b"",
    ),
    (
        "parameters-style-3.1.json", "", "headers_simple_exploded",
        {"primitive": "p", "array": ["a", "b"], "object": {"k": "v", "l": "w"}},
        "POST /anything/headers/simple",
        {"primitive": "p", "array": "a,b", "object": "k=v,l=w"}, b"",
    ),
    (
        "parameters-style-3.1.json", "", "cookies_form_non_exploded",
        {"primitive": "p;x=y", "array": ["a", "b"]},
        "GET /cookies", {"Cookie": "primitive=p%3Bx%3Dy; array=a,b"}, b"",
    ),
    (
        "github", "", "repos_create_or_update_file_contents",
        {"owner": "o", "repo": "r", "path": "docs/ü/a+b.md", "message": "m", "content": "eA=="},
        "PUT /repos/o/r/contents/docs/%C3%BC/a+b.md", {"Content-Type": JSON},
        b'{"message":"m","content":"eA=="}',
    ),
    (
        "github", "", "issues_update",
        {"owner": "o", "repo": "r", "issue_number": 7, "milestone": None, "labels": ["bug"]},
        "PATCH /repos/o/r/issues/7", {"Content-Type": JSON}, b'{"milestone":null,"labels":["bug"]}',
    ),
    (
        "github", "", "markdown_render_raw", {"body": "# ü", "content_type": "text/x-markdown"},
        "POST /markdown/raw", {"Content-Type": "text/x-markdown"}, "# ü".encode(),
    ),
]  # fmt: skip


class Echo:
    """Keeps each request as it came, and answers with nothing."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.bodies: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        length = re.search(r"(?mi)^content-length: (\d+)\r$", head)
        self.heads.append(head)
        self.bodies.append(await reader.readexactly(int(length[1]) if length else 0))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, str]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    yield echo, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.mark.parametrize("call", CALLS, ids=[f"{call[0]} {call[2]}" for call in CALLS])
async def test_what_arrives_is_what_the_document_says(
    call: tuple[str, str, str, dict[str, Any], str, dict[str, str], bytes],
    echo: tuple[Echo, str],
) -> None:
    """Through the egress, with a credential; no header of the request besides those named here."""
    document, base, name, arguments, line, own, body = call
    upstream, url = echo
    change = {"server": f"{url}{base}", "only": [name]}
    made = compiled(one(document), overrides=change)
    tool = Tool(made.toolset, made.toolset.operations[0])
    tool.check(arguments)
    await _send(build(tool.source, tool.operation, arguments))
    first, *lines = upstream.heads[0].strip().split("\r\n")
    headers = dict(each.split(": ", 1) for each in lines)
    assert first == f"{line} HTTP/1.1"
    assert upstream.bodies[0] == body
    assert headers.pop("Authorization") == "Bearer t0ken-of-the-person-0123456789abcdef"
    version = headers.pop("X-Goog-Api-Version", "")  # changes with Google's document
    assert (document == "compute.v1") == bool(re.fullmatch(r"20\d\d-\d\d-\d\d", version))
    for usual in ("Host", "User-Agent", "Accept-Encoding", "Accept", "Content-Length"):
        headers.pop(usual, None)
    assert headers == own


async def _send(request: Any) -> None:
    assert isinstance(request.origin, Origin)
    egress = Egress(timeout=15)
    try:
        answer = await egress.send(
            request,
            Secret("t0ken-of-the-person-0123456789abcdef"),
            Terms("jane/k", loopback=True, provider="X"),
        )
        assert answer.status == 204
    finally:
        await egress.close()
