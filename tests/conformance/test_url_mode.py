"""URL mode on the wire, in both revisions: the checks that SEP-1036 names and no public suite has.

Each test says in its first line which of the fifteen checks it is. What the server says is seen by
a client without an SDK (`wire`), what our clients say by servers without one (`asking`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from asking import Asking, asking
from mcp_world import World, served
from suite_server import suite_server
from upstream_world import JANE, upstream_world
from wire import NEW, OLD, Message, Wire, wire

from jupyter_valet.broker.elicitation import NeedsVisit
from jupyter_valet.kernel import mcp as kernel_mcp
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

TOOL = "demo_list_issues"
REVISIONS = pytest.mark.parametrize("revision", [OLD, NEW])
URL = {"elicitation": {"form": {}, "url": {}}}
NO_URL = [{}, {"elicitation": {}}, {"elicitation": {"form": {}}}, {"sampling": {}, "roots": {}}]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with served(tmp_path) as built:
        yield built


async def asked(here: World, revision: str) -> Wire:
    """Call a tool whose person must sign in first, who does; return the client afterwards."""

    def go(params: Message) -> Message:
        asyncio.get_running_loop().call_later(0.05, here.sign_in)
        return {"action": "accept"}

    async with wire(here.url, here.kernel(), revision, URL, go) as client:
        reply = await client.call(TOOL, project="tidepool")
        assert not reply["result"].get("isError"), reply
        if revision == OLD:
            listening = asyncio.create_task(client.listen())
            await asyncio.sleep(0.1)
            listening.cancel()
    return client


# The server ------------------------------------------------------------------------------------


@REVISIONS
@pytest.mark.parametrize("declared", NO_URL)
async def test_no_mode_is_sent_that_was_not_declared(
    here: World, revision: str, declared: dict[str, Any]
) -> None:
    """server-no-undeclared-mode (ES-03): neither a URL nor, since we send none, a form."""
    async with wire(here.url, here.kernel(), revision, declared) as client:
        reply = await client.call(TOOL, project="tidepool")
    assert reply["result"]["isError"]
    assert client.asked == []
    assert here.pending()[0].url not in json.dumps(client.heard)


@REVISIONS
async def test_a_question_has_all_that_it_needs(here: World, revision: str) -> None:
    """request-required-params, url-request-shape (ES-04, ES-07, ES-10): and an id where wanted."""
    client = await asked(here, revision)
    (params,) = client.asked
    assert params["mode"] == "url"
    assert params["message"].startswith("Sign in at Demo.")
    wanted = {"mode", "message", "url"} | ({"elicitationId"} if revision == OLD else set())
    assert set(params) - {"_meta"} == wanted


@REVISIONS
async def test_the_url_is_one_and_says_nothing_of_anybody(here: World, revision: str) -> None:
    """url-param-valid (ES-06, ES-25): http(s), a host, a path of ours, and a random handle."""
    (params,) = (await asked(here, revision)).asked
    parts = urlsplit(params["url"])
    assert parts.scheme in ("http", "https")
    assert parts.netloc
    assert (parts.query, parts.fragment, parts.username) == ("", "", None)
    assert len(parts.path.rpartition("/")[2]) >= 40


async def test_a_form_is_flat_and_has_its_schema(tmp_path: Path) -> None:
    """form-request-shape (ES-05): of the tools of the official suite; our own send no forms."""
    for revision, tool in ((OLD, "test_elicitation"), (NEW, _FORM)):
        folder = tmp_path / revision
        folder.mkdir()
        async with suite_server(folder) as served:
            given = {"action": "decline"}
            async with wire(
                served.url, served.capability, revision, URL, lambda params, given=given: given
            ) as client:
                await client.call(tool)
        (params,) = client.asked
        schema = params["requestedSchema"]
        assert params.get("mode", "form") == "form"
        assert schema["type"] == "object"
        assert {p["type"] for p in schema["properties"].values()} <= {"string", "boolean"}


_FORM = "test_input_required_result_elicitation"


async def test_a_completion_goes_to_who_was_asked_and_to_nobody_else(here: World) -> None:
    """complete-notification-initiator-only (ES-08): another session of the person hears nothing."""
    async with wire(here.url, here.kernel("k2"), OLD, URL) as other:
        listening = asyncio.create_task(other.listen())
        client = await asked(here, OLD)
        await asyncio.sleep(0.1)
        listening.cancel()
    assert len(_completions(client)) == 1
    assert _completions(other) == []


async def test_a_completion_names_the_question(here: World) -> None:
    """complete-notification-elicitation-id (ES-08): and the newer revision has none."""
    client = await asked(here, OLD)
    (completion,) = _completions(client)
    assert completion["params"]["elicitationId"] == client.asked[0]["elicitationId"]


async def test_the_newer_revision_has_no_completions_and_no_requests(here: World) -> None:
    """ES-11, ES-12: every message is an answer or a notification of progress."""
    client = await asked(here, NEW)
    methods = {message.get("method") for message in client.heard}
    assert methods <= {None, "notifications/progress"}


def _completions(client: Wire) -> list[Message]:
    name = "notifications/elicitation/complete"
    return [message for message in client.heard if message.get("method") == name]


@REVISIONS
@pytest.mark.parametrize("declared", [*NO_URL, URL])
async def test_the_error_that_demands_a_visit_is_never_sent(
    here: World, revision: str, declared: dict[str, Any]
) -> None:
    """error-lists-elicitations, error-elicitations-url-mode, url-elicitation-required-error-code.

    ES-09, ES-10, ES-11: who can be asked is asked, who cannot is told by a result that a model can
    act on. So the code, and what it would have to carry, are not needed in either revision.
    """

    def no(params: Message) -> Message:
        return {"action": "decline"}

    async with wire(here.url, here.kernel(), revision, declared, no) as client:
        reply = await client.call(TOOL, project="tidepool")
    assert "result" in reply
    assert all("error" not in message for message in client.heard)
    assert b"-32042" not in here.sent


@pytest.mark.parametrize(
    "wrong", [{"k": 1}, {"connect": {"action": "perhaps"}}, {"connect": {"roots": []}}, "x", [1]]
)
async def test_an_answer_that_does_not_fit_is_no_answer(here: World, wrong: Any) -> None:
    """server-validates-received-data (ES-29, MS-08): nothing is taken for a yes."""
    async with wire(here.url, here.kernel(), NEW, URL) as client:
        params = {"name": TOOL, "arguments": {"project": "tidepool"}}
        first = (await client.request("tools/call", params))["result"]
        more = {"requestState": first["requestState"], "inputResponses": wrong}
        reply = await client.request("tools/call", {**params, **more})
    refused = reply.get("error", {}).get("code") == -32602
    assert refused or reply["result"]["resultType"] == "input_required"
    assert len(here.pending()) == 1
    assert here.upstream.requests == []


# Our clients -----------------------------------------------------------------------------------


@REVISIONS
async def test_our_client_declares_what_it_can_do(tmp_path: Path, revision: str) -> None:
    """client-supports-at-least-one-mode (EC-01, EC-02): URL, in the handshake or every request."""
    async with asking(revision) as server, _connected(tmp_path, server):
        assert server.declared
        assert all("url" in one["elicitation"] for one in server.declared)


@pytest.mark.parametrize("mode", [None, "form"])
@REVISIONS
async def test_a_question_without_a_mode_is_a_form(
    tmp_path: Path, revision: str, mode: str | None
) -> None:
    """client-modeless-is-form (EC-03, EC-06): whatever else is in it; nothing is filled in."""
    question = {"message": "m", "url": "https://evil.example/", "requestedSchema": _SCHEMA}
    question |= {} if mode is None else {"mode": mode}
    async with asking(revision, question) as server, _connected(tmp_path, server) as upstream:
        await upstream.call("up_take")
        assert [answer["action"] for answer in server.answers] == ["decline"]
        assert upstream.transactions.pending_for("jane", "up") == []


_SCHEMA = {"type": "object", "properties": {"password": {"type": "string"}}}


@pytest.mark.parametrize("mode", ["form", "voice"])
def test_a_mode_that_was_not_declared_is_refused(mode: str) -> None:
    """client-rejects-undeclared-mode (EC-08): the kernel's client declares URL mode alone."""
    params = {"mode": mode, "message": "m", "requestedSchema": _SCHEMA}
    request = {"method": "elicitation/create", "params": params}
    reply = {"resultType": "input_required", "inputRequests": {"k": request}}
    with pytest.raises(ValetError) as refused:
        kernel_mcp.questions(reply)
    assert refused.value.code == "protocol_error"


@REVISIONS
async def test_nothing_of_the_url_is_fetched(tmp_path: Path, revision: str) -> None:
    """client-no-prefetch (EC-11, EC-12): not the page, not its icon, not its head."""
    async with asking(revision) as server:
        server.question = {
            "mode": "url",
            "message": "Connect",
            "url": f"{server.url}/connect",
            "elicitationId": "e1",
        }
        async with _connected(tmp_path, server) as upstream:
            with pytest.raises(NeedsVisit):
                await upstream.call("up_take")
            transaction = upstream.transactions.pending_for("jane", "up")[0]
            where = {"transaction": transaction.id, "principal": "jane"}
            await upstream.consent.open({**where, "origin": JANE.origin})
            await asyncio.sleep(0.2)
        assert {path for path in server.paths if path != "/mcp"} <= server.discovery


async def test_a_completion_that_nobody_waits_for_is_ignored(tmp_path: Path) -> None:
    """EC-09: unknown and finished ids, before, during and after a call."""
    async with asking(OLD) as server:
        server.noise = [
            {
                "jsonrpc": "2.0",
                "method": "notifications/elicitation/complete",
                "params": {"elicitationId": name},
            }
            for name in ("", "unknown", "e1")
        ]
        async with _connected(tmp_path, server) as upstream:
            for _ in range(2):
                outcome = await upstream.call("up_take")
                assert outcome.data == "done"
                assert outcome.error is None


def _connected(folder: Path, server: Asking) -> Any:
    return _Connected(folder, server)


class _Connected:
    """A broker that is connected to `server`, whose tool is allowed to read."""

    def __init__(self, folder: Path, server: Asking) -> None:
        entry = {"url": server.endpoint, "loopback": True, "reads": ["*"]}
        self._world = upstream_world(folder, {"up": entry})

    async def __aenter__(self) -> Any:
        made = await self._world.__aenter__()
        await made.connected()
        return made

    async def __aexit__(self, *exc: Any) -> None:
        await self._world.__aexit__(*exc)
