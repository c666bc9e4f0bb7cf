"""The endpoint and an independent client: the MCP Inspector's mcpdo, in both revisions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from demo_server import demo_server
from inspector import Mcpdo, question, words
from jupyter_process import Server
from mcp_world import World, served
from outside import grant, sign_in
from program import make_key, url
from suite_server import Served, suite_server

pytestmark = [pytest.mark.anyio, pytest.mark.conformance]

ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])
TOOL = "demo_list_issues"
FORM = {"legacy": "test_elicitation", "modern": "test_input_required_result_elicitation"}
FIELDS = {"legacy": ("username:=Ada", "email:=ada@example.org"), "modern": ("name:=Ada",)}


@pytest.fixture
async def mcpdo(tmp_path: Path) -> AsyncIterator[Mcpdo]:
    """Its daemon lives as long as the test."""
    (tmp_path / "home").mkdir()
    made = Mcpdo(tmp_path / "home")
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with served(tmp_path) as built:
        yield built


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncIterator[Served]:
    async with suite_server(tmp_path) as served:
        yield served


@ERAS
async def test_a_url_is_asked_for_and_the_same_call_finishes(
    here: World, mcpdo: Mcpdo, era: str
) -> None:
    """ES-02, ES-06: our own tools ask by URL, and finish once the person has signed in."""
    await mcpdo.connect(here.url, here.kernel(), era=era, elicit="both")
    asked = question(await mcpdo.call(TOOL, project="tidepool"))
    assert asked["mode"] == "url"
    assert asked["url"] == here.pending()[0].url
    here.sign_in()
    assert "Tides" in words(await mcpdo.respond(asked, "--done"))


@ERAS
async def test_a_url_that_is_not_opened_ends_the_call(here: World, mcpdo: Mcpdo, era: str) -> None:
    """ES-14: cancelling is an answer, and the sign-in is over."""
    await mcpdo.connect(here.url, here.kernel(), era=era, elicit="url")
    asked = question(await mcpdo.call(TOOL, project="tidepool"))
    assert "cancelled" in words(await mcpdo.respond(asked, "--cancel"))
    assert here.pending() == []


@ERAS
@pytest.mark.parametrize("elicit", ["off", "form"])
async def test_who_declared_no_urls_is_told_in_words(
    here: World, mcpdo: Mcpdo, era: str, elicit: str
) -> None:
    """ES-03: no mode that was not declared, in either revision."""
    await mcpdo.connect(here.url, here.kernel(), era=era, elicit=elicit)
    said = words(await mcpdo.call(TOOL, project="tidepool"))
    assert said.startswith("authorization_required")
    assert here.pending()[0].url not in said


@ERAS
async def test_a_form_is_asked_for_and_filled_in(suite: Served, mcpdo: Mcpdo, era: str) -> None:
    """ES-04, ES-05: on the tools of the official suite, since our own never ask by a form."""
    await mcpdo.connect(suite.url, suite.capability, era=era, elicit="both")
    asked = question(await mcpdo.call(FORM[era], message="Who are you?"))
    assert asked["mode"] == "form"
    assert asked["requestedSchema"]["type"] == "object"
    assert "Ada" in words(await mcpdo.respond(asked, *FIELDS[era]))


@ERAS
async def test_a_form_that_is_declined_is_no_answer(suite: Served, mcpdo: Mcpdo, era: str) -> None:
    """ES-14: the tool is told, and whatever it says next is its own affair."""
    await mcpdo.connect(suite.url, suite.capability, era=era, elicit="form")
    asked = question(await mcpdo.call(FORM[era], message="Who are you?"))
    assert '"action":"decline"' in words(await mcpdo.respond(asked, "--decline"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with demo_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@ERAS
async def test_a_program_at_jupyter_s_port_asks_and_finishes(
    server: Server, mcpdo: Mcpdo, era: str
) -> None:
    """ES-02: with an API key, and a person who signs in, or allows, on the page of the URL."""
    key = make_key(server, f"mcpdo {era}", "tools:write")
    await mcpdo.connect(url(server), key, era=era, elicit="both")
    asked = question(await mcpdo.call(TOOL, project="tidepool"))
    if asked["message"].startswith("Sign in"):
        await anyio.to_thread.run_sync(sign_in, server, asked["url"])
    else:
        await anyio.to_thread.run_sync(grant, server, asked["url"], {})
    assert '"number"' in words(await mcpdo.respond(asked, "--done"))
