"""What a hostile upstream, or a caller who steers an honest one, gets out of a tool call: nothing.

The rows are those of the red-team table; those that are about a request that a caller writes as
bytes (H22–H34, H36–H37, H43–H45) have no place here, since a caller of a tool writes no request.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from granting import allow
from mcp_world import CANARY, Upstream, World, modern_request, served, text

from jupyter_valet.broker.policy import Limits

pytestmark = [pytest.mark.anyio, pytest.mark.redteam]

ISSUES = {"project": "tidepool"}
TOKEN = CANARY.encode()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with served(tmp_path) as built:
        built.connect()
        yield built


def body(data: bytes | str, content_type: str = "application/json", **headers: str) -> Any:
    raw = data.encode() if isinstance(data, str) else data
    return web.Response(body=raw, content_type=content_type, headers=headers)


def in_json(value: str) -> Any:
    return body(json.dumps({"echo": f"before {value} after"}))


def _percent(data: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in data)


ECHOES: dict[str, Callable[[], Any]] = {
    "R93 header in a JSON body": lambda: in_json(f"Bearer {CANARY}"),
    "R94 response header": lambda: body("{}", **{"X-Echo": CANARY}),
    "R95 error body": lambda: web.Response(status=500, text=f"bad token {CANARY}"),
    "R96 HTML-escaped page": lambda: body(
        html.escape(f"<{CANARY}>") + "".join(f"&#{b};" for b in TOKEN), "text/html"
    ),
    "R97 Set-Cookie": lambda: body("{}", **{"Set-Cookie": f"t={CANARY}"}),
    "R98 Location": lambda: web.Response(
        status=302, headers={"Location": f"https://evil.example/?t={CANARY}"}
    ),
    "R98 Location on the same origin": lambda: web.Response(
        status=302, headers={"Location": f"/next?t={CANARY}"}
    ),
    "R99 base64 of the header": lambda: in_json(base64.b64encode(b"Bearer " + TOKEN).decode()),
    "R100 base64, alignment 1": lambda: in_json(base64.b64encode(b"x" + TOKEN + b"y").decode()),
    "R100 base64, alignment 2": lambda: in_json(base64.b64encode(b"xx" + TOKEN).decode()),
    "R100 base64, URL-safe": lambda: in_json(
        base64.urlsafe_b64encode(b"a:" + TOKEN).decode().rstrip("=")
    ),
    "R100 base64, in lines": lambda: in_json(base64.encodebytes(b"user:" + TOKEN * 3).decode()),
    "R100 base32": lambda: in_json(base64.b32encode(b"abc" + TOKEN).decode()),
    "R101 hex": lambda: in_json(TOKEN.hex()),
    "R101 HEX with colons": lambda: in_json(TOKEN.hex(":").upper()),
    "R102 reversed": lambda: in_json(CANARY[::-1]),
    "R102 reversed, base64": lambda: in_json(base64.b64encode(TOKEN[::-1]).decode()),
    "R103 \\u escapes": lambda: body(
        '{"echo": "' + "".join(f"\\u{byte:04x}" for byte in TOKEN) + '"}'
    ),
    "R103 \\u escapes of some": lambda: body(
        '{"echo": "'
        + "".join(f"\\u{byte:04x}" if i % 2 else chr(byte) for i, byte in enumerate(TOKEN))
        + '"}'
    ),
    "R103 \\x escapes": lambda: body("".join(f"\\x{b:02x}" for b in TOKEN), "text/plain"),
    "R103 octal escapes": lambda: body("".join(f"\\{b:03o}" for b in TOKEN), "text/plain"),
    "R104 percent-encoded": lambda: in_json(_percent(TOKEN)),
    "R104 percent-encoded twice": lambda: in_json(_percent(_percent(TOKEN).encode())),
    "R105 gzip": lambda: body(
        gzip.compress(json.dumps([CANARY]).encode()), **{"Content-Encoding": "gzip"}
    ),
    "R106 deflate": lambda: body(
        zlib.compress(json.dumps([CANARY]).encode()), **{"Content-Encoding": "deflate"}
    ),
    "R107 spaced out": lambda: in_json(" ".join(CANARY)),
    "R107 a list of characters": lambda: body(json.dumps(list(CANARY))),
    "R107 a list of codes": lambda: body(json.dumps(list(TOKEN))),
    "upper case": lambda: in_json(CANARY.upper()),
    "UTF-16": lambda: body(CANARY.encode("utf-16-le"), "text/plain"),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
async def test_an_answer_with_the_credential_is_withheld(
    here: World, echo: Callable[[], Any]
) -> None:
    """ES-21, R93–R107, R142: all of it, counted in the audit, with a fixed text."""

    async def handler(request: web.Request) -> Any:
        assert request.headers["Authorization"] == f"Bearer {CANARY}"
        return echo()

    here.upstream.handler = handler
    async with here.client(here.kernel(), "2026-07-28") as client:
        result = await client.call_tool("demo_list_issues", ISSUES)
    assert text(result).startswith("response_withheld: The answer of Demo contained")
    assert result.structured_content is None
    assert [d["outcome"] for _, d in here.events if d["action"] == "connection.refused"] == [
        "response_withheld"
    ]
    assert_canary_free(here)


async def test_the_credential_in_pieces_of_one_byte_is_withheld(here: World) -> None:
    """R108: chunk boundaries hide nothing."""

    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        for byte in TOKEN:
            await answer.write(bytes([byte]))
        return answer

    here.upstream.handler = handler
    assert await code(here) == "response_withheld"


@pytest.mark.parametrize("encoding", ["gzip, gzip", "compress", "x-secret"])
async def test_an_encoding_we_cannot_read_is_refused(here: World, encoding: str) -> None:
    """R105: what cannot be looked into is not passed on."""
    twice = gzip.compress(gzip.compress(TOKEN))
    here.upstream.handler = answering(
        lambda: body(twice, "text/plain", **{"Content-Encoding": encoding})
    )
    assert await code(here) in ("upstream_error", "provider_unreachable")
    assert_canary_free(here)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_host_is_not_followed(here: World, status: int) -> None:
    """R113, L7: the credential follows the origin, never a Location."""
    reached: list[str] = []
    async with Upstream().running() as evil:

        async def seen(request: web.Request) -> web.Response:
            reached.append(request.headers.get("Authorization", ""))
            return web.Response()

        evil.handler = seen
        here.upstream.handler = answering(
            lambda: web.Response(status=status, headers={"Location": evil.url + "/x"})
        )
        assert await code(here) == "upstream_error"
    assert reached == []
    assert len(here.upstream.requests) == 1


@pytest.mark.parametrize(
    "location",
    [
        "//evil.example/x",
        "https:evil.example",
        "http://127.0.0.1:1@evil.example/",
        "/a/%2e%2e/admin",
        "/\\evil.example",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://2130706433/",
        "http://[::1]/",
    ],
)
async def test_an_odd_redirect_is_not_followed(here: World, location: str) -> None:
    """R116–R118, R127, R131, R134."""
    here.upstream.handler = answering(
        lambda: web.Response(status=302, headers={"Location": location})
    )
    assert await code(here) == "upstream_error"
    assert len(here.upstream.requests) == 1


async def test_a_redirect_within_the_origin_is_followed_a_few_times(here: World) -> None:
    """Section 6 of the design: same-origin GET, at most three hops."""
    here.upstream.handler = answering(
        lambda: web.Response(status=302, headers={"Location": "/again"})
    )
    assert await code(here) == "upstream_error"
    assert len(here.upstream.requests) == 4


async def test_a_redirect_does_not_lead_a_tool_out_of_its_grant(here: World) -> None:
    """X12: the limits that the person set are for every request, also one that the API chose."""
    here.upstream.handler = answering(
        lambda: web.Response(status=302, headers={"Location": "/api/me"})
    )
    here.granting = False
    here.kernel()
    limits = Limits(paths=("/api/projects/**",))
    allow(here.policy, here.callers[-1], here.connect(), access="read", limits=limits)
    assert await code(here) == "limit_reached"
    assert [seen.path for seen in here.upstream.requests] == ["/api/projects/tidepool/issues"]


async def test_a_redirected_write_is_not_followed(here: World) -> None:
    """L7: only a GET may be sent on."""
    here.connect(scopes=frozenset({"openid", "profile", "issues:read", "issues:write"}))
    here.upstream.handler = answering(
        lambda: web.Response(status=307, headers={"Location": "/again"})
    )
    arguments = {**ISSUES, "title": "Drift"}
    assert await code(here, "demo_create_issue", arguments) == "upstream_error"
    assert len(here.upstream.requests) == 1


HOSTILE_NAMES = [
    "..",
    ".",
    "../admin",
    "..\\admin",
    "%2e%2e",
    "%252e%252e",
    "%25252e%25252e/admin",
    "a/../../admin",
    "a%2f..%2fadmin",
    "a%5c..%5cadmin",
    "x\r\nX-Injected: 1",
    "x\x00y",
    "x%0d%0aX: 1",
    "x\u2028y",
    "x\x85y",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
async def test_a_path_argument_cannot_leave_its_segment(here: World, name: str) -> None:
    """R127, R128, R133, L3: refused before anything is sent."""
    assert await code(here, arguments={"project": name}) == "bad_request"
    assert here.upstream.requests == []


@pytest.mark.parametrize(
    "name",
    [
        "@evil.example",
        "evil.example/x",
        "?admin=1",
        "#admin",
        "a&limit=100",
        ";x",
        "//evil.example",
        "http://evil.example",
        "ａpi",
        "a b+c",
        "$(id)",
    ],
)
async def test_a_path_argument_is_one_segment(here: World, name: str) -> None:
    """R114–R118, R136: whatever it says, it stays a name on our origin."""
    here.upstream.handler = answering(lambda: body("[]"))
    assert await code(here, arguments={"project": name}) == ""
    (request,) = here.upstream.requests
    segments = request.rel_url.raw_path.split("/")
    assert segments[:3] == ["", "api", "projects"]
    assert segments[4:] == ["issues"]
    assert not request.query_string
    assert request.host in here.upstream.url


async def test_only_our_headers_go_out(here: World) -> None:
    """R122–R126, R111: nothing of the caller's request goes along; no Range, no cookies."""
    here.upstream.handler = answering(lambda: body("[]", **{"Set-Cookie": "a=b"}))
    extra = {"Cookie": "a=b", "X-Forwarded-For": "1", "Range": "bytes=0-3", "X-Original-URL": "/"}
    token = here.kernel()
    for _ in range(2):
        async with here.http(token, **extra) as http:
            assert (await http.send(modern_request(http, here.url))).status_code == 200
    for request in here.upstream.requests:
        assert {name.lower() for name in request.headers} == {
            "host",
            "authorization",
            "user-agent",
            "accept",
            "accept-encoding",
        }
        assert request.headers["Accept-Encoding"] == "identity"


async def test_the_kernels_capability_goes_nowhere(here: World) -> None:
    """ES-22, RS-06, BP-08, L14: no token passthrough."""
    here.upstream.handler = answering(lambda: body("[]"))
    token = here.kernel()
    async with here.client(token, "2026-07-28") as client:
        await client.call_tool("demo_list_issues", ISSUES)
    (request,) = here.upstream.requests
    assert token not in str(request.headers) + str(request.url)


async def test_an_answer_without_end_is_cut(here: World) -> None:
    """A size limit, with what to do next."""
    here.upstream.handler = answering(lambda: body(b"[" + b"1," * 600_000 + b"1]"))
    assert await code(here) == "response_too_large"


async def test_a_bomb_is_cut_after_unpacking(here: World) -> None:
    """The limit counts what it unpacks to."""
    bomb = gzip.compress(b"0" * 50_000_000)
    here.upstream.handler = answering(
        lambda: body(bomb, "text/plain", **{"Content-Encoding": "gzip"})
    )
    assert await code(here) == "response_too_large"


async def test_upstream_that_is_down_is_said_so(here: World) -> None:
    """A fixed text, no address in it."""

    async def drop(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    here.upstream.handler = drop
    assert await code(here) == "provider_unreachable"


async def test_an_error_keeps_upstreams_words_out_of_ours(here: World) -> None:
    """L19: the fixed text first; what upstream said is data beside it."""
    here.upstream.handler = answering(
        lambda: web.json_response({"detail": "title must be text"}, status=422)
    )
    async with here.client(here.kernel(), "2026-07-28") as client:
        result = await client.call_tool("demo_list_issues", ISSUES)
    assert result.is_error
    assert result.content[0].text == (  # type: ignore[union-attr]
        "upstream_error: Demo answered with status 422. The tool's result says more."
    )
    assert result.structured_content == {"status": 422, "said": "title must be text"}


@pytest.mark.parametrize(
    ("data", "content_type", "expected"),
    [
        (b"plain words", "text/plain", "plain words"),
        (b"", "application/json", {"status": 200}),
        (b"{not json", "application/json", "{not json"),
        (b"\x89PNG\r\n", "image/png", {"content_type": "image/png", "bytes": 6}),
        (b'{"a": 1}', "application/vnd.github+json", {"a": 1}),
    ],
)
async def test_answers_become_data(
    here: World, data: bytes, content_type: str, expected: Any
) -> None:
    """JSON is parsed, text is text, and what is neither is named."""
    here.upstream.handler = answering(lambda: body(data, content_type))
    async with here.client(here.kernel(), "2026-07-28") as client:
        result = await client.call_tool("demo_list_issues", ISSUES)
    assert result.structured_content == expected


async def test_a_step_up_names_only_scopes(here: World) -> None:
    """RFC 6750 §3.1: upstream's challenge is input; what is no scope is not asked for."""
    challenge = 'Bearer error="insufficient_scope", scope="issues:write <b> ' + "x" * 400 + '"'
    here.upstream.handler = answering(
        lambda: web.json_response({}, status=403, headers={"WWW-Authenticate": challenge})
    )
    reply = await here.post(here.kernel())
    assert reply["result"]["resultType"] == "input_required"
    assert here.pending()[0].scopes == {"openid", "profile", "issues:read", "issues:write", "<b>"}


async def test_the_audit_holds_no_secret(here: World) -> None:
    """Who, what, with which tool; never a credential or what was said."""
    here.upstream.handler = answering(lambda: in_json(CANARY))
    await code(here)
    assert CANARY not in (here.state / "audit.jsonl").read_text()
    assert CANARY not in json.dumps(here.events)


async def code(
    here: World, tool: str = "demo_list_issues", arguments: dict[str, Any] | None = None
) -> str:
    """Call a tool and return the error's name, empty when it succeeded."""
    async with here.client(here.kernel(), "2026-07-28") as client:
        result = await client.call_tool(tool, ISSUES if arguments is None else arguments)
    assert_canary_free(here)
    return text(result).partition(":")[0] if result.is_error else ""


def answering(make: Callable[[], Any]) -> Any:
    async def handler(request: web.Request) -> Any:
        return make()

    return handler


def assert_canary_free(here: World) -> None:
    """ES-21: no byte that left the endpoint holds the credential."""
    out = bytes(here.sent)
    assert TOKEN not in out
    assert TOKEN[::-1] not in out
    assert base64.b64encode(TOKEN)[4:-4] not in out
    assert TOKEN.hex().encode() not in out.lower()
