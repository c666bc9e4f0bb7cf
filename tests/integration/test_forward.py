"""A notebook's own HTTP requests through a real broker, against an API that keeps what it got.

The rows are those of the red-team table; a caller writes every byte of these requests.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from broker_process import ORIGIN, BrokerProcess, Kernel
from keyed_broker import keyed, keyed_broker
from recording_api import KEY, RecordingApi, Reply, as_json

from jupyter_valet.wire import egress as wire

TOKEN = KEY.encode()
LIMITS = {"request_bytes": 5_000_000, "response_bytes": 5_000_000, "concurrent": 3}
LIMITS["idle_seconds"] = 2


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, api: RecordingApi) -> Iterator[BrokerProcess]:
    folder = tmp_path_factory.mktemp("forward")
    with keyed_broker(folder, api, egress_limits=LIMITS) as broker:
        yield broker


@pytest.fixture
def kernel(broker: BrokerProcess, api: RecordingApi, request: pytest.FixtureRequest) -> Kernel:
    """A kernel of a notebook whose person has typed the key, with nothing counted against it."""
    kernel = broker.kernel(request.node.name[:60], notebook=f"{id(request)}.ipynb")
    keyed(broker, kernel, new_account=True)
    api.seen.clear()
    api.routes.clear()
    return kernel


def path(api: RecordingApi, rest: str = "/x", provider: str = "own") -> str:
    return wire.base(provider, api.url) + rest


def only(broker: BrokerProcess, kernel: Kernel, **limits: str) -> None:
    """Narrow what the kernel's notebook was granted, on the page."""
    [connection] = kernel.request("GET", "/connections")[1]["connections"]
    page = broker.call("connections.page", principal="owner", origin="x")
    broker.call(
        "grants.change",
        principal="owner",
        grant=connection["grants"][0]["id"],
        nonce=page["nonce"],
        choices={"access": "read", "until": "kept", **limits},
    )


class Answered:
    """An answer, read to its end, or to where it broke off."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        response = connection.getresponse()
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.broken = False
        try:
            self.body = response.read()
        except http.client.IncompleteRead as error:
            self.body, self.broken = error.partial, True

    @property
    def code(self) -> str:
        """The code of an error of the broker's."""
        assert wire.UPSTREAM.lower() not in self.headers
        return str(json.loads(self.body)["error"]["code"])


def send(
    kernel: Kernel, target: str, method: str = "GET", body: Any = None, **headers: str
) -> Answered:
    connection = http.client.HTTPConnection("127.0.0.1", kernel.port, timeout=30)
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(
            method, target, body, {"Authorization": f"Bearer {kernel.token}", **lines}
        )
        return Answered(connection)
    finally:
        connection.close()


# The way through ---------------------------------------------------------------------------------


def test_the_credential_arrives_and_the_capability_does_not(
    kernel: Kernel, api: RecordingApi
) -> None:
    """BP-08: one is exchanged for the other, here and nowhere else."""
    api.on("/a/b%20c", as_json({"ok": True}, ETag='"1"'))
    answer = send(kernel, path(api, "/a/b%20c?q=1&q=%2F"), X_Own="kept", Accept="text/csv")
    assert (answer.status, json.loads(answer.body)) == (200, {"ok": True})
    assert answer.headers["etag"] == '"1"'
    assert answer.headers[wire.UPSTREAM.lower()] == "upstream"
    assert api.last.path == "/a/b%20c?q=1&q=%2F"
    headers = {name.lower(): value for name, value in api.last.headers.items()}
    assert headers["authorization"] == f"Bearer {KEY}"
    assert (headers["x-own"], headers["accept"]) == ("kept", "text/csv")
    assert kernel.token not in api.last.whole


def test_characters_that_clients_leave_alone_are_encoded(kernel: Kernel, api: RecordingApi) -> None:
    """`requests` and browsers send brackets as they are; a URL does not hold them (RFC 3986)."""
    api.on("/x", as_json({}))
    assert send(kernel, path(api, "/x?a[]=1|2")).status == 200
    assert api.last.path == "/x?a%5B%5D=1%7C2"


def test_an_error_of_upstream_is_upstream_s(kernel: Kernel, api: RecordingApi) -> None:
    """Whatever its status, and with its own headers."""
    api.on("/x", as_json({"message": "slow down"}, 429, Retry_After="7"))
    answer = send(kernel, path(api))
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert wire.UPSTREAM.lower() in answer.headers


def test_head_has_a_length_and_no_body(kernel: Kernel, api: RecordingApi) -> None:
    """RFC 9110 §9.3.2."""
    api.on("/x", Reply(body=b"x" * 1234))
    answer = send(kernel, path(api), "HEAD")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "1234", b"")


def test_a_compressed_answer_is_passed_on_as_it_reads(kernel: Kernel, api: RecordingApi) -> None:
    """R105: it was looked into, so it is not compressed any more."""
    text = b"much of the same " * 9000
    api.on("/x", Reply(headers=(("Content-Encoding", "gzip"),), body=gzip.compress(text)))
    answer = send(kernel, path(api))
    assert answer.body == text
    assert "content-encoding" not in answer.headers


def test_who_has_no_capability_gets_nothing(kernel: Kernel, api: RecordingApi) -> None:
    """RS-01: nor does who has another person's credential."""
    other = Kernel(kernel.port, KEY)
    for token in (other, Kernel(kernel.port, "jvk_" + "x" * 43)):
        assert send(token, path(api)).code == "capability_refused"
    assert send(kernel, path(api), Origin="http://127.0.0.1:8888").code == "capability_refused"
    assert api.seen == []


# What a caller may not write ---------------------------------------------------------------------

DROPPED = {
    "R111 Range": ("Range", "bytes=0-3"),
    "R111 If-Range": ("If-Range", "x"),
    "R123 Cookie": ("Cookie", "session=1"),
    "R123 Proxy-Authorization": ("Proxy-Authorization", "Basic eDp5"),
    "R123 X-Forwarded-Host": ("X-Forwarded-Host", "evil.example"),
    "R123 Forwarded": ("Forwarded", "host=evil.example"),
    "R126 TE": ("TE", "trailers"),
    "R105 Accept-Encoding": ("Accept-Encoding", "br"),
    "Sec-Fetch": ("Sec-Fetch-Site", "same-origin"),
    "Referer": ("Referer", "http://127.0.0.1:8888/tree"),
    "Expect": ("Expect", "100-continue"),
}


@pytest.mark.redteam
@pytest.mark.parametrize(("name", "value"), DROPPED.values(), ids=DROPPED.keys())
def test_a_header_that_is_not_the_caller_s_is_left_out(
    kernel: Kernel, api: RecordingApi, name: str, value: str
) -> None:
    """R105, R111, R119–R123, R126."""
    api.on("/x", as_json({}))
    assert send(kernel, path(api), **{name: value}).status == 200
    assert value not in api.last.headers.values()


@pytest.mark.redteam
def test_a_header_named_by_connection_is_left_out(kernel: Kernel, api: RecordingApi) -> None:
    """R126: and `Connection: Authorization` takes nothing from ours."""
    api.on("/x", as_json({}))
    send(kernel, path(api), Connection="X-Own, Authorization", X_Own="1")
    assert api.last.headers["Authorization"] == f"Bearer {KEY}"
    assert "x-own" not in {name.lower() for name in api.last.headers}


CHANGED = {
    "R124 X-HTTP-Method-Override": ("X-HTTP-Method-Override", "DELETE"),
    "R124 X-Method-Override": ("X-Method-Override", "DELETE"),
    "R125 X-Original-URL": ("X-Original-URL", "/admin"),
    "R125 X-Rewrite-URL": ("X-Rewrite-URL", "/admin"),
    "Content-Encoding": ("Content-Encoding", "gzip"),
}


@pytest.mark.redteam
@pytest.mark.parametrize(("name", "value"), CHANGED.values(), ids=CHANGED.keys())
def test_a_header_that_asks_for_another_request_is_refused(
    kernel: Kernel, api: RecordingApi, name: str, value: str
) -> None:
    """R124, R125: to leave it out would send a request that nobody wrote."""
    assert send(kernel, path(api), **{name: value}).code == "bad_request"
    assert api.seen == []


@pytest.mark.redteam
@pytest.mark.parametrize(
    "rest",
    [
        pytest.param("/a/../admin", id="R127"),
        pytest.param("/a/%2e%2e/admin", id="R127 encoded"),
        pytest.param("/x\\y", id="R117"),
        pytest.param("/x%zz", id="bad percent"),
    ],
)
def test_a_path_is_of_the_strict_form(kernel: Kernel, api: RecordingApi, rest: str) -> None:
    """R116–R118, R127."""
    assert send(kernel, path(api, rest)).code == "bad_request"
    assert api.seen == []


@pytest.mark.redteam
@pytest.mark.parametrize(
    "where",
    [
        pytest.param("https/evil.example", id="another host"),
        pytest.param("http/localhost:{port}", id="R137 another name of the same host"),
        pytest.param("http/127.0.0.1:1", id="R130 another port"),
        pytest.param("https/127.0.0.1:{port}", id="R134 another scheme"),
    ],
)
def test_the_credential_is_for_the_provider_s_hosts(
    kernel: Kernel, api: RecordingApi, where: str
) -> None:
    """R113–R121, R130, R134, R137."""
    port = api.url.rpartition(":")[2]
    assert send(kernel, f"/egress/own/{where.format(port=port)}/x").code == "foreign_host"


@pytest.mark.redteam
@pytest.mark.parametrize(
    "where",
    ["http/user@127.0.0.1:1", "http/127.1:1", "http/0x7f.1", "ftp/127.0.0.1", "http/[::1]:1", "x"],
)
def test_a_host_has_one_spelling(kernel: Kernel, where: str) -> None:
    """R116, R131, R134, R136."""
    assert send(kernel, f"/egress/own/{where}/x").code == "bad_request"


@pytest.mark.redteam
@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PROPFIND"])
def test_only_methods_of_an_api(kernel: Kernel, api: RecordingApi, method: str) -> None:
    """R110."""
    assert send(kernel, path(api), method).code == "bad_request"
    assert api.seen == []


@pytest.mark.redteam
def test_an_endpoint_that_hands_out_credentials_is_not_called(
    kernel: Kernel, api: RecordingApi
) -> None:
    """R112: directly, or by a redirect on the same host."""
    assert send(kernel, path(api, "/oauth/token"), "GET").code == "endpoint_denied"
    api.on("/x", Reply(302, (("Location", "/oauth/%74oken"),)))
    assert send(kernel, path(api)).code == "endpoint_denied"
    assert [seen.path for seen in api.seen] == ["/x"]


@pytest.mark.redteam
def test_a_capability_goes_nowhere_else(kernel: Kernel, api: RecordingApi) -> None:
    """ES-22: in a header, a query, escaped or not, and in a body that is cut anywhere."""
    token = kernel.token
    assert send(kernel, path(api), X_Api_Key=token).code == "capability_outbound"
    assert send(kernel, path(api, f"/x?token={token}")).code == "capability_outbound"
    escaped = token.replace("_", "%5F")
    assert send(kernel, path(api, f"/x?token={escaped}")).code == "capability_outbound"
    for before in (b"", b"x" * 65_500, b"x" * 65_530):
        answer = send(kernel, path(api), "POST", before + token.encode())
        assert answer.code == "capability_outbound"
    assert api.seen == []


# What comes back ---------------------------------------------------------------------------------

ECHOES: dict[str, Callable[[], Reply]] = {
    "R93 body": lambda: as_json({"echo": KEY}),
    "R94 header": lambda: as_json({}, X_Echo=KEY),
    "R95 error body": lambda: Reply(500, body=TOKEN),
    "R97 Set-Cookie": lambda: as_json({}, Set_Cookie=f"t={KEY}"),
    "R98 Location": lambda: Reply(302, (("Location", f"https://evil.example/?{KEY}"),)),
    "R99 base64": lambda: Reply(body=base64.b64encode(b"x" + TOKEN)),
    "R102 reversed": lambda: Reply(body=TOKEN[::-1]),
    "R105 gzip": lambda: Reply(headers=(("Content-Encoding", "gzip"),), body=gzip.compress(TOKEN)),
    "R108 chunks": lambda: Reply(body=(TOKEN[i : i + 1] for i in range(len(TOKEN)))),
}


@pytest.mark.redteam
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_an_answer_with_the_credential_is_withheld(
    kernel: Kernel, api: RecordingApi, echo: Callable[[], Reply]
) -> None:
    """R93–R109, R142: a short one has a fixed text."""
    api.on("/x", echo())
    answer = send(kernel, path(api))
    assert answer.broken or answer.code == "response_withheld"
    assert KEY[:12].encode() not in answer.body


@pytest.mark.redteam
@pytest.mark.parametrize("length", [True, False], ids=["with a length", "chunked"])
def test_a_long_answer_breaks_off_before_the_credential(
    kernel: Kernel, api: RecordingApi, length: bool
) -> None:
    """R93, R108: what came before has left, and nothing of the credential."""
    body = b"." * 300_000 + TOKEN + b"." * 300_000
    parts = (part for part in (body[:300_010], body[300_010:]))
    api.on("/x", Reply(body=body if length else parts))
    answer = send(kernel, path(api))
    assert answer.broken
    assert answer.body.strip(b".") in (b"", *(TOKEN[:n] for n in range(5)))


@pytest.mark.redteam
def test_three_echoes_suspend_the_connection(kernel: Kernel, api: RecordingApi) -> None:
    """R142: also when each broke off in the middle."""
    body = b"." * 3_000_000 + TOKEN
    for _ in range(3):
        api.on("/x", Reply(body=body))
        assert send(kernel, path(api)).broken
    api.on("/x", as_json({}))
    answer = send(kernel, path(api), **{wire.CARDS: "1"})
    assert answer.code == "authorization_required"


@pytest.mark.redteam
def test_what_is_upstream_s_own_does_not_come_back(kernel: Kernel, api: RecordingApi) -> None:
    """R97, and headers that would hold for this listener."""
    own = {"Set-Cookie": "a=1", "Alt-Svc": "clear", "Clear-Site-Data": "*", wire.UPSTREAM: "no"}
    api.on("/x", Reply(headers=(*own.items(), ("Strict-Transport-Security", "max-age=1"))))
    answer = send(kernel, path(api))
    assert answer.headers.keys().isdisjoint(n.lower() for n in own if n != wire.UPSTREAM)
    assert "strict-transport-security" not in answer.headers
    assert answer.headers[wire.UPSTREAM.lower()] == "upstream"


# Redirects and links -----------------------------------------------------------------------------


def test_a_redirect_on_the_same_host_is_followed(kernel: Kernel, api: RecordingApi) -> None:
    """L7: a GET, with the credential, by the broker."""
    api.on("/x", Reply(307, (("Location", "/y?z=1"),)))
    api.on("/y", as_json({"there": 1}))
    assert send(kernel, path(api)).body == b'{"there": 1}'
    assert [seen.path for seen in api.seen] == ["/x", "/y?z=1"]


def test_a_redirect_elsewhere_is_returned_and_gets_nothing(
    kernel: Kernel, api: RecordingApi
) -> None:
    """R113."""
    elsewhere = "https://cdn.example/file?signature=1"
    api.on("/x", Reply(302, (("Location", elsewhere),)))
    answer = send(kernel, path(api))
    assert (answer.status, answer.headers["location"]) == (302, elsewhere)


def test_a_redirect_does_not_lead_out_of_a_grant(
    broker: BrokerProcess, kernel: Kernel, api: RecordingApi
) -> None:
    """An open redirect of the API is no way around the paths that the person allowed (X12)."""
    only(broker, kernel, paths="/x /x/*")
    api.on("/x", Reply(302, (("Location", "/x/within"),)))
    api.on("/x/within", Reply(302, (("Location", "/secret"),)))
    answer = send(kernel, path(api))
    assert (answer.status, answer.code) == (403, "limit_reached")
    assert [seen.path for seen in api.seen] == ["/x", "/x/within"]


def test_a_redirect_does_not_turn_a_reading_into_a_write(kernel: Kernel, api: RecordingApi) -> None:
    """R124: under a grant to read, the redirect is the caller's, who is asked before it is sent."""
    api.on("/x", Reply(302, (("Location", "/y?_method=DELETE"),)))
    answer = send(kernel, path(api))
    assert answer.status == 302
    assert answer.headers["location"].endswith("/y?_method=DELETE")
    assert [seen.path for seen in api.seen] == ["/x"]


def test_a_redirect_counts_as_the_call_that_it_is_of(
    broker: BrokerProcess, kernel: Kernel, api: RecordingApi
) -> None:
    only(broker, kernel, per_hour="1")
    api.on("/x", Reply(302, (("Location", "/y"),)))
    api.on("/y", as_json({"there": 1}))
    assert send(kernel, path(api)).body == b'{"there": 1}'
    assert send(kernel, path(api)).code == "limit_reached"


def test_urls_of_the_provider_lead_back_here(kernel: Kernel, api: RecordingApi) -> None:
    """A library that follows a link would else send its capability to the provider."""
    link = f'<{api.url}/x?page=2>; rel="next", <https://docs.example/a>; rel="help"'
    api.on("/x", Reply(307, (("Location", "/y"), ("Link", link))))
    answer = send(kernel, path(api), "HEAD")
    here = f"http://127.0.0.1:{kernel.port}{path(api, '')}"
    assert answer.headers["location"] == f"{here}/y"
    wanted = f'<{here}/x?page=2>; rel="next", <https://docs.example/a>; rel="help"'
    assert answer.headers["link"] == wanted


# The person --------------------------------------------------------------------------------------


def test_a_client_that_shows_no_card_is_held_and_told(
    broker: BrokerProcess, api: RecordingApi
) -> None:
    """ES-03: a library hears a fixed error, unless the person was quick."""
    stranger = broker.kernel("held", notebook="held.ipynb")
    api.on("/x", as_json({"ok": 1}))
    begun = time.monotonic()
    assert send(stranger, path(api)).code == "grant_required"
    assert 3 < time.monotonic() - begun < 20


def test_a_card_is_told_at_once(broker: BrokerProcess, api: RecordingApi) -> None:
    """The same transaction for the same question, and its view beside the error."""
    stranger = broker.kernel("card", notebook="card.ipynb")
    answers = [send(stranger, path(api), **{wire.CARDS: "1"}) for _ in range(2)]
    views = [json.loads(answer.body)[wire.TRANSACTION] for answer in answers]
    assert views[0] == views[1]
    assert views[0]["url"] == f"{ORIGIN}valet/connect/{views[0]['id']}"
    assert views[0]["reason"].startswith('valet.client("own") needs it')


def approve(broker: BrokerProcess, answer: Answered, choice: str = "once") -> dict[str, Any]:
    """Open the page of an approval, and press; return what it showed."""
    asked = {"principal": "owner", "origin": ORIGIN}
    asked["transaction"] = json.loads(answer.body)[wire.TRANSACTION]["id"]
    facts = broker.call("page.open", **asked)
    broker.call("page.allow", **asked, nonce=facts["nonce"], choices={"choice": choice})
    return facts


def test_a_write_is_shown_and_sent_once(
    broker: BrokerProcess, kernel: Kernel, api: RecordingApi
) -> None:
    """Read-only until the person says otherwise, and then for this very request."""
    api.on("/x", as_json({"made": 1}, 201))
    ask = {wire.CARDS: "1", "Content-Type": "application/json"}
    answer = send(kernel, path(api), "POST", b'{"title": "Tides"}', **ask)
    assert (answer.code, api.seen) == ("approval_required", [])
    preview = approve(broker, answer)["preview"]
    assert (preview["method"], preview["path"]) == ("POST", "/x")
    assert "Tides" in preview["body"]
    other = send(kernel, path(api), "POST", b'{"title": "Other"}', **ask)
    assert other.code == "approval_required"
    assert send(kernel, path(api), "POST", b'{"title": "Tides"}', **ask).status == 201
    assert send(kernel, path(api), "POST", b'{"title": "Tides"}', **ask).code == "approval_required"
    assert [seen.body for seen in api.seen] == [b'{"title": "Tides"}']


def test_an_approval_for_the_run_is_for_one_address(
    broker: BrokerProcess, kernel: Kernel, api: RecordingApi
) -> None:
    """Who lets a notebook post to one path has said nothing about another, or about DELETE."""
    api.on("/x", as_json({}))
    ask = {wire.CARDS: "1"}
    approve(broker, send(kernel, path(api), "POST", b"1", **ask), "run")
    assert send(kernel, path(api), "POST", b"2", **ask).status == 200
    assert send(kernel, path(api), "DELETE", **ask).code == "approval_required"
    assert send(kernel, path(api, "/y"), "POST", b"2", **ask).code == "approval_required"


def test_what_cannot_be_shown_cannot_be_approved(
    broker: BrokerProcess, kernel: Kernel, api: RecordingApi
) -> None:
    """A large body is passed on unseen: no approval of an empty request is good for it."""
    ask = {wire.CARDS: "1"}
    for choice in ("once", "run", "notebook"):
        api.on(f"/{choice}", as_json({}))
        target = path(api, f"/{choice}")
        approve(broker, send(kernel, target, "PUT", **ask), choice)
        answer = send(kernel, target, "PUT", b"x" * 400_000, **ask)
        assert answer.code == "approval_too_large"
        assert send(kernel, target, "PUT", **ask).status == 200
    assert {seen.body for seen in api.seen} == {b""}


# Limits ------------------------------------------------------------------------------------------


def test_an_answer_over_the_limit_breaks_off(kernel: Kernel, api: RecordingApi) -> None:
    """It is counted after decompression: a bomb is an answer over the limit."""
    bomb = gzip.compress(bytes(20_000_000))
    api.on("/x", Reply(headers=(("Content-Encoding", "gzip"),), body=bomb))
    answer = send(kernel, path(api))
    assert answer.broken
    assert len(answer.body) <= LIMITS["response_bytes"]


def test_a_body_over_the_limit_is_refused(kernel: Kernel, api: RecordingApi) -> None:
    """Whatever the person would say to it."""
    answer = send(kernel, path(api), "QUERY", b"x" * (LIMITS["request_bytes"] + 1))
    assert answer.code == "request_too_large"


def test_a_body_that_does_not_come_is_not_waited_for(kernel: Kernel, api: RecordingApi) -> None:
    """Not by the second, as before a capability was shown; but not for ever."""
    connection = http.client.HTTPConnection("127.0.0.1", kernel.port, timeout=30)
    try:
        connection.putrequest("QUERY", path(api))
        connection.putheader("Authorization", f"Bearer {kernel.token}")
        connection.putheader("Content-Length", "10")
        connection.endheaders(b"12345")
        assert Answered(connection).code == "bad_request"
    finally:
        connection.close()
    assert api.seen == []


def test_one_kernel_has_so_many_under_way(kernel: Kernel, api: RecordingApi) -> None:
    """The others' requests go on."""
    gate = threading.Event()

    def slow(_: Any) -> Reply:
        gate.wait(10)
        return as_json({})

    api.on("/slow", slow)
    api.on("/x", as_json({}))
    threads = [
        threading.Thread(target=send, args=(kernel, path(api, "/slow")))
        for _ in range(LIMITS["concurrent"])
    ]
    for thread in threads:
        thread.start()
    while len(api.seen) < len(threads):
        time.sleep(0.01)
    answer = send(kernel, path(api))
    gate.set()
    for thread in threads:
        thread.join()
    assert answer.code == "too_many_requests"
    assert send(kernel, path(api)).status == 200


def test_a_client_that_goes_ends_the_request(kernel: Kernel, api: RecordingApi) -> None:
    """Nobody would read the answer: upstream's connection is closed."""
    ended = threading.Event()

    def endless() -> Generator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            ended.set()

    api.on("/x", Reply(body=endless()))
    connection = http.client.HTTPConnection("127.0.0.1", kernel.port, timeout=30)
    connection.request("GET", path(api), headers={"Authorization": f"Bearer {kernel.token}"})
    response = connection.getresponse()
    response.read(100_000)
    response.close()
    connection.close()
    assert ended.wait(10)


def test_a_body_is_sent_again_after_a_refusal(kernel: Kernel, api: RecordingApi) -> None:
    """L17: a 401 means that it was not processed; a key cannot be renewed, so it is asked for."""
    api.on("/x", as_json({}, 401))
    answer = send(kernel, path(api), **{wire.CARDS: "1"})
    assert answer.code == "authorization_required"
    transaction = json.loads(answer.body)[wire.TRANSACTION]
    assert "refused" in transaction["reason"]
