"""A host of the person's own is asked first whether it sends back what it is sent (R138–R140)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from keyed_world import KEY, ORIGIN, KeyedApi, KeyedWorld, keyed_world
from person import demo_provider

from jupyter_valet.broker.connections import Probes
from jupyter_valet.broker.connections.probes import GOOD_FOR, WELL_KNOWN
from jupyter_valet.broker.egress import Egress, Withheld
from jupyter_valet.broker.oauth import profiles
from jupyter_valet.broker.vault import open_vault
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api() -> AsyncIterator[KeyedApi]:
    async with KeyedApi() as api:
        yield api


PLACES: list[dict[str, Any]] = [
    {},
    {"key": {"in": "header", "name": "X-Api-Key"}},
    {"key": {"in": "query", "name": "appid"}},
    {"key": {"in": "basic", "user": "api"}},
]


@pytest.mark.parametrize("settings", PLACES, ids=["bearer", "header", "query", "basic"])
@pytest.mark.parametrize("path", ["/", *WELL_KNOWN])
async def test_a_host_that_echoes_gets_no_key(
    tmp_path: Path, api: KeyedApi, settings: dict[str, Any], path: str
) -> None:
    """Only fakes were sent; the sign-in ends with a fixed line, and nothing is bound."""
    api.echoes_at = {path}
    async with keyed_world(tmp_path, api, **settings) as here:
        transaction = here.ask()
        with pytest.raises(ValetError, match="sends back the credential"):
            await here.type_key(transaction)
        assert here.get(transaction).state == "failed"
        assert "sends back the credential" in here.get(transaction).error
        assert here.connections.find("jane", "weather") == []
    assert not any(KEY in key for key in api.sent_keys())
    assert len(api.sent_keys()) == 1 + len(WELL_KNOWN)  # another fake each time


async def test_the_configured_path_is_asked_as_well(tmp_path: Path, api: KeyedApi) -> None:
    api.echoes_at = {"/v1/debug"}
    async with keyed_world(tmp_path, api, probe_path="/v1/debug?verbose=1") as here:
        with pytest.raises(ValetError, match="sends back the credential"):
            await here.type_key(here.ask())


async def test_the_person_s_configuration_may_accept_an_echo(tmp_path: Path, api: KeyedApi) -> None:
    """R138–R140: the declared residual; what is recognised is withheld all the same."""
    api.echoes_at = {"/", "/v1/report"}
    async with keyed_world(tmp_path, api, accepts_reflection=[api.url]) as here:
        await here.connect()
        assert api.seen == []
        with pytest.raises(Withheld):
            await here.call()


async def test_a_host_that_cannot_be_asked_gets_no_key(tmp_path: Path) -> None:
    """Fail closed; the page stays open, so that the person can try again."""
    async with KeyedApi() as api:
        gone = api
    async with keyed_world(tmp_path, gone) as here:
        transaction = here.ask()
        with pytest.raises(ValetError, match="Weather did not answer"):
            await here.type_key(transaction)
        assert not here.get(transaction).state.final
        assert here.connections.find("jane", "weather") == []


async def test_what_was_found_is_kept_with_its_date(tmp_path: Path, api: KeyedApi) -> None:
    """Asked once, then believed for thirty days; a refusal is not believed at all."""
    async with keyed_world(tmp_path, api) as here:
        await here.connect()
        asked = len(api.seen)
        await here.connect()
        assert len(api.seen) == asked
        (record,) = here.vault.list("probe")
        assert record.meta == {"origin": api.url, "echoes": False, "checked_at": here.now[0]}
        here.now[0] += GOOD_FOR
        api.echoes_at = {"/"}
        with pytest.raises(ValetError, match="sends back"):
            await here.type_key(here.ask())
        api.echoes_at = set()
        await here.connect()


async def test_another_question_has_another_answer(tmp_path: Path, api: KeyedApi) -> None:
    """A host that hides a bearer may still echo its query."""
    async with keyed_world(tmp_path, api) as here:
        await here.connect()
        probes = Probes(here.vault, here.egress)
        asked = len(api.seen)
        other = replace(
            here.profile, placement=replace(here.profile.placement, where="query", name="appid")
        )
        await probes.check(other)
        assert len(api.seen) == asked + 1 + len(WELL_KNOWN)


def oauth_settings(api: KeyedApi) -> dict[str, Any]:
    return {
        "issuer": api.url,
        "authorization_endpoint": f"{api.url}/authorize",
        "token_endpoint": f"{api.url}/redeem",
        "userinfo_endpoint": f"{api.url}/me",
        "client_id": "public",
        "loopback": True,
    }


@pytest.mark.parametrize("echoes", [False, True])
async def test_a_sign_in_is_not_begun_for_a_host_that_echoes(
    tmp_path: Path, api: KeyedApi, echoes: bool
) -> None:
    """The same for a provider with OAuth: before the browser leaves, so before there is a token."""
    api.echoes_at = {"/headers"} if echoes else set()
    async with keyed_world(tmp_path, api) as here:
        known = profiles({"weather": oauth_settings(api)})
        _become(here, known)
        transaction = here.ask()
        nonce = (await here.open(transaction))["nonce"]
        press = {
            "transaction": transaction.id, "principal": "jane", "origin": ORIGIN, "nonce": nonce,
        }  # fmt: skip
        if echoes:
            with pytest.raises(ValetError, match="sends back"):
                await here.consent.approve(press)
            assert here.get(transaction).state == "failed"
        else:
            assert "/authorize?" in (await here.consent.approve(press))["location"]
    assert all(len(key) >= 32 for key in api.sent_keys())


def _become(here: KeyedWorld, known: dict[str, Any]) -> None:
    """Put OAuth profiles in the place of the keyed one."""
    object.__setattr__(here.consent.desk, "profiles", known)
    connections = here.connections
    connections._profiles = known
    connections._apps._profiles = known


async def test_built_in_providers_are_not_asked(tmp_path: Path) -> None:
    """Their hosts are known; and the demo would pass."""
    with demo_provider() as issuer:
        vault, egress = open_vault(tmp_path / "state", "file"), Egress()
        probes = Probes(vault, egress)
        known = profiles({}, issuer)
        for profile in known.values():
            await probes.check(profile)
        assert vault.list("probe") == []
        await probes.check(replace(known["demo"], configured=True))
        assert [record.meta["echoes"] for record in vault.list("probe")] == [False]
        await egress.close()
        await anyio.to_thread.run_sync(vault.close)
