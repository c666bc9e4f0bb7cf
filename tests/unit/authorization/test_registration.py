"""Programs that register, and those whose id is the address of a document."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from authorization_world import REDIRECT, World

from jupyter_valet.broker.authorization import registry
from jupyter_valet.broker.authorization.documents import Documents, is_url, lifetime
from jupyter_valet.broker.authorization.registry import KIND
from jupyter_valet.wire.authorization import metadata
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

CLIENT_ID = "https://agent.example/oauth/client.json"
DOCUMENT = {
    "client_id": CLIENT_ID,
    "client_name": "Agent",
    "redirect_uris": ["http://localhost/callback", "https://agent.example/cb"],
    "token_endpoint_auth_method": "none",
}


def test_the_metadata_say_what_there_is() -> None:
    """AS-01, AS-05, AS-06, AS-07, RFC 8414 §2, RFC 9207 §3: and nothing that there is not."""
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
    from authlib.oauth2.rfc9207 import AuthorizationServerMetadata as WithIssuer

    told = metadata("https://hub.example/user/jane/")
    AuthorizationServerMetadata(told).validate(metadata_classes=[WithIssuer])
    assert told["issuer"] == "https://hub.example/user/jane/valet/oauth"
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["token_endpoint_auth_methods_supported"] == ["none"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["client_id_metadata_document_supported"] is True
    assert told["scopes_supported"] == ["tools:read", "tools:write"]
    assert all(told[f"{name}_endpoint"].startswith(told["issuer"]) for name in (
        "authorization", "token", "registration", "revocation"
    ))  # fmt: skip


def test_a_server_that_fetches_no_documents_says_so() -> None:
    """AS-04: then a program that has one registers itself."""
    told = metadata("https://hub.example/", client_documents=False)
    assert told["client_id_metadata_document_supported"] is False
    assert told["registration_endpoint"]


# Registration (RFC 7591) -------------------------------------------------------------------------


async def test_every_program_becomes_a_public_client(world: World) -> None:
    """AS-06, AS-07: it gets no secret, whatever it asks for; RFC 7591 §3.2.1."""
    status, told = await world.register(
        token_endpoint_auth_method="client_secret_basic",
        grant_types=["client_credentials"],
        response_types=["token"],
        application_type="native",
        scope="tools:write",
        logo_uri="https://x.example/logo",
        jwks={"keys": []},
    )
    assert status == 201
    assert told.pop("client_id").startswith("app-")
    assert told.pop("client_id_issued_at") == int(world.time.now)
    assert told == {
        "client_name": "Editor",
        "redirect_uris": [REDIRECT],
        "application_type": "native",
        "scope": "tools:write",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }


@pytest.mark.parametrize(
    "uris",
    [
        None,
        [],
        REDIRECT,
        [1],
        ["javascript:alert(1)"],
        ["http://evil.example/cb"],
        ["https://a.example/#x"],
        [REDIRECT, "data:text/html,x"],
        [REDIRECT] * 11,
        {"a": REDIRECT},
    ],
)
async def test_a_program_registers_redirects_that_can_be_redirected_to(
    world: World, uris: Any
) -> None:
    """AS-02, RFC 7591 §3.2.2."""
    status, told = await world.register(redirect_uris=uris)
    assert (status, told["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    "said",
    [
        {"client_name": 1},
        {"client_name": "x" * 2001},
        {"application_type": "desktop"},
        {"application_type": ["web"]},
        {"scope": ["tools:read"]},
        {"software_id": {}},
    ],
)
async def test_metadata_of_another_form_are_refused(world: World, said: dict[str, Any]) -> None:
    """RFC 7591 §3.2.2."""
    status, told = await world.register(**said)
    assert (status, told["error"]) == (400, "invalid_client_metadata")


async def test_a_web_client_has_https_alone(world: World) -> None:
    """CL-07 from the other side: OpenID Connect Dynamic Client Registration §2."""
    assert (await world.register(application_type="web"))[1]["error"] == "invalid_redirect_uri"
    uris = ["https://a.example/cb"]
    assert (await world.register(application_type="web", redirect_uris=uris))[0] == 201


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("[]", "application/json"),
        ("{", "application/json"),
        ('{"a": 1, "a": 2}', "application/json"),
        ("", "application/json"),
        ("{}", "application/x-www-form-urlencoded"),
        ("[" * 20_000, "application/json"),
    ],
)
async def test_what_is_no_json_object_is_refused(world: World, body: str, kind: str) -> None:
    status, told = await world.post("register", body, kind)
    assert (status, told["error"]) == (400, "invalid_request")


async def test_a_name_is_one_line_that_can_be_read(world: World) -> None:
    """BP-03: it is shown to people, as its own word."""
    tricky = "Claude\n\u202eedoC " + "x" * 200
    facts = await world.open(await world.registered(client_name=tricky))
    assert facts.program.startswith("Claude edoC xxx")
    assert len(facts.program) == 60
    assert (await world.open(await world.registered(client_name=" \n"))).program.startswith(
        "A program without"
    )


async def test_of_strangers_twenty_a_minute_are_kept_and_nobody_is_kept_out(world: World) -> None:
    """AS-06: it is open to everybody, so what it costs has a bound; RFC 7591 A.5.2."""
    for _ in range(registry.PER_MINUTE + 30):
        assert (await world.register())[0] == 201
    assert len(world.vault.list(KIND)) == registry.PER_MINUTE
    status, mine = await world.register()
    assert status == 201
    told = await world.signed_in(mine["client_id"])
    assert len(world.vault.list(KIND)) == registry.PER_MINUTE + 1  # what was approved is kept
    world.time.now += 3600
    assert (await world.refresh(mine["client_id"], told["refresh_token"]))[0] == 200
    short = (await world.register())[1]["client_id"]
    assert len(short) < 40


async def test_an_id_that_holds_its_program_cannot_be_made_up_and_does_not_last(
    world: World,
) -> None:
    """Nor can a stranger change where its answer goes."""
    for _ in range(registry.PER_MINUTE):
        await world.register()
    client_id = (await world.register())[1]["client_id"]
    assert (await world.open(client_id)).program == "Editor"
    held, _, seal = client_id.removeprefix("app-").partition(".")
    facts = json.loads(base64.urlsafe_b64decode(held + "=="))
    evil = json.dumps([*facts[:4], "https://evil.example/"]).encode()
    made_up = base64.urlsafe_b64encode(evil).decode().rstrip("=")
    for other in (f"app-{made_up}.{seal}", f"app-{held}.", f"app-{held}", f"{client_id}A", "app-."):
        with pytest.raises(ValetError, match="does not know"):
            await world.open(other)
    world.time.now += 900
    with pytest.raises(ValetError, match="does not know"):
        await world.open(client_id)


async def test_one_that_is_too_large_for_an_id_waits(world: World) -> None:
    for _ in range(registry.PER_MINUTE):
        await world.register()
    with pytest.raises(ValetError, match="Too many programs"):
        await world.register(redirect_uris=["https://app.example/" + "x" * 900] * 2)


async def test_the_oldest_program_that_nobody_uses_makes_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AS-06: who is signed in stays, and so does who has just come."""
    monkeypatch.setattr(registry, "MOST", 3)
    used = await world.registered()
    token = (await world.signed_in(used))["refresh_token"]
    idle = await world.registered()
    world.time.now += 901
    fresh = await world.registered()
    new = await world.registered()
    assert world.registry.get(idle) is None
    assert all(world.registry.get(known) for known in (used, fresh, new))
    assert (await world.refresh(used, token))[0] == 200
    assert world.registry.get((await world.register())[1]["client_id"])  # its id says all of it
    assert len(world.vault.list(KIND)) == 3


# Documents ---------------------------------------------------------------------------------------


def serve(
    world: World, answer: Callable[[httpx2.Request], httpx2.Response]
) -> list[httpx2.Request]:
    """Answer the fetches of documents; return the list that they get into."""
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return answer(request)

    world.use(
        Documents(
            world.registry,
            http=lambda: httpx2.AsyncClient(transport=httpx2.MockTransport(handle)),
            clock=world.time,
        )
    )
    return seen


def document(**changes: Any) -> httpx2.Response:
    headers = changes.pop("headers", {})
    return httpx2.Response(200, json={**DOCUMENT, **changes}, headers=headers)


async def test_a_document_makes_a_program_known_and_its_host_is_shown(world: World) -> None:
    """AS-04, BP-03."""
    serve(world, lambda _: document())
    facts = await world.open(CLIENT_ID, redirect_uri="http://localhost:5000/callback")
    assert (facts.program, facts.host, facts.client_id) == ("Agent", "agent.example", CLIENT_ID)
    assert facts.redirect_uri == "http://localhost:5000/callback"
    assert world.vault.list(KIND) == []  # nobody has let it in yet
    location = await world.press(facts)
    assert location.startswith("http://localhost:5000/callback?code=")
    assert len(world.vault.list(KIND)) == 1


async def test_a_program_of_this_machine_only_is_warned_of(world: World) -> None:
    """AS-04: any other program could claim the same document."""
    serve(world, lambda _: document())
    assert (await world.open(CLIENT_ID, redirect_uri="http://localhost:1/callback")).claimable
    assert not (await world.open(CLIENT_ID, redirect_uri="https://agent.example/cb")).claimable


async def test_documents_that_are_only_looked_at_do_not_pile_up(world: World) -> None:
    """AS-04, BP-14: a page that opens and opens costs the vault nothing, and little memory."""
    serve(world, lambda request: document(client_id=str(request.url)))
    for number in range(registry.MOST_SEEN + 2):
        url = f"{CLIENT_ID}?{number}"
        await world.open(url, redirect_uri="https://agent.example/cb")
    assert world.vault.list(KIND) == []
    assert world.registry.get(f"{CLIENT_ID}?0") is None
    assert world.registry.get(url)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://agent.example/oauth/other.json"},
        {"client_id": None},
        {"redirect_uris": []},
        {"redirect_uris": "https://agent.example/cb"},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"client_secret": "s"},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "private_key_jwt"},
    ],
)
async def test_a_document_that_is_not_what_it_must_be_is_refused(
    world: World, changes: dict[str, Any]
) -> None:
    """AS-04: its id, its redirects, its structure; and no secret is shared by a public file."""
    serve(world, lambda _: document(**changes))
    with pytest.raises(ValetError) as refused:
        await world.open(CLIENT_ID, redirect_uri="https://agent.example/cb")
    assert refused.value.code == "client_document_refused"
    assert world.registry.get(CLIENT_ID) is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(302, headers={"location": "http://169.254.169.254/"}),
        httpx2.Response(404),
        httpx2.Response(200, content=b"<html>"),
        httpx2.Response(200, content=b"[]"),
        httpx2.Response(200, content=b"\xff"),
    ],
)
async def test_what_is_not_a_document_is_refused_and_no_redirect_is_followed(
    world: World, answer: httpx2.Response
) -> None:
    """AS-04, BP-12, BP-14."""
    seen = serve(world, lambda _: answer)
    for _ in range(2):  # an error is not kept
        with pytest.raises(ValetError, match="cannot be used"):
            await world.open(CLIENT_ID)
    assert len(seen) == 2
    assert {str(request.url) for request in seen} == {CLIENT_ID}


async def test_a_document_out_of_reach_is_none_of_the_program_s_faults(world: World) -> None:
    """A server without a way to the internet: the person hears what to do about that."""
    world.use(Documents(world.registry, clock=world.time))
    with pytest.raises(ValetError) as refused:
        await world.open("https://agent.invalid/client.json")
    assert refused.value.code == "client_document_unreachable"
    assert "at agent.invalid, which this server cannot reach" in str(refused.value)


async def test_a_compressed_document_is_not_read(world: World) -> None:
    """10 KB of it may hold megabytes (`egress/vetted.py`)."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.DecodingError("an encoding that was not asked for")

    serve(world, answer)
    with pytest.raises(ValetError, match="compressed") as refused:
        await world.open(CLIENT_ID)
    assert refused.value.code == "client_document_refused"


async def test_where_none_is_fetched_a_program_with_a_document_is_unknown(world: World) -> None:
    seen = serve(world, lambda _: document())
    world.use(Documents(world.registry, fetches=False, clock=world.time))
    with pytest.raises(ValetError) as refused:
        await world.open(CLIENT_ID)
    assert refused.value.code == "unknown_program"
    assert not seen


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1:1", "10.0.0.1", "169.254.169.254"])
async def test_no_document_is_fetched_from_where_a_stranger_must_not_reach(
    world: World, host: str
) -> None:
    """BP-09, BP-11, BP-14: addresses are vetted as a provider's are."""
    with pytest.raises(ValetError) as refused:
        await world.open(f"https://{host}/client.json")
    assert refused.value.code in ("client_document_refused", "unknown_program")
    assert "169.254" not in str(refused.value)


@pytest.mark.parametrize(
    "client_id",
    [
        "http://agent.example/c",
        "https://agent.example",
        "https://agent.example/",
        "https://agent.example?x",
        "https://agent.example/a/../c",
        "https://agent.example/%2e%2e/c",
        "https://u@agent.example/c",
        "https://agent.example/c#x",
        "app-1",
        "https://",
    ],
)
def test_a_client_id_is_a_document_only_in_the_strict_form(client_id: str) -> None:
    """AS-04, draft-ietf-oauth-client-id-metadata-document §3."""
    assert is_url(CLIENT_ID)
    assert not is_url(client_id)


async def test_a_document_is_kept_as_long_as_it_may_be(world: World) -> None:
    """AS-04: HTTP caching, within bounds of ours; a program that changed is looked at anew."""
    name = ["Agent"]
    headers = {"cache-control": "public, max-age=600"}
    seen = serve(world, lambda _: document(client_name=name[0], headers=headers))
    where = {"redirect_uri": "https://agent.example/cb"}
    await world.open(CLIENT_ID, **where)
    name[0] = "Another"
    world.time.now += 599
    assert (await world.open(CLIENT_ID, **where)).program == "Agent"
    world.time.now += 1
    assert (await world.open(CLIENT_ID, **where)).program == "Another"
    assert len(seen) == 2


def test_the_life_of_a_document_has_bounds() -> None:
    """AS-04."""
    texts = ("", "max-age=0", "no-store", "s-maxage=1, max-age=900")
    assert [lifetime(text) for text in texts] == [3600, 300, 300, 900]
    assert lifetime("MAX-AGE=99999999") == 86_400
