"""A person, without a browser: presses our pages by control call and walks the demo's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
from broker_process import ORIGIN, BrokerProcess, Kernel


@contextmanager
def demo_provider(*arguments: str) -> Iterator[str]:
    """Run the demo provider in its own process; yield its issuer."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "jupyter_valet.demo", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield json.loads(process.stdout.readline())["issuer"]
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


class Person:
    """Signs in where a card sent them."""

    def __init__(self, principal: str = "owner") -> None:
        self.principal = principal
        self.browser = httpx2.Client(timeout=20)

    def __del__(self) -> None:
        self.browser.close()

    def open(self, broker: BrokerProcess, transaction: str) -> dict[str, Any]:
        """Open the page behind the card's link; return what it shows."""
        return broker.call(
            "page.open", transaction=transaction, principal=self.principal, origin=ORIGIN
        )

    def approve(self, broker: BrokerProcess, transaction: str) -> dict[str, Any]:
        """Open the page and press *Approve*; return where to go, and the binding cookie."""
        facts = self.open(broker, transaction)
        return broker.call(
            "page.approve",
            transaction=transaction,
            principal=self.principal,
            origin=ORIGIN,
            nonce=facts["nonce"],
        )

    def press(
        self, broker: BrokerProcess, method: str, transaction: str, **choices: str
    ) -> dict[str, Any]:
        """Open the page, fill its form in, and press its button; return what it showed."""
        facts = self.open(broker, transaction)
        broker.call(
            f"page.{method}",
            transaction=transaction,
            principal=self.principal,
            nonce=facts["nonce"],
            choices=choices,
        )
        return facts

    def grant(self, broker: BrokerProcess, transaction: str, **choices: str) -> None:
        """Let the notebook use the first of the connections that are offered."""
        first = self.open(broker, transaction)["choices"][0]["connection"]
        self.press(broker, "grant", transaction, **{"connection": first, **choices})

    def at_demo(self, location: str, who: str = "amara", untick: str = "") -> str:
        """Walk the demo provider's two pages; return the callback's query."""
        page = self.browser.get(location).text
        key = _hidden(page, "request")
        issuer = "{0.scheme}://{0.netloc}".format(urlsplit(location))
        if "/authorize/person" in page:
            form = {"request": key, "person": who}
            page = self.browser.post(f"{issuer}/authorize/person", data=form).text
        scopes = re.findall(r'name="scope" value="([^"]+)"', page)
        ticked = [scope for scope in scopes if scope != untick]
        form: Any = {"request": key, "decision": "allow", "scope": ticked}
        answer = self.browser.post(f"{issuer}/authorize/consent", data=form)
        assert answer.status_code == 303, answer.text
        return urlsplit(answer.headers["location"]).query

    def call_back(
        self, broker: BrokerProcess, query: str, binding: str | None, provider: str = "demo"
    ) -> dict[str, Any]:
        """Bring the provider's answer to the callback."""
        return broker.call(
            "oauth.callback",
            provider=provider,
            query=query,
            binding=binding,
            principal=self.principal,
            origin=ORIGIN,
        )

    def sign_in(self, broker: BrokerProcess, transaction: str, **at_demo: str) -> None:
        """All of it."""
        approved = self.approve(broker, transaction)
        query = self.at_demo(approved["location"], **at_demo)
        self.call_back(broker, query, approved["binding"])


def asked(answer: tuple[int, Any]) -> tuple[str, str, str]:
    """Return (transaction, input key, requestState) of an answer that asks for a sign-in."""
    status, body = answer
    assert status == 200, body
    result = body["result"]
    assert result["resultType"] == "input_required" or "inputRequests" in result, result
    [(key, request)] = result["inputRequests"].items()
    assert request["params"]["mode"] == "url"
    return request["params"]["url"].rsplit("/", 1)[1], key, result["requestState"]


def finish(
    kernel: Kernel,
    tool: str,
    arguments: dict[str, Any],
    key: str,
    state: str,
    action: str = "accept",
) -> dict[str, Any]:
    """Retry the call that asked; return its result."""
    status, body = kernel.call_tool(
        tool, arguments, inputResponses={key: {"action": action}}, requestState=state
    )
    assert status == 200, body
    if isinstance(body, bytes):  # it waited long enough to become a stream
        body = json.loads(body.split(b"data: ")[-1])
    return dict(body["result"])


def connected(broker: BrokerProcess, kernel: Kernel, person: Person | None = None) -> None:
    """Make the demo connection with everything it can hold."""
    status, reply = kernel.request("POST", "/connect", {"provider": "demo"})
    assert status == 200, reply
    (person or Person()).sign_in(broker, reply["transaction"]["id"])


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, page
    return found[1]
