"""The sign-in from the call that asks to the same call's answer, in a real broker process."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from broker_process import ORIGIN, BrokerFork, BrokerProcess, ControlError
from person import Person, asked, connected, demo_provider, finish
from program import INITIALIZE

ISSUES = ("demo_list_issues", {"project": "tidepool", "limit": 2})


@pytest.fixture
def started_broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker as the server starts it: with a command line and an environment of its own."""
    with BrokerProcess(tmp_path / "valet") as broker:
        yield broker


def view(kernel, transaction, **query):
    text = "&".join(f"{name}={value}" for name, value in query.items())
    status, body = kernel.request("GET", f"/transactions/{transaction}?{text}")
    assert status == 200, body
    return body


def test_the_call_that_asked_is_the_call_that_finishes(broker):
    """Issue 2, the main job; ES-12, ES-23, MS-02."""
    kernel = broker.kernel()
    transaction, key, state = asked(kernel.call_tool(*ISSUES))
    assert view(kernel, transaction)["state"] == "waiting"
    Person().sign_in(broker, transaction)
    assert view(kernel, transaction)["state"] == "done"
    result = finish(kernel, *ISSUES, key, state)
    assert not result.get("isError")
    assert len(json.loads(result["content"][0]["text"])) == 2


def test_the_card_sees_every_step_without_polling_again_and_again(broker):
    kernel = broker.kernel()
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    person = Person()
    seen = [view(kernel, transaction)]
    person.open(broker, transaction)
    seen.append(view(kernel, transaction, after=seen[-1]["revision"], wait=5))
    approved = person.approve(broker, transaction)
    seen.append(view(kernel, transaction, after=seen[-1]["revision"], wait=5))
    query = person.at_demo(approved["location"])
    person.call_back(broker, query, approved["binding"])
    seen.append(view(kernel, transaction, after=seen[-1]["revision"], wait=5))
    assert [each["state"] for each in seen] == ["waiting", "opened", "at_provider", "done"]
    assert seen[-1]["account"] == "amara"


def test_a_second_call_needs_no_sign_in(broker):
    kernel = broker.kernel()
    connected(broker, kernel)
    status, body = kernel.call_tool(*ISSUES)
    assert status == 200
    assert not body["result"].get("isError")


def test_declining_on_the_page_ends_the_call_with_one_line(broker):
    kernel = broker.kernel()
    transaction, key, state = asked(kernel.call_tool(*ISSUES))
    nonce = Person().open(broker, transaction)["nonce"]
    broker.call("page.decline", transaction=transaction, principal="owner", nonce=nonce)
    result = finish(kernel, *ISSUES, key, state, "decline")
    assert result["isError"]
    assert "declined" in result["content"][0]["text"]


def test_an_unticked_box_says_what_this_tool_still_needs(broker):
    """Granted scopes are not the scopes that were asked for (RFC 6749 §5.1)."""
    kernel = broker.kernel()
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    Person().sign_in(broker, transaction, untick="issues:read")
    end = view(kernel, transaction)
    assert end["state"] == "failed"
    assert "still needs" in end["error"]
    views = kernel.request("GET", "/connections")[1]["connections"]
    assert views[0]["account"]
    assert "issues:read" not in views[0]["scopes"]


def test_one_sign_in_leaves_only_the_grant_to_the_other_notebook(broker):
    """Its card asks for no second login, and its person says so on a page of its own."""
    one, two = broker.kernel("k1", notebook="a.ipynb"), broker.kernel("k2", notebook="b.ipynb")
    first, _, _ = asked(one.call_tool(*ISSUES))
    second, key, state = asked(two.call_tool(*ISSUES))
    assert first != second
    Person().sign_in(broker, first)
    card = view(two, second)
    assert (card["state"], card["kind"]) == ("waiting", "grant")
    Person().grant(broker, second)
    assert view(two, second)["state"] == "done"
    assert not finish(two, *ISSUES, key, state).get("isError")


@pytest.mark.parametrize(
    "body",
    [
        {"provider": "github", "scopes": ["read:user repo"]},
        {"provider": "github", "scopes": ["read:user,repo"]},
        {"provider": "github", "scopes": "repo"},
        {"provider": "github", "new_account": {"yes": 1}},
        {"provider": ["github"]},
        ["github"],
    ],
    ids=lambda body: json.dumps(body),
)
def test_a_kernel_cannot_hide_one_scope_in_another(broker, body):
    """R155: the page would show both as one name, and the provider would grant both."""
    status, reply = broker.kernel().request("POST", "/connect", body)
    assert (status, reply["error"]["code"]) == (400, "bad_request")


def test_one_kernel_cannot_hold_the_broker(broker):
    """A long poll is a few kilobytes for 25 seconds: 128 of them a kernel, and not all there is."""
    kernel, other = broker.kernel("k1"), broker.kernel("k2")
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    poll = (
        f"GET /transactions/{transaction}?after=99&wait=25 HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{broker.port}\r\nAuthorization: Bearer {kernel.token}\r\n\r\n"
    )
    with ExitStack() as held:
        for _ in range(128):
            one = held.enter_context(socket.create_connection(("127.0.0.1", broker.port)))
            one.sendall(poll.encode())
        deadline = time.monotonic() + 20
        while (got := kernel.request("GET", "/status"))[0] == 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (got[0], got[1]["error"]["code"]) == (429, "too_many_requests")
        status, reply = kernel.call_tool(*ISSUES)
        assert (status, reply["error"]["code"]) == (429, "too_many_requests")
        assert other.request("GET", "/status")[0] == 200
    deadline = time.monotonic() + 20
    while kernel.request("GET", "/status")[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert kernel.request("GET", "/status")[0] == 200


# The person ------------------------------------------------------------------------------------


def test_another_person_cannot_open_approve_or_finish_it(broker):
    """ES-30, ES-31, ES-32."""
    kernel = broker.kernel()
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    mallory = Person("user:mallory")
    with pytest.raises(ControlError, match="not_yours"):
        mallory.open(broker, transaction)
    approved = Person().approve(broker, transaction)
    query = mallory.at_demo(approved["location"])
    mallory.call_back(broker, query, approved["binding"])
    assert view(kernel, transaction)["state"] == "failed"
    assert kernel.request("GET", "/connections")[1]["connections"] == []


def test_another_browser_cannot_finish_it(broker):
    """R145: the state is bound to the browser that approved."""
    kernel = broker.kernel()
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    person = Person()
    approved = person.approve(broker, transaction)
    person.call_back(broker, person.at_demo(approved["location"]), None)
    assert view(kernel, transaction)["state"] == "failed"
    assert "another browser" in view(kernel, transaction)["error"]


def test_a_state_works_once_and_an_unknown_one_never(broker):
    """R143, R144."""
    kernel = broker.kernel()
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    person = Person()
    approved = person.approve(broker, transaction)
    query = person.at_demo(approved["location"])
    person.call_back(broker, query, approved["binding"])
    with pytest.raises(ControlError, match="page_out_of_date"):
        person.call_back(broker, query, approved["binding"])
    for bad in ("code=x&state=guess", "code=x", query + "&state=again"):
        with pytest.raises(ControlError, match="page_out_of_date"):
            person.call_back(broker, bad, approved["binding"])


def test_a_nonce_that_was_used_or_guessed_approves_nothing(broker):
    kernel = broker.kernel()
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    person = Person()
    nonce = person.open(broker, transaction)["nonce"]
    for guess in ("", "x" * 43):
        with pytest.raises(ControlError, match="page_out_of_date"):
            broker.call(
                "page.approve",
                transaction=transaction,
                principal="owner",
                origin=ORIGIN,
                nonce=guess,
            )
    press = {"transaction": transaction, "principal": "owner", "origin": ORIGIN, "nonce": nonce}
    broker.call("page.approve", **press)
    with pytest.raises(ControlError, match="page_out_of_date"):
        broker.call("page.approve", **press)


def test_loading_the_page_twice_gives_the_same_nonce(broker):
    """L2: a browser that loads a page twice must not break it."""
    transaction, _, _ = asked(broker.kernel().call_tool(*ISSUES))
    person = Person()
    assert person.open(broker, transaction)["nonce"] == person.open(broker, transaction)["nonce"]


def test_coming_back_from_the_provider_starts_over(broker):
    kernel = broker.kernel()
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    person = Person()
    stale = person.approve(broker, transaction)
    fresh = person.approve(broker, transaction)
    old_query = person.at_demo(stale["location"])
    with pytest.raises(ControlError, match="page_out_of_date"):
        person.call_back(broker, old_query, stale["binding"])
    person.call_back(broker, person.at_demo(fresh["location"]), fresh["binding"])
    assert view(kernel, transaction)["state"] == "done"


# The kernel ------------------------------------------------------------------------------------


def test_a_kernel_sees_and_ends_its_own_sign_ins_only(broker):
    one, two = broker.kernel("k1"), broker.kernel("k2")
    transaction, _, _ = asked(one.call_tool(*ISSUES))
    assert two.request("GET", f"/transactions/{transaction}")[0] == 404
    assert two.request("DELETE", f"/transactions/{transaction}?action=cancel")[0] == 404
    assert one.request("DELETE", f"/transactions/{transaction}?action=cancel")[1]["state"] == (
        "cancelled"
    )
    with pytest.raises(ControlError, match="page_out_of_date"):
        Person().approve(broker, transaction)


@pytest.mark.parametrize("path", ["/status", "/connections", "/transactions/x", "/mcp"])
def test_without_a_good_capability_there_is_nothing(broker, path):
    kernel = broker.kernel()
    kernel.token = "gho_" + "a" * 43
    assert kernel.request("GET", path)[0] == 401


def test_a_browser_gets_nothing_even_with_a_capability(broker):
    """A page of any origin always sends Origin when it could harm; DNS rebinding shows in Host."""
    kernel = broker.kernel()
    assert kernel.request("GET", "/status", Origin="http://127.0.0.1:8888")[0] == 401
    assert kernel.request("GET", "/status", Host="evil.test")[0] == 401
    assert kernel.request("GET", "/status")[0] == 200


def test_no_answer_to_a_kernel_or_page_holds_a_secret_of_the_flow(broker, tmp_path):
    """ES-21, D1: no token, code, state or verifier in what leaves, in the log or the audit."""
    kernel, person = broker.kernel(), Person()
    transaction, key, state = asked(kernel.call_tool(*ISSUES))
    approved = person.approve(broker, transaction)
    query = person.at_demo(approved["location"])
    person.call_back(broker, query, approved["binding"])
    result = finish(kernel, *ISSUES, key, state)
    told = json.dumps(
        [
            result,
            view(kernel, transaction),
            kernel.request("GET", "/connections"),
            kernel.request("GET", "/status"),
            broker.call("page.done", transaction=transaction, principal="owner"),
            broker.call("connections.page", principal="owner", origin=ORIGIN),
        ]
    )
    written = (tmp_path / "valet" / "audit.jsonl").read_text() + "".join(broker.stderr)
    for name in ("code", "state"):
        value = next(part.split("=", 1)[1] for part in query.split("&") if part.startswith(name))
        assert value not in told
        assert value not in written
    assert approved["binding"] not in told + written


# Faults ----------------------------------------------------------------------------------------


def test_a_broker_that_dies_while_the_person_is_at_the_provider_is_no_loss(tmp_path, issuer):
    """Issue 2, item 2: pending sign-ins and stored credentials survive a crash."""
    with BrokerProcess(tmp_path / "valet", demo_issuer=issuer) as first:
        kernel, person = first.kernel(), Person()
        transaction, key, state = asked(kernel.call_tool(*ISSUES))
        approved = person.approve(first, transaction)
        query = person.at_demo(approved["location"])
        first.kill()
        with BrokerProcess(tmp_path / "valet", first.listener, demo_issuer=issuer) as second:
            kernel = second.kernel()
            person.call_back(second, query, approved["binding"])
            assert view(kernel, transaction)["state"] == "done"
            assert not finish(kernel, *ISSUES, key, state).get("isError")


def test_callers_only_wait_while_the_broker_comes_back(tmp_path, issuer):
    """The server holds the listening socket, so a crash costs time and no connection is refused."""
    with BrokerProcess(tmp_path / "valet", demo_issuer=issuer) as first:
        first.kernel()
        first.kill()
        with BrokerProcess(tmp_path / "valet", first.listener, demo_issuer=issuer) as second:
            assert second.port == first.port
            assert second.kernel().request("GET", "/status")[0] == 200


def test_the_broker_ends_with_its_server(tmp_path):
    with BrokerProcess(tmp_path / "valet") as broker:
        begin = time.monotonic()
        broker.process.stdin.close()
        assert broker.process.wait(20) == 0
        assert time.monotonic() - begin < 20


def test_the_broker_is_closed_to_its_neighbours(started_broker):
    """R03, R11, R18, R19: no environment, memory, core or secret in its command line."""
    proc = Path(f"/proc/{started_broker.process.pid}")
    # Files of a non-dumpable process belong to root: a neighbour of the same user cannot open them.
    assert (proc / "environ").stat().st_uid == 0
    assert (proc / "mem").stat().st_uid == 0
    limits = (proc / "limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if "core file" in line] == [
        ["0", "0"]
    ]
    assert (proc / "cmdline").read_bytes().count(b"\0") == 4
    assert (proc / "cwd").resolve() == Path("/")


def test_sixty_four_calls_on_one_expired_token_in_two_brokers_all_succeed(tmp_path):
    """L15: one refresh at a time across processes, or the provider revokes the whole family."""
    state = tmp_path / "valet"
    with (
        demo_provider("--access-seconds", "40") as issuer,
        BrokerFork(state, demo_issuer=issuer) as one,
        BrokerFork(state, demo_issuer=issuer) as two,
    ):
        first, second = one.kernel("k1"), two.kernel("k2")
        connected(one, first)
        assert second.call_tool(*ISSUES)[0] == 200  # its services are up
        time.sleep(11)  # 29 s are left: too few for a call that may take 30
        with ThreadPoolExecutor(64) as pool:
            answers = list(
                pool.map(lambda n: (first if n % 2 else second).call_tool(*ISSUES), range(64))
            )
    assert [status for status, _ in answers] == [200] * 64
    assert not [body for _, body in answers if body["result"].get("isError")]
    lines = [json.loads(line) for line in (state / "audit.jsonl").read_text().splitlines()]
    assert [line["action"] for line in lines].count("connection.refreshed") == 1


def test_no_session_id_gets_into_the_log(broker):
    """R177: the log of a Jupyter server is read by more people than may use its sessions."""
    kernel = broker.kernel()
    connection = http.client.HTTPConnection("127.0.0.1", kernel.port, timeout=30)
    headers = {
        "Authorization": f"Bearer {kernel.token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    connection.request("POST", "/mcp", json.dumps(INITIALIZE), headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    session = response.headers["mcp-session-id"]
    broker.__exit__()
    assert session
    assert session not in "".join(broker.stderr)


# What ends a sign-in ---------------------------------------------------------------------------


def test_a_kernel_that_restarts_leaves_no_open_card(broker):
    """Issue 2: the old kernel's card is over, its link does nothing."""
    kernel = broker.kernel()
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    broker.call("capability.revoke", kernel_id="k1")
    again = broker.kernel()
    assert kernel.request("GET", "/status")[0] == 401
    assert view(again, transaction)["state"] == "cancelled"


def test_a_sign_in_at_the_provider_outlives_its_kernel(broker):
    """The person has approved: the connection is theirs, and the next call finds it."""
    kernel, person = broker.kernel(), Person()
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    approved = person.approve(broker, transaction)
    broker.call("capability.revoke", kernel_id="k1")
    person.call_back(broker, person.at_demo(approved["location"]), approved["binding"])
    again = broker.kernel()
    assert not again.call_tool(*ISSUES)[1]["result"].get("isError")


def test_a_further_account_is_asked_for_and_kept_beside_the_first(broker):
    """Several accounts per provider; the provider is told to ask which (prompt)."""
    kernel = broker.kernel()
    connected(broker, kernel)
    body = {"provider": "demo", "new_account": True}
    reply = kernel.request("POST", "/connect", body)[1]
    transaction = reply["transaction"]["id"]
    person = Person()
    approved = person.approve(broker, transaction)
    assert "prompt=select_account" in approved["location"]
    query = person.at_demo(approved["location"], who="jonas")
    person.call_back(broker, query, approved["binding"])
    accounts = [c["account"] for c in kernel.request("GET", "/connections")[1]["connections"]]
    assert sorted(accounts) == ["amara", "jonas"]


def test_refusing_at_the_provider_is_declining(broker):
    kernel, person = broker.kernel(), Person()
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    approved = person.approve(broker, transaction)
    query = person.at_demo(approved["location"])
    parts = dict(part.split("=", 1) for part in query.split("&"))
    refusal = f"error=access_denied&state={parts['state']}&iss={parts['iss']}"
    person.call_back(broker, refusal, approved["binding"])
    assert view(kernel, transaction)["state"] == "declined"
