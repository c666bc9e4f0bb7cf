"""The authorization endpoint: what is shown, what is sent back, and where nothing is sent."""

from __future__ import annotations

import re

import pytest
from authorization_world import ISSUER, JANE, ORIGIN, REDIRECT, RESOURCE, World, answered

from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio


async def test_the_page_names_the_program_its_redirect_and_what_it_asks_for(world: World) -> None:
    """BP-01, BP-03: per program, before anything is allowed; and whose word its name is."""
    facts = await world.open(await world.registered(client_name="My Editor"))
    assert (facts.program, facts.host) == ("My Editor", "")
    assert (facts.redirect_uri, facts.kind, facts.claimable) == (REDIRECT, "loopback", True)
    assert [(box.name, box.words) for box in facts.scopes if box.ticked] == [
        ("tools:read", "use all tools that read")
    ]
    assert not facts.known
    assert world.families.clients() == set()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"client_id": "nobody"}, "unknown_program"),
        ({"client_id": None}, "unknown_program"),
        ({"redirect_uri": "https://evil.example/cb"}, "redirect_refused"),
        ({"redirect_uri": f"{REDIRECT}/more"}, "redirect_refused"),
        ({"redirect_uri": "javascript:alert(1)"}, "redirect_refused"),
        ({"redirect_uri": None}, "redirect_refused"),
        ({"client_id": "nobody", "response_type": "token"}, "unknown_program"),
        ({"redirect_uri": "https://evil.example", "scope": "x"}, "redirect_refused"),
    ],
)
async def test_who_asks_and_where_to_come_first_and_nothing_is_sent_elsewhere(
    world: World, change: dict[str, str | None], code: str
) -> None:
    """AS-02, BP-05, RFC 6749 §4.1.2.1: an error page of ours, whatever else is wrong."""
    client_id = change.get("client_id", await world.registered())
    with pytest.raises(ValetError) as refused:
        await world.open(client_id or "", **{k: v for k, v in change.items() if k != "client_id"})
    assert refused.value.code == code


async def test_a_script_of_a_notebook_is_not_sent_the_answer(world: World) -> None:
    """Every loopback port may be asked for, so also the server's own: RFC 8252 §7.3."""
    client_id = await world.registered(redirect_uris=["http://127.0.0.1/files/x.html"])
    here = "http://localhost:8888/"
    asked = {"redirect_uri": "http://127.0.0.1:8888/files/x.html", "resource": f"{here}valet/mcp"}
    with pytest.raises(ValetError) as refused:
        await world.open(client_id, origin=here, **asked)
    assert refused.value.code == "redirect_comes_back"
    asked["redirect_uri"] = "http://127.0.0.1:8889/files/x.html"
    assert (await world.open(client_id, origin=here, **asked)).nonce


@pytest.mark.parametrize(
    "query", ["client_id=a&client_id=b", "client_id=%ff", "&".join(f"a{i}=1" for i in range(40))]
)
async def test_a_request_that_can_be_read_in_two_ways_is_not_read(world: World, query: str) -> None:
    """RFC 6749 §3.1: no parameter comes twice."""
    with pytest.raises(ValetError, match="cannot be read"):
        await world.server.open({"principal": JANE, "origin": ORIGIN, "query": query})


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"resource": None}, "invalid_target"),
        ({"resource": "https://hub.example/user/bob/valet/mcp"}, "invalid_target"),
        ({"resource": f"{RESOURCE}/"}, "invalid_target"),
        ({"scope": "admin openid"}, "invalid_scope"),
    ],
)
async def test_an_unfit_request_is_answered_by_the_persons_press_alone(
    world: World, change: dict[str, str | None], error: str
) -> None:
    """AS-02, AS-05, RFC 9700 §4.11: no open redirector; `state` and `iss` are there."""
    facts = await world.open(await world.registered(), **change)
    assert facts.problem
    assert not facts.nonce
    assert facts.location.startswith(f"{REDIRECT}?")
    told = answered(facts.location)
    told.pop("error_description", None)
    assert told == {"error": error, "state": "the-state", "iss": ISSUER}


async def test_a_yes_sends_a_code_with_state_and_issuer(world: World) -> None:
    """AS-05, RFC 9207 §2."""
    facts = await world.open(await world.registered())
    location = await world.press(facts)
    assert location.startswith(f"{REDIRECT}?code=jvc_")
    assert {**answered(location), "code": ""} == {"code": "", "state": "the-state", "iss": ISSUER}
    assert world.actions == ["client_app.allowed"]


async def test_a_no_is_told_with_state_and_issuer_and_leaves_nothing(world: World) -> None:
    """AS-05."""
    facts = await world.open(await world.registered())
    told = answered(await world.press(facts, method="decline"))
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "the-state", ISSUER)
    assert world.families.clients() == set()
    assert world.actions == ["client_app.declined"]


async def test_a_redirect_keeps_its_own_query(world: World) -> None:
    """RFC 6749 §3.1.2."""
    uri = "https://vscode.dev/redirect?v=1"
    facts = await world.open(await world.registered(redirect_uris=[uri]), redirect_uri=uri)
    location = await world.press(facts)
    assert location.startswith("https://vscode.dev/redirect?v=1&code=")
    assert facts.source == "https://vscode.dev"
    assert not facts.claimable


VS_CODE = {
    "client_name": "Visual Studio Code",
    "client_uri": "https://code.visualstudio.com",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "redirect_uris": [
        "https://insiders.vscode.dev/redirect",
        "https://vscode.dev/redirect",
        "http://127.0.0.1/",
        "http://127.0.0.1:33418/",
    ],
    "scope": "tools:read",
    "token_endpoint_auth_method": "none",
    "application_type": "native",
}
"""As its version 1.139 registers itself."""


@pytest.mark.parametrize(
    ("uri", "state"),
    [
        ("http://127.0.0.1:33418/", "Fbz/16kDYv/7aRcWzN+woA=="),
        ("http://127.0.0.1:50123/", "Fbz/16kDYv/7aRcWzN+woA=="),
        ("https://vscode.dev/redirect", "vscode://x/127.0.0.1%3A8888/a?nonce=0c62&b=%26%2520c+d e"),
    ],
)
async def test_vs_code_gets_its_state_letter_by_letter(world: World, uri: str, state: str) -> None:
    """RFC 6749 §4.1.2; on its usual port, on another one, and by way of its server."""
    facts = await world.open(await world.registered(**VS_CODE), redirect_uri=uri, state=state)
    location = await world.press(facts)
    assert answered(location)["state"] == state
    assert re.search(r"[?&]code=[A-Za-z0-9._~-]+&", location)  # it does not decode this one


async def test_a_press_counts_once_for_its_person_on_its_server_in_time(world: World) -> None:
    """BP-01, BP-06: the nonce is the page's, and the page is a person's."""
    client_id = await world.registered()
    facts = await world.open(client_id)
    for other in ({"principal": "user:bob"}, {"origin": "https://evil.example/"}):
        with pytest.raises(ValetError, match="out of date"):
            await world.press(facts, **other)
    await world.press(facts)
    with pytest.raises(ValetError, match="out of date"):
        await world.press(facts)
    late = await world.open(client_id)
    world.time.now += 601
    with pytest.raises(ValetError, match="out of date"):
        await world.press(late)


async def test_a_program_that_was_approved_is_known_and_shown_all_the_same(world: World) -> None:
    """BP-02: per person, program, redirect and scope; and still nothing goes by itself."""
    client_id = await world.registered(redirect_uris=[REDIRECT, "https://a.example/cb"])
    await world.signed_in(client_id, "tools:read")
    assert (await world.open(client_id)).known
    assert (await world.open(client_id, redirect_uri="http://127.0.0.1:9/callback")).known
    assert (await world.open(client_id, scope="tools:read:demo")).known
    assert not (await world.open(client_id, scope="tools:write")).known
    assert not (await world.open(client_id, redirect_uri="https://a.example/cb")).known
    assert not (await world.open(client_id, principal="user:bob")).known
    assert not (await world.open(await world.registered())).known
    assert (await world.open(client_id)).nonce


async def test_only_what_was_asked_for_or_less_can_be_ticked(world: World) -> None:
    """BP-23: the boxes are the person's, the limit is the request's."""
    client_id = await world.registered()
    facts = await world.open(client_id, scope="tools:read tools:write:demo unheard:of")
    assert [box.name for box in facts.scopes if box.ticked] == ["tools:read", "tools:write:demo"]
    for beyond in ("tools:write", "tools:write:github", "admin", "tools:write:demo "):
        with pytest.raises(ValetError, match="not as it was sent out"):
            await world.press(facts, beyond)
    told: dict[str, object] = {"principal": JANE, "origin": ORIGIN, "nonce": facts.nonce}
    with pytest.raises(ValetError, match="no box is ticked"):
        await world.server.approve({**told, "choices": {}})
    code = answered(await world.press(facts, "tools:read:github", "tools:read:demo"))["code"]
    _, tokens = await world.redeem(client_id, code)
    assert tokens["scope"] == "tools:read:demo tools:read:github"


async def test_a_request_without_scopes_is_for_the_least_that_is_of_use(world: World) -> None:
    """BP-23, RFC 6749 §3.3."""
    facts = await world.open(await world.registered(), scope=None)
    assert [box.name for box in facts.scopes if box.ticked] == ["tools:read"]
