"""Codes and tokens: good once, for one program, one endpoint, one while; and what a theft ends."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from authorization_world import FORM, JANE, World

from jupyter_valet.broker.authorization import Families, tokens
from jupyter_valet.broker.authorization.families import KIND, MOST
from jupyter_valet.broker.clients import Refused
from jupyter_valet.broker.policy import Grant, Subject
from jupyter_valet.broker.vault import Conflict

pytestmark = pytest.mark.anyio

BAD = (400, {"error": "invalid_grant"})
DAY = 86_400.0


async def test_a_code_becomes_tokens_of_an_hour_for_what_was_ticked(world: World) -> None:
    """AS-03, AS-07: short-lived, and to a public client; RFC 6749 §5.1."""
    client_id = await world.registered()
    told = await world.signed_in(client_id, "tools:read")
    assert (told["token_type"], told["expires_in"], told["scope"]) == ("Bearer", 3600, "tools:read")
    proven = await world.prove(told["access_token"])
    assert proven.principal == JANE
    assert proven.client.id.startswith("client:app:")
    assert proven.client.name == "Editor (127.0.0.1)"
    assert proven.client.scopes == {"tools:read"}
    assert proven.client.expires_at == world.time.now + 3600


async def test_no_program_can_choose_an_id_that_has_anothers_grants(world: World) -> None:
    """A client id is the program's own choice where it is a URL: 128 bits, as for a digest."""
    told = await world.signed_in(await world.registered())
    proven = await world.prove(told["access_token"])
    assert len(proven.client.id.removeprefix("client:app:")) == 32


async def test_only_digests_are_kept(world: World) -> None:
    """RS-13, AS-03: who reads the vault's rows comes in with none of them."""
    told = await world.signed_in(await world.registered())
    [record] = world.vault.list(KIND)
    kept = f"{record.id} {record.meta}"
    for secret in (told["access_token"], told["refresh_token"]):
        assert secret not in kept
        assert secret[-32:] not in kept  # without what says whose it is


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": "another-verifier-that-is-long-enough-to-be-one"}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:9/callback"}, "invalid_grant"),
        ({"redirect_uri": ""}, "invalid_grant"),
        ({"resource": "https://hub.example/user/bob/valet/mcp"}, "invalid_target"),
        ({"client_id": ""}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"code": ""}, "invalid_request"),
        ({"code": "jvc_x"}, "invalid_grant"),
    ],
)
async def test_a_code_is_bound_to_all_that_it_was_asked_with(
    world: World, change: dict[str, str], error: str
) -> None:
    """BP-05, CL-09, CL-11, RFC 6749 §5.2: and a wrong guess does not spend it."""
    client_id = await world.registered()
    code = await world.code(client_id)
    status, told = await world.redeem(**{"client_id": client_id, "code": code, **change})
    assert (status, told["error"]) == (400, error)
    assert (await world.redeem(client_id, code))[0] == 200


async def test_a_code_of_one_program_is_worth_nothing_to_another(world: World) -> None:
    """RFC 6749 §4.1.3."""
    client_id, other = await world.registered(), await world.registered()
    code = await world.code(client_id)
    assert await world.redeem(other, code) == BAD
    assert (await world.redeem(client_id, code))[0] == 200


async def test_a_code_is_good_for_a_minute(world: World) -> None:
    """RFC 6749 §4.1.2."""
    client_id = await world.registered()
    code = await world.code(client_id)
    world.time.now += 60
    assert await world.redeem(client_id, code) == BAD


async def test_a_code_ends_with_the_time_that_was_chosen(world: World) -> None:
    """Who says "until the end of today" at its last second means no more than that."""
    client_id = await world.registered()
    code = await world.code(client_id, until="today")
    family = world.families.led_to("jvc_", code)
    assert family
    world.time.now = family.until - 1
    late = await world.code(client_id, until="today")
    world.time.now += 1
    assert await world.redeem(client_id, late) == BAD


async def test_a_code_that_comes_twice_ends_what_came_of_it(world: World) -> None:
    """RFC 6749 §4.1.2, RFC 9700 §4.2: one of the two has stolen it."""
    client_id = await world.registered()
    code = await world.code(client_id)
    _, told = await world.redeem(client_id, code)
    assert await world.redeem(client_id, code) == BAD
    with pytest.raises(Refused):
        await world.prove(told["access_token"])
    assert await world.refresh(client_id, told["refresh_token"]) == BAD
    assert world.actions == ["client_app.allowed", "client_app.replayed"]


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_family(world: World) -> None:
    """AS-03, RFC 9700 §4.14.2: however often it was refreshed since."""
    client_id = await world.registered()
    first = await world.signed_in(client_id)
    token, latest = first["refresh_token"], {}
    for _ in range(12):
        status, latest = await world.refresh(client_id, token)
        assert status == 200
        assert latest["refresh_token"] != token
        token = latest["refresh_token"]
        world.time.now += 1
    assert await world.refresh(client_id, first["refresh_token"]) == BAD
    assert await world.refresh(client_id, token) == BAD
    with pytest.raises(Refused):
        await world.prove(latest["access_token"])


async def test_a_refresh_whose_answer_was_lost_is_answered_again(world: World) -> None:
    """A program on a bad line must not lose its sign-in and its grants, nor get two of it.

    RFC 9700 §4.14.2 wants theft to show, and leaves to the server how long an answer may be on its
    way. What went out and was not used is good no more.
    """
    client_id = await world.registered()
    first = await world.signed_in(client_id)
    _, lost = await world.refresh(client_id, first["refresh_token"])
    world.time.now += 30
    _, lost_too = await world.refresh(client_id, first["refresh_token"])
    world.time.now += 29
    status, last = await world.refresh(client_id, first["refresh_token"])
    assert status == 200
    for never_came in (lost, lost_too):
        with pytest.raises(Refused):
            await world.prove(never_came["access_token"])
    await world.prove(first["access_token"])
    await world.prove(last["access_token"])
    assert (await world.refresh(client_id, last["refresh_token"]))[0] == 200
    assert "client_app.replayed" not in world.actions


@pytest.mark.parametrize("sign", ["the access token", "the refresh token", "a minute"])
async def test_once_the_answer_has_come_a_second_refresh_is_a_theft(
    world: World, sign: str
) -> None:
    """RFC 9700 §4.14.2: it ends the sign-in, whoever of both is the thief."""
    client_id = await world.registered()
    first = await world.signed_in(client_id)
    _, second = await world.refresh(client_id, first["refresh_token"])
    if sign == "the access token":
        await world.prove(second["access_token"])
    elif sign == "the refresh token":
        await world.refresh(client_id, second["refresh_token"])
    else:
        world.time.now += 60
    assert await world.refresh(client_id, first["refresh_token"]) == BAD
    assert await world.refresh(client_id, second["refresh_token"]) == BAD
    with pytest.raises(Refused):
        await world.prove(second["access_token"])
    assert world.actions[-1] == "client_app.replayed"


async def test_a_theft_within_the_minute_ends_with_the_next_step_of_the_other(
    world: World,
) -> None:
    """Of two who refresh with one token, the first has tokens that are good for nothing but that,
    whichever of both is the thief."""
    client_id = await world.registered()
    stolen = (await world.signed_in(client_id))["refresh_token"]
    one = (await world.refresh(client_id, stolen))[1]
    other = (await world.refresh(client_id, stolen))[1]
    with pytest.raises(Refused):
        await world.prove(one["access_token"])
    await world.prove(other["access_token"])
    assert await world.refresh(client_id, one["refresh_token"]) == BAD
    with pytest.raises(Refused):
        await world.prove(other["access_token"])
    assert world.actions[-1] == "client_app.replayed"


async def test_a_first_use_and_a_second_refresh_at_once_are_seen(world: World) -> None:
    """The one that comes second looks again at what the first has stored."""
    client_id = await world.registered()
    first = await world.signed_in(client_id)
    _, second = await world.refresh(client_id, first["refresh_token"])
    elsewhere = Families(world.vault, clock=world.time)
    family = elsewhere.led_to("jvr_", first["refresh_token"])
    assert family
    assert (await world.refresh(client_id, first["refresh_token"]))[0] == 200
    assert not elsewhere.used(family, second["access_token"])
    with pytest.raises(Refused):
        await world.prove(second["access_token"])


async def test_two_processes_that_refresh_at_once_do_not_both_get_tokens(world: World) -> None:
    """AS-03: the vault refuses the second step, and neither is believed."""
    client_id = await world.registered()
    told = await world.signed_in(client_id)
    elsewhere = Families(world.vault, clock=world.time)
    family = elsewhere.led_to("jvr_", told["refresh_token"])
    assert family
    assert (await world.refresh(client_id, told["refresh_token"]))[0] == 200
    with pytest.raises(Conflict):
        elsewhere.save(family.issued("jvo_x", "jvr_x", "tools:read", world.time.now))


async def test_a_refresh_may_take_less_and_keeps_the_rest_for_later(world: World) -> None:
    """RFC 6749 §6, RS-10: less may be a part of what was ticked."""
    client_id = await world.registered()
    told = await world.signed_in(client_id, "tools:read")
    _, less = await world.refresh(client_id, told["refresh_token"], scope="tools:read:demo")
    assert less["scope"] == "tools:read:demo"
    assert (await world.prove(less["access_token"])).client.scopes == {"tools:read:demo"}
    _, again = await world.refresh(client_id, less["refresh_token"])
    assert again["scope"] == "tools:read"


@pytest.mark.parametrize("scope", ["tools:write", "tools:write:demo", "tools:read admin"])
async def test_a_refresh_takes_no_more_than_was_ticked(world: World, scope: str) -> None:
    """RFC 6749 §6."""
    client_id = await world.registered()
    told = await world.signed_in(client_id, "tools:read")
    status, refused = await world.refresh(client_id, told["refresh_token"], scope=scope)
    assert (status, refused["error"]) == (400, "invalid_scope")
    assert (await world.refresh(client_id, told["refresh_token"]))[0] == 200


async def test_a_second_request_for_more_gives_what_is_ticked_of_all_of_it(world: World) -> None:
    """S26 step-up: the program asks for the union; the first sign-in stays as it is."""
    client_id = await world.registered()
    first = await world.signed_in(client_id, "tools:read")
    more = await world.signed_in(client_id, "tools:read", "tools:write:demo")
    assert more["scope"] == "tools:read tools:write:demo"
    assert (await world.prove(first["access_token"])).client.scopes == {"tools:read"}
    again = await world.prove(more["access_token"])
    assert again.client.id == (await world.prove(first["access_token"])).client.id


async def test_a_token_is_for_the_endpoint_that_it_was_asked_for(world: World) -> None:
    """RS-05, RFC 8707: also against another name of the same server."""
    told = await world.signed_in(await world.registered())
    with pytest.raises(Refused):
        await world.prove(told["access_token"], "http://127.0.0.1:8888/valet/mcp")


async def test_an_access_token_ends_after_an_hour_and_a_refresh_token_after_thirty_days(
    world: World,
) -> None:
    """AS-03, RS-04."""
    client_id = await world.registered()
    told = await world.signed_in(client_id)
    world.time.now += 3600
    with pytest.raises(Refused):
        await world.prove(told["access_token"])
    world.time.now += 30 * DAY - 3601
    status, told = await world.refresh(client_id, told["refresh_token"])
    assert status == 200
    world.time.now += 30 * DAY
    assert await world.refresh(client_id, told["refresh_token"]) == BAD


async def test_nobody_stays_signed_in_for_longer_than_was_chosen(world: World) -> None:
    """AS-03: ninety days at most, or what the person said."""
    client_id = await world.registered()
    token = (await world.signed_in(client_id))["refresh_token"]
    for _ in range(4):
        world.time.now += 22 * DAY
        status, told = await world.refresh(client_id, token)
        assert status == 200
        token = told["refresh_token"]
    world.time.now += 2 * DAY
    assert await world.refresh(client_id, token) == BAD
    week = await world.signed_in(client_id, until="week")
    world.time.now += 7 * DAY - 600
    _, short = await world.refresh(client_id, week["refresh_token"])
    assert short["expires_in"] == 600
    world.time.now += 600
    with pytest.raises(Refused):
        await world.prove(short["access_token"])


async def test_a_made_up_refresh_token_ends_nothing_of_those_whose_access_token_it_knows(
    world: World,
) -> None:
    """An access token is shown to the endpoint; whoever sees it must not end the sign-in by it."""
    client_id = await world.registered()
    told = await world.signed_in(client_id)
    ids = (tokens.key("jvo_", told["access_token"]), "0" * 32)
    guesses = [f"jvr_{id}_{'a' * 43}" for id in ids]
    for guess in (*guesses, "jvr_", "x", told["access_token"]):
        assert await world.refresh(client_id, guess) == BAD
    assert (await world.refresh(client_id, told["refresh_token"]))[0] == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_a_revoked_token_ends_its_sign_in(world: World, which: str) -> None:
    """RFC 7009 §2.1: of the program that it was issued to, and of no other."""
    client_id, other = await world.registered(), await world.registered()
    told = await world.signed_in(client_id)
    for who, hint in ((other, ""), (client_id, "what_is_this")):
        body = urlencode({"client_id": who, "token": told[which], "token_type_hint": hint})
        assert (await world.post("revoke", body))[0] == 200
        if who == other:
            await world.prove(told["access_token"])
    with pytest.raises(Refused):
        await world.prove(told["access_token"])
    assert await world.refresh(client_id, told["refresh_token"]) == BAD
    assert world.actions[-1] == "client_app.ended"


async def test_with_the_last_sign_in_its_grants_and_streams_end(world: World) -> None:
    """RS-11, BP-02: an approval of the past is none for whoever comes next in that name."""
    client_id = await world.registered()
    first, second = [await world.signed_in(client_id) for _ in range(2)]
    client = (await world.prove(first["access_token"])).client.id
    world.grants.give(Grant(Subject(JANE, client=client), "github-1"))
    ended: list[tuple[str, str]] = []
    looks: list[str] = []
    world.ending.on_end(lambda who, what: ended.append((who, what)))
    world.ending.on_change(lambda: looks.append("anew"))
    await world.post("revoke", urlencode({"client_id": client_id, "token": first["refresh_token"]}))
    assert (ended, looks) == ([], ["anew"])
    assert (await world.open(client_id)).grants == ["github-1"]
    token = second["refresh_token"]
    _, third = await world.refresh(client_id, token)
    await world.prove(third["access_token"])
    assert await world.refresh(client_id, token) == BAD  # stolen: it came twice
    assert ended == [(JANE, client)]
    assert (await world.open(client_id)).grants == []


async def test_to_revoke_what_is_not_good_is_no_error_and_to_name_no_token_is(
    world: World,
) -> None:
    """RFC 7009 §2.2."""
    client_id = await world.registered()
    assert await world.post("revoke", f"client_id={client_id}&token=x") == (200, {})
    assert (await world.post("revoke", f"client_id={client_id}"))[1]["error"] == "invalid_request"
    assert (await world.post("revoke", "token=x"))[1]["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"grant_type": "authorization_code"}', "application/json"),
        ("grant_type=authorization_code&grant_type=refresh_token", FORM),
        ("grant_type=%ff", FORM),
        ("", ""),
        ("grant_type=authorization_code", "multipart/form-data; boundary=x"),
    ],
)
async def test_what_is_no_form_is_refused(world: World, body: str, kind: str) -> None:
    """RFC 6749 §3.2: form-encoded, each parameter once."""
    status, told = await world.post("token", body, kind)
    assert (status, told["error"]) == (400, "invalid_request")


async def test_over_plain_http_to_another_machine_no_token_is_given(world: World) -> None:
    """OAuth 2.1 §1.5: https, or loopback."""
    body = urlencode({"grant_type": "refresh_token", "client_id": "x", "refresh_token": "x"})
    for endpoint in ("token", "revoke"):
        status, told = await world.post(endpoint, body, origin="http://jupyter.lan:8888/")
        assert (status, told["error"]) == (400, "insecure_transport")


async def test_one_program_has_sixteen_sign_ins_of_a_person_at_most(world: World) -> None:
    """One more ends the one that was used longest ago; the vault does not fill up."""
    client_id = await world.registered()
    first = await world.signed_in(client_id)
    for _ in range(MOST):
        world.time.now += 1
        last = await world.signed_in(client_id)
    with pytest.raises(Refused):
        await world.prove(first["access_token"])
    await world.prove(last["access_token"])
    assert len(world.families.of(JANE)) == MOST


async def test_what_is_over_is_swept_and_the_use_of_a_token_is_seen(world: World) -> None:
    """The connections page says when a program was last here, without a write for each call."""
    client_id = await world.registered()
    told = await world.signed_in(client_id)
    start = world.time.now
    world.time.now += 599
    await world.prove(told["access_token"])
    assert [family.used_at for family in world.families.of(JANE)] == [start]
    world.time.now += 2
    await world.prove(told["access_token"])
    assert [family.used_at for family in world.families.of(JANE)] == [world.time.now]
    world.time.now += 91 * DAY
    await world.code(client_id)
    assert len(world.vault.list(KIND)) == 1
