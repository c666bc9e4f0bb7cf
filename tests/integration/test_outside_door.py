"""The broker's side door, at a real broker: closed to kernels, to strangers, and to the forged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from broker_process import ORIGIN, BrokerProcess, Kernel

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
