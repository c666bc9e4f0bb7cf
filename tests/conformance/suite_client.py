"""What the official suite starts to test our upstream client: `python suite_client.py URL`.

The server of a scenario is an upstream server of a broker: discovery, sign-in, vault, egress,
session and policy are those of the product. A scripted person presses, signs in and fills in forms.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from turns import one_s_turn

_TURN = one_s_turn()  # before anything heavy is imported; held until the process ends

from granting import write_too  # noqa: E402
from mcp_types import ElicitResult  # noqa: E402
from upstream_world import JANE, ORIGIN, UpstreamWorld, upstream_world  # noqa: E402

from jupyter_valet.broker.catalogue import Call  # noqa: E402
from jupyter_valet.broker.elicitation import NeedsAuthorization, NeedsGrant  # noqa: E402
from jupyter_valet.broker.upstream.transport import UpstreamTransport  # noqa: E402
from jupyter_valet.wire.errors import ValetError  # noqa: E402

SCENARIO = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
CONTEXT: Mapping[str, Any] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")

SERVER: Mapping[str, Any] = (
    {"client_id": "https://conformance-test.local/client-metadata.json"}
    if SCENARIO == "auth/basic-cimd"
    else {}
)
"""Settings of the upstream server. That scenario knows one client document by its URL, where ours
is below the public address of a Jupyter server; a document that is hosted elsewhere is named so."""

_MOST_QUESTIONS = 6
"""How often a person goes along with being asked by one call."""


async def filled_in(server: Any, call: Call, asked: Any) -> ElicitResult:
    """Fill in a form as somebody does who changes nothing that is filled in already (SEP-1034)."""
    properties = asked.requested_schema.get("properties", {})
    plain = {"boolean": True, "integer": 1, "number": 1.0, "string": "text"}
    content = {
        name: schema.get("default", plain.get(schema.get("type"), "text"))
        for name, schema in properties.items()
    }
    return ElicitResult(action="accept", content=content)


class Listening:
    """Whether the stream is there on which a server of the older revision speaks unasked.

    The client opens it beside what else it sends. `sse-retry` takes a GET that comes after its
    answer's end for an early reconnection, whatever it is for, so nothing is called before.
    """

    SECONDS = 30.0

    def __init__(self) -> None:
        self._session = False
        self._answered = asyncio.Event()
        send = UpstreamTransport.handle_async_request

        async def noted(transport: UpstreamTransport, request: Any) -> Any:
            response = await send(transport, request)
            if b"notifications/initialized" in await request.aread():
                self._session = "mcp-session-id" in request.headers  # else there is no GET
            if request.method == "GET":
                self._answered.set()
            return response

        UpstreamTransport.handle_async_request = noted  # type: ignore[method-assign]

    async def settled(self) -> None:
        """Wait for the answer to the GET, if there is a session that it is for."""
        if self._session:
            async with asyncio.timeout(self.SECONDS):
                await self._answered.wait()


class Person:
    """Uses the tools of the server, and does what is asked for on the way."""

    def __init__(self, world: UpstreamWorld) -> None:
        self.world = world
        world.source._visits._questions.form = filled_in

    async def connect(self) -> None:
        """Sign in where that is needed, and read the list."""
        await self._use("up_connect", {})

    async def use_all(self) -> None:
        """Call every tool that is listed; one that fails does not keep the next from being used."""
        for tool in self.world.source.everything(JANE):
            if tool.short_name != "connect":
                with contextlib.suppress(ValetError):
                    await self._use(tool.name, _arguments(tool.input_schema))

    async def use_as_told(self) -> None:
        """Make the calls that the scenario names."""
        for told in CONTEXT.get("toolCalls", []):
            await self._use(self._named(told["name"]), told["arguments"])

    async def say_back(self) -> None:
        """Give the schema of one tool to another, as it was received (SEP-1613)."""
        schema = self.world.source.find(JANE, self._named("json_schema_2020_12_tool"))
        assert schema is not None
        await self._use(self._named("json_schema_echo"), {"schema": dict(schema.input_schema)})

    def _named(self, upstream: str) -> str:
        tools = self.world.source.everything(JANE)
        return next(
            t.name for t in tools if getattr(t, "offer", None) and t.offer.upstream == upstream
        )

    async def _use(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Run a tool as the catalogue does, its arguments unchecked: the scenario chose them."""
        for _ in range(_MOST_QUESTIONS):
            tool = self.world.source.find(JANE, name)
            assert tool is not None, name
            try:
                outcome = await self.world.source.run(Call(JANE, tool, arguments))
            except NeedsAuthorization as needs:
                await self._sign_in(needs)
            except NeedsGrant:
                write_too(self.world.consent.desk.policy, JANE)
            else:
                sys.stdout.write(
                    f"{name}: {outcome.data if not outcome.error else outcome.error}\n"
                )
                return

    async def _sign_in(self, needs: NeedsAuthorization) -> None:
        if "client_id" not in CONTEXT:
            await self.world.sign_in(needs)
            return
        transaction = self.world.transactions.create(
            JANE, provider=needs.provider, scopes=needs.scopes, reason=needs.reason
        )
        where = {"transaction": transaction.id, "principal": JANE.principal, "origin": ORIGIN}
        facts = await self.world.consent.open(where)
        if facts["step"] == "client":
            typed = {name: CONTEXT[name] for name in ("client_id", "client_secret")}
            form = urlencode({"nonce": facts["nonce"], **typed})
            await self.world.consent.save({**where, "form": form})
        await self.world.sign_in(needs)


def _arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments that fit, as far as a scenario's schemas go."""
    plain = {"integer": 5, "number": 5, "boolean": True, "array": [], "object": {}}
    properties = schema.get("properties", {})
    return {
        name: plain.get(properties.get(name, {}).get("type"), "text")
        for name in schema.get("required", [])
    }


async def main(url: str) -> None:
    """Be the client of the scenario's server at `url`."""
    with tempfile.TemporaryDirectory() as folder:
        server = {"url": url, "loopback": True, **SERVER}
        async with upstream_world(Path(folder), {"up": server}) as world:
            person, listening = Person(world), Listening()
            await person.connect()
            await listening.settled()
            if SCENARIO == "json-schema-2020-12-preservation":
                await person.say_back()
            elif "toolCalls" in CONTEXT:
                await person.use_as_told()
            else:
                await person.use_all()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[-1]))
