"""The broker's side door, at a real broker: closed to kernels, to strangers, and to the forged."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest
from broker_process import ORIGIN, BrokerProcess, Kernel
from program import modern

from jupyter_valet.wire.clients import DOOR_PREFIX, HEADER, ROUTE, Arrival, digest, mint

SECRET = mint(DOOR_PREFIX)
OWNER = Arrival(ORIGIN, ORIGIN + "valet/mcp", ORIGIN + "m", principal="owner").encode()
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    folder = tmp_path_factory.mktemp("broker") / "valet"
    with BrokerProcess(folder, door=digest(SECRET)) as running:
        yield running


def test_a_kernel_cannot_come_in_as_a_program_of_its_person(broker: BrokerProcess) -> None:
    """It would leave its notebook's grants behind, and be whoever it says."""
    kernel = broker.kernel()
    assert kernel.request("POST", ROUTE, LIST, **{HEADER: OWNER})[0] == 401
    assert kernel.request("POST", ROUTE, LIST)[0] == 401
    assert kernel.request("POST", "/mcp", LIST, **{HEADER: OWNER})[0] != 401, "its own way"


@pytest.mark.parametrize("secret", ["", mint(DOOR_PREFIX), digest(SECRET), "jva_" + "a" * 43])
def test_a_stranger_s_word_is_worth_nothing(broker: BrokerProcess, secret: str) -> None:
    status, body = Kernel(broker.port, secret).request("POST", ROUTE, LIST, **{HEADER: OWNER})
    assert (status, body["error"]["code"]) == (401, "capability_refused")


def test_the_server_s_word_is_good_and_without_one_who_comes_is_a_stranger(
    broker: BrokerProcess,
) -> None:
    server = Kernel(broker.port, SECRET)
    nobody = Arrival(ORIGIN, ORIGIN + "valet/mcp", ORIGIN + "m").encode()
    assert server.request("POST", ROUTE, LIST, **{HEADER: OWNER})[0] == 400, "let in: no session"
    status, body = server.request("POST", ROUTE, LIST, **{HEADER: nobody})
    assert (status, body["error"]["code"]) == (401, "token_required")


def test_the_secret_of_the_door_opens_nothing_else(broker: BrokerProcess) -> None:
    server = Kernel(broker.port, SECRET)
    for method, path in (("POST", "/mcp"), ("GET", "/status"), ("GET", "/connections")):
        assert server.request(method, path)[0] == 401


def test_calls_whose_heads_are_alike_are_each_read_whole(broker: BrokerProcess) -> None:
    """The broker reads a head once that it has read before; the body behind it is another."""
    message, more = modern("tools/call", name="valet_search_tools", arguments={"query": "issues"})
    connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=30)
    usual = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    said = []
    for number in range(4):
        body = json.dumps({**message, "id": number}).encode()
        connection.putrequest("POST", ROUTE, skip_accept_encoding=True)
        told = {"Authorization": f"Bearer {SECRET}", HEADER: OWNER, **usual, **more}
        for name, value in (*told.items(), ("Content-Length", str(len(body)))):
            connection.putheader(name, value)
        connection.endheaders(body)
        said.append(json.loads(connection.getresponse().read()))
    connection.close()
    assert [(answer["id"], "result" in answer) for answer in said] == [(n, True) for n in range(4)]
