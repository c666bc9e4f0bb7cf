"""API keys: typed on the isolated page, sealed, injected, asked for again, suspended."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from broker_process import ORIGIN, BrokerProcess
from keyed_world import JANE, KEY, KeyedApi, KeyedWorld, keyed_world

from jupyter_valet.broker.egress import Withheld
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.wire.errors import ValetError
from jupyter_valet.wire.views import Kind

pytestmark = pytest.mark.anyio

PLACES: dict[str, dict[str, Any]] = {
    "bearer": {},
    "token": {"key": {"in": "header", "name": "Authorization", "prefix": "Token "}},
    "header": {"key": {"in": "header", "name": "X-Api-Key"}},
    "query": {"key": {"in": "query", "name": "appid"}},
    "basic": {"key": {"in": "basic", "user": "api"}},
}


@pytest.fixture
async def api() -> AsyncIterator[KeyedApi]:
    async with KeyedApi() as api:
        yield api


@pytest.fixture
async def here(tmp_path: Path, api: KeyedApi) -> AsyncIterator[KeyedWorld]:
    async with keyed_world(tmp_path, api) as world:
        yield world


@pytest.mark.parametrize("settings", PLACES.values(), ids=PLACES.keys())
async def test_a_typed_key_makes_the_call_that_asked_for_it(
    tmp_path: Path, api: KeyedApi, settings: dict[str, Any]
) -> None:
    """Issue 4, item 5: header, query and Basic; issue 2, item 8: typed on the isolated page."""
    api.good.add(f"api:{KEY}")
    async with keyed_world(tmp_path, api, **settings) as here:
        assert await here.needs() == "The tool weather.report needs it."
        transaction = here.ask()
        facts = await here.open(transaction)
        assert (facts["step"], facts["provider_host"]) == ("api_key", api.url.partition("//")[2])
        assert (facts["scopes"], facts["redirect_uri"]) == ([], ORIGIN + "valet/callback/weather")
        await here.type_key(transaction)
        assert (await here.call()).data == {"rain": 3}


async def test_one_key_leaves_other_notebooks_the_grant_alone(here: KeyedWorld) -> None:
    """As a sign-in does; a card of the same notebook is finished by it."""
    again = Caller("jane", "k3", JANE.notebook, ORIGIN)
    same = here.transactions.create(again, provider="weather", scopes=(), reason="another")
    first = here.ask()
    caller = Caller("jane", "k2", "b.ipynb", ORIGIN)
    other = here.transactions.create(caller, provider="weather", scopes={"x"}, reason="why")
    await here.type_key(first)
    assert [here.get(t).state for t in (first, same, other)] == ["done", "done", "waiting"]
    assert here.get(other).kind is Kind.GRANT
    assert here.recorded("connection.made") == [("connection.made", "ok")]


async def test_the_key_is_in_no_file_view_event_or_error(here: KeyedWorld) -> None:
    """D1: it goes from the form to the vault and to the API, and nowhere else."""
    facts = await here.type_key(here.ask())
    await here.call()
    views = [view.to_json() for view in here.connections.views("jane")]
    assert views[0]["kind"] == "api_key"
    page = await here.consent.connections_page({"principal": "jane", "origin": ORIGIN})
    assert KEY not in json.dumps([facts, views, page])
    assert_in_no_file(here.state)


def assert_in_no_file(folder: Path) -> None:
    for path in folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"key": ""}, "the key is missing", id="nothing"),
        pytest.param({"key": " \n"}, "the key is missing", id="only spaces"),
        pytest.param({"key": "two words"}, "a space or a line break inside", id="a space"),
        pytest.param({"key": "two\nlines"}, "a space or a line break inside", id="two lines"),
        pytest.param({"key": "caf\u00e9"}, "not plain ASCII", id="an accent"),
        pytest.param({"key": "a\0b"}, "not plain ASCII", id="NUL"),
        pytest.param({"key": "x" * 4097}, "more than 4,096", id="too long"),
        pytest.param({"label": "x" * 101}, "at most 100", id="a long name"),
        pytest.param({"label": "a\u202eb"}, "at most 100", id="a name that reverses"),
    ],
)
async def test_what_cannot_be_a_key_is_said_and_the_page_stays(
    here: KeyedWorld, fields: dict[str, str], words: str
) -> None:
    """A clear line, with nothing of what was typed in it; then the right key works."""
    transaction = here.ask()
    with pytest.raises(ValetError, match=words) as caught:
        await here.type_key(transaction, **fields)
    assert caught.value.code == "key_refused"
    assert "caf" not in str(caught.value)
    assert here.api.seen == []
    assert not here.get(transaction).state.final
    await here.type_key(transaction, f"  {KEY}\r\n")  # as it is pasted
    assert here.get(transaction).state == "done"


@pytest.mark.parametrize("key", ["x" * 4096, "~", "p@ss:w0rd/+=&%"])
async def test_a_key_may_be_any_printable_ascii(here: KeyedWorld, key: str) -> None:
    here.api.good.add(key)
    await here.connect(key)
    if len(key) > 1:  # one character is in every answer
        assert (await here.call()).data == {"rain": 3}
    assert key in here.api.sent_keys() or len(key) == 1


async def test_a_wrong_nonce_saves_nothing(here: KeyedWorld) -> None:
    """Design 5.5: the authority of the post is the page's nonce."""
    with pytest.raises(ValetError, match="out of date"):
        await here.type_key(here.ask(), nonce="guess")
    assert here.connections.find("jane", "weather") == []


async def test_a_page_that_was_used_takes_no_second_key(here: KeyedWorld) -> None:
    """A stolen nonce is worth nothing afterwards."""
    transaction = here.ask()
    nonce = (await here.open(transaction))["nonce"]
    await here.type_key(transaction)
    with pytest.raises(ValetError, match="out of date"):
        await here.type_key(transaction, "another-key", nonce=nonce)
    assert (await here.call()).data == {"rain": 3}


async def test_a_key_page_is_not_approved(here: KeyedWorld) -> None:
    """There is no provider to send the browser to."""
    transaction = here.ask()
    nonce = (await here.open(transaction))["nonce"]
    press = {"transaction": transaction.id, "principal": "jane", "origin": ORIGIN, "nonce": nonce}
    with pytest.raises(ValetError, match="out of date"):
        await here.consent.approve(press)


async def test_a_no_while_the_host_is_asked_is_a_no(here: KeyedWorld) -> None:
    """ES-14: what comes after it makes no connection."""
    transaction = here.ask()
    here.api.meanwhile = lambda: here.transactions.end(transaction.id, "decline")
    with pytest.raises(ValetError, match="out of date"):
        await here.type_key(transaction)
    assert here.connections.find("jane", "weather") == []
    assert KEY not in here.api.sent_keys()


async def test_a_key_that_is_refused_is_asked_for_again_with_the_reason(here: KeyedWorld) -> None:
    """401: no refresh, no second request with the same key; the new key takes the name's place."""
    await here.connect(label="work")
    here.api.good = {"wk-the-next-key-of-the-person"}
    before = len(here.api.seen)
    assert await here.needs() == "The tool weather.report needs it; the API key was refused."
    assert len(here.api.seen) == before + 1
    assert await here.needs() == "The tool weather.report needs it; the API key was refused."
    assert len(here.api.seen) == before + 1
    transaction = here.ask()
    facts = await here.open(transaction)
    assert facts["label"] == "work"
    await here.type_key(transaction, "wk-the-next-key-of-the-person", label="work")
    assert (await here.call()).data == {"rain": 3}
    assert len(here.connections.find("jane", "weather")) == 1


async def test_another_name_is_another_key(here: KeyedWorld) -> None:
    await here.connect()
    await here.connect("wk-another-key-of-the-same-person", label="work")
    labels = [view.account for view in here.connections.views("jane")]
    assert sorted(labels) == ["API key", "work"]


async def test_disconnecting_forgets_the_key_and_does_not_claim_more(here: KeyedWorld) -> None:
    """Nobody but the person can revoke a key at the provider."""
    connection = await here.connect()
    assert await here.connections.end("jane", connection.id, revoke=True) == "not_confirmed"
    assert await here.needs() == "The tool weather.report needs it."
    assert here.recorded("connection.ended") == [("connection.ended", "ok")]


async def test_a_user_name_that_is_typed_goes_along(tmp_path: Path, api: KeyedApi) -> None:
    """RFC 7617, for APIs whose user name is the person's own (an email address)."""
    api.good = {f"jane@corp.example:{KEY}"}
    async with keyed_world(tmp_path, api, key={"in": "basic"}) as here:
        transaction = here.ask()
        assert (await here.open(transaction))["label_is_user"] is True
        for label in ("", "a:b"):
            with pytest.raises(ValetError, match="user name"):
                await here.type_key(transaction, label=label)
        await here.type_key(transaction, label="jane@corp.example")
        assert (await here.call()).data == {"rain": 3}


async def test_an_endpoint_that_makes_keys_is_not_called(here: KeyedWorld) -> None:
    """R112, with an audit line."""
    await here.connect()
    before = len(here.api.seen)
    with pytest.raises(ValetError, match="hands out credentials"):
        await here.call("weather_mint")
    assert len(here.api.seen) == before
    assert ("connection.refused", "endpoint_denied") in here.recorded("connection.refused")


@pytest.mark.parametrize("settings", PLACES.values(), ids=PLACES.keys())
async def test_three_echoes_suspend_the_connection(
    tmp_path: Path, api: KeyedApi, settings: dict[str, Any]
) -> None:
    """R142, D8: counted in the vault; each call says what to do; signing in anew ends it."""
    async with keyed_world(tmp_path, api, **settings) as here:
        await here.connect()
        api.echoes_at = {"/v1/report"}
        for hit in range(3):
            assert here.connections.views("jane")[0].status == "active", hit
            with pytest.raises(Withheld):
                await here.call()
        for connections in (here.connections, here.again()):
            assert connections.views("jane")[0].status == "suspended"
        sent = len(api.seen)
        for _ in range(2):
            assert "3 answers contained its credential, so it is suspended" in await here.needs()
        assert len(api.seen) == sent
        assert here.recorded("connection.suspended") == [("connection.suspended", "ok")]
        api.echoes_at, api.good = set(), {"wk-a-new-key-0123456789", "api:wk-a-new-key-0123456789"}
        await here.connect("wk-a-new-key-0123456789")
        assert (await here.call()).data == {"rain": 3}


async def test_a_restart_does_not_begin_the_count_again(here: KeyedWorld) -> None:
    """R142: two hits here, one there."""
    connection = await here.connect()
    for connections in (here.connections, here.again(), here.again()):
        connections.reflected(connection)
    assert here.again().views("jane")[0].status == "suspended"
    assert here.again().find("jane", "weather")[0].reason.startswith("3 answers")


async def test_the_whole_way_through_a_broker(tmp_path: Path, api: KeyedApi) -> None:
    """`%connect`, the page, `%connections`, `%disconnect`: in a real broker process, in no log."""
    import anyio.to_thread

    def walk() -> list[str]:
        entry = {"kind": "api_key", "origins": [api.url], "loopback": True}
        with BrokerProcess(tmp_path / "valet", providers={"weather": entry}) as broker:
            kernel = broker.kernel()
            _, reply = kernel.request("POST", "/connect", {"provider": "weather"})
            transaction = reply["transaction"]["id"]
            facts = broker.call(
                "page.open", transaction=transaction, principal="owner", origin=ORIGIN
            )
            form = urlencode({"nonce": facts["nonce"], "api_key": KEY, "label": "work"})
            final = broker.call("page.save", transaction=transaction, origin=ORIGIN, form=form)
            assert (final["step"], final["state"]) == ("final", "done")
            assert kernel.request("GET", f"/transactions/{transaction}")[1]["account"] == "work"
            _, reply = kernel.request("POST", "/connect", {"provider": "weather"})
            id = reply["connection"]["id"]
            assert reply["connection"]["kind"] == "api_key"
            ended = kernel.request("DELETE", f"/connections/{id}?revoke=true")
            assert ended == (200, {"ended": "not_confirmed"})
            return broker.stderr

    said = await anyio.to_thread.run_sync(walk)
    assert KEY not in "".join(said)
    assert_in_no_file(tmp_path)
