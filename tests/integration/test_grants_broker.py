"""Grants and approvals in a real broker process, from the call that lacks one to its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker_process import BrokerFork, BrokerProcess, ControlError, Kernel
from person import Person, asked, connected, finish

ISSUES = ("demo_list_issues", {"project": "tidepool", "limit": 2})
DRIFT = ("demo_create_issue", {"project": "tidepool", "title": "Drift"})


def view(kernel: Kernel, transaction: str) -> dict[str, Any]:
    status, body = kernel.request("GET", f"/transactions/{transaction}")
    assert status == 200, body
    return dict(body)


def may_write(broker: BrokerProcess, kernel: Kernel) -> None:
    """Sign in with the scope to write, which is no leave to write."""
    body = {"provider": "demo", "scopes": ["issues:read", "issues:write"]}
    _, reply = kernel.request("POST", "/connect", body)
    Person().sign_in(broker, reply["transaction"]["id"])


def ok(reply: tuple[int, dict[str, Any]]) -> Any:
    status, body = reply
    assert status == 200, body
    result = body["result"]
    assert result.get("resultType", "complete") == "complete", result
    assert not result.get("isError"), result
    return json.loads(result["content"][0]["text"])


def code(result: dict[str, Any]) -> str:
    assert result["isError"]
    return str(result["content"][0]["text"]).partition(":")[0]


# Grants --------------------------------------------------------------------------------------


def test_the_first_sign_in_brings_the_grant_to_read(broker: BrokerProcess) -> None:
    """One page: connection and grant."""
    kernel = broker.kernel()
    connected(broker, kernel)
    assert len(ok(kernel.call_tool(*ISSUES))) == 2
    [connection] = kernel.request("GET", "/connections")[1]["connections"]
    [grant] = connection["grants"]
    assert (grant["access"], grant["until"], grant["notebook"]) == ("read", 0, "a.ipynb")


def test_another_notebook_asks_for_the_grant_and_for_no_login(broker: BrokerProcess) -> None:
    """The call that asked for it is the call that finishes."""
    connected(broker, broker.kernel())
    second = broker.kernel("k2", notebook="b.ipynb")
    assert second.request("GET", "/connections")[1] == {"connections": []}
    transaction, key, state = asked(second.call_tool(*ISSUES))
    assert view(second, transaction)["kind"] == "grant"
    Person().grant(broker, transaction)
    assert not finish(second, *ISSUES, key, state).get("isError")
    assert len(ok(second.call_tool(*ISSUES))) == 2


@pytest.mark.parametrize(
    "where", [{"notebook": "copy/a.ipynb"}, {"notebook": "A.ipynb"}, {"root": "/elsewhere"}]
)
def test_a_copy_has_no_grant(broker: BrokerProcess, where: dict[str, str]) -> None:
    """Downloaded or copied: another path, or the same below another server's folder."""
    connected(broker, broker.kernel())
    copy = broker.kernel("k2", **where)
    transaction, _, _ = asked(copy.call_tool(*ISSUES))
    assert view(copy, transaction)["kind"] == "grant"


def test_a_kernel_without_a_notebook_has_its_grant_for_itself(broker: BrokerProcess) -> None:
    """It dies with the kernel, and another such kernel has none."""
    kernel = broker.kernel("k1", notebook="")
    connected(broker, kernel)
    assert ok(kernel.call_tool(*ISSUES))
    asked(broker.kernel("k2", notebook="").call_tool(*ISSUES))
    broker.call("capability.revoke", kernel_id="k1")
    asked(broker.kernel("k1", notebook="").call_tool(*ISSUES))


def test_a_grant_follows_its_notebook_and_ends_with_it(broker: BrokerProcess) -> None:
    """The server says what was renamed, or a folder above it."""
    root = "/home/jane"
    kernel = broker.kernel("k1", notebook="old/a.ipynb", root=root)
    connected(broker, kernel)
    broker.call("notebook.moved", root=root, old="old", new="new")
    assert ok(kernel.call_tool(*ISSUES))  # the kernel runs on
    assert ok(broker.kernel("k2", notebook="new/a.ipynb", root=root).call_tool(*ISSUES))
    asked(broker.kernel("k3", notebook="old/a.ipynb", root=root).call_tool(*ISSUES))
    broker.call("notebook.moved", root="/elsewhere", old="new/a.ipynb", new="")
    assert ok(kernel.call_tool(*ISSUES))
    broker.call("notebook.moved", root=root, old="new/a.ipynb", new="")
    asked(broker.kernel("k2", notebook="new/a.ipynb", root=root).call_tool(*ISSUES))


def test_a_notebook_does_not_inherit_from_the_one_it_replaces(broker: BrokerProcess) -> None:
    """A file that was deleted behind the server's back leaves its grant; a rename ends it."""
    connected(broker, broker.kernel("k1", notebook="good.ipynb"))
    broker.call("notebook.moved", root="", old="evil.ipynb", new="good.ipynb")
    asked(broker.kernel("k2", notebook="good.ipynb").call_tool(*ISSUES))


def test_a_grant_for_this_run_ends_with_the_kernel(broker: BrokerProcess) -> None:
    connected(broker, broker.kernel())
    second = broker.kernel("k2", notebook="b.ipynb")
    transaction, _, _ = asked(second.call_tool(*ISSUES))
    Person().grant(broker, transaction, until="run")
    assert ok(second.call_tool(*ISSUES))
    asked(broker.kernel("k3", notebook="b.ipynb").call_tool(*ISSUES))
    broker.call("capability.revoke", kernel_id="k2")
    asked(broker.kernel("k2", notebook="b.ipynb").call_tool(*ISSUES))


def test_the_calls_of_an_hour_are_counted(broker: BrokerProcess) -> None:
    connected(broker, broker.kernel())
    second = broker.kernel("k2", notebook="b.ipynb")
    transaction, _, _ = asked(second.call_tool(*ISSUES))
    Person().grant(broker, transaction, per_hour="2")
    assert ok(second.call_tool(*ISSUES))
    assert ok(second.call_tool(*ISSUES))
    result = second.call_tool(*ISSUES)[1]["result"]
    assert code(result) == "limit_reached"
    assert "more than 2 calls an hour" in result["content"][0]["text"]
    assert "valet/connections" in result["content"][0]["text"]


def test_a_grant_is_not_given_by_another_person_nor_for_anothers_account(
    broker: BrokerProcess,
) -> None:
    """ES-30: the page, the press and the connection are of the one who started it."""
    connected(broker, broker.kernel("k1", "jane"), Person("jane"))
    [janes] = broker.call("connections.page", principal="jane", origin="x")["connections"]
    joe = broker.kernel("k2", "joe", notebook="b.ipynb")
    connected(broker, joe, Person("joe"))
    other = broker.kernel("k3", "joe", notebook="c.ipynb")
    transaction, _, _ = asked(other.call_tool(*ISSUES))
    with pytest.raises(ControlError, match="not_yours"):
        Person("jane").press(broker, "grant", transaction, connection=janes["id"])
    with pytest.raises(ControlError, match="page_out_of_date"):
        Person("joe").press(broker, "grant", transaction, connection=janes["id"])


@pytest.mark.parametrize(
    "choices",
    [
        {"access": "everything"},
        {"until": "never"},
        {"per_hour": "-1"},
        {"per_hour": "1e9"},
        {"paths": "repos"},
        {"paths": "/a/../b"},
        {"methods": "TRACE"},
        {"hosts": "https://x"},
    ],
    ids=str,
)
def test_a_form_that_nobody_was_shown_is_refused(
    broker: BrokerProcess, choices: dict[str, str]
) -> None:
    connected(broker, broker.kernel())
    second = broker.kernel("k2", notebook="b.ipynb")
    transaction, _, _ = asked(second.call_tool(*ISSUES))
    with pytest.raises(ControlError, match="bad_request"):
        Person().grant(broker, transaction, **choices)
    assert view(second, transaction)["state"] == "opened"


def test_a_kernel_cannot_press(broker: BrokerProcess) -> None:
    """A transaction's id is no authority; what is not on the list of routes does not exist."""
    connected(broker, broker.kernel())
    second = broker.kernel("k2", notebook="b.ipynb")
    transaction, _, _ = asked(second.call_tool(*ISSUES))
    for method, path in (
        ("POST", f"/transactions/{transaction}"),
        ("PUT", f"/transactions/{transaction}?action=grant"),
        ("POST", "/grants"),
        ("PUT", "/grants/x"),
        ("GET", f"/transactions/{transaction}/grant"),
    ):
        assert second.request(method, path, {"access": "read_write"})[0] == 404
    assert view(second, transaction)["state"] == "waiting"
    # Nor does it see, or end, what another notebook was given.
    [grant] = broker.call("connections.page", principal="owner", origin="x")["connections"][0][
        "grants"
    ]
    assert second.request("DELETE", f"/grants/{grant['id']}")[0] == 404


def test_a_grant_taken_back_is_gone_at_once(broker: BrokerProcess) -> None:
    """In the notebook, and on the page; the account stays."""
    kernel = broker.kernel()
    connected(broker, kernel)
    [connection] = kernel.request("GET", "/connections")[1]["connections"]
    assert kernel.request("DELETE", f"/grants/{connection['grants'][0]['id']}")[0] == 200
    transaction, _, _ = asked(kernel.call_tool(*ISSUES))
    Person().grant(broker, transaction)
    assert ok(kernel.call_tool(*ISSUES))
    page = broker.call("connections.page", principal="owner", origin="x")
    [grant] = page["connections"][0]["grants"]
    press = {"principal": "owner", "grant": grant["id"]}
    with pytest.raises(ControlError, match="page_out_of_date"):
        broker.call("grants.end", **press, nonce="guess")
    broker.call("grants.end", **press, nonce=page["nonce"])
    asked(kernel.call_tool(*ISSUES))


def test_a_grant_is_narrowed_on_the_page(broker: BrokerProcess) -> None:
    kernel = broker.kernel()
    connected(broker, kernel)
    page = broker.call("connections.page", principal="owner", origin="x")
    [grant] = page["connections"][0]["grants"]
    choices = {"access": "read", "until": "kept", "paths": "/api/me /api/projects"}
    choices["write0"] = "demo_create_issue"  # what was not granted is not kept
    broker.call(
        "grants.change",
        principal="owner",
        grant=grant["id"],
        nonce=page["nonce"],
        choices=choices,
    )
    assert code(kernel.call_tool(*ISSUES)[1]["result"]) == "limit_reached"
    assert ok(kernel.call_tool("demo_list_projects", {}))
    [grant] = kernel.request("GET", "/connections")[1]["connections"][0]["grants"]
    assert (grant["paths"], grant["writes"]) == (["/api/me", "/api/projects"], [])


def test_disconnecting_ends_the_grants_for_good(broker: BrokerProcess) -> None:
    """The same account has the same id when it comes back."""
    kernel, second = broker.kernel(), broker.kernel("k2", notebook="b.ipynb")
    connected(broker, kernel)
    Person().grant(broker, asked(second.call_tool(*ISSUES))[0])
    [connection] = kernel.request("GET", "/connections")[1]["connections"]
    assert kernel.request("DELETE", f"/connections/{connection['id']}")[0] == 200
    connected(broker, kernel)
    transaction, _, _ = asked(second.call_tool(*ISSUES))
    assert view(second, transaction)["kind"] == "grant"


def test_a_notebook_without_a_grant_cannot_disconnect(broker: BrokerProcess) -> None:
    kernel, second = broker.kernel(), broker.kernel("k2", notebook="b.ipynb")
    connected(broker, kernel)
    [connection] = kernel.request("GET", "/connections")[1]["connections"]
    assert second.request("DELETE", f"/connections/{connection['id']}")[0] == 404
    assert ok(kernel.call_tool(*ISSUES))


def test_grants_outlive_the_broker(tmp_path: Path, issuer: str) -> None:
    with BrokerFork(tmp_path / "valet", demo_issuer=issuer) as broker:
        connected(broker, broker.kernel())
    with BrokerFork(tmp_path / "valet", demo_issuer=issuer) as broker:
        assert ok(broker.kernel("k9").call_tool(*ISSUES))
        asked(broker.kernel("k2", notebook="b.ipynb").call_tool(*ISSUES))


# The level -----------------------------------------------------------------------------------


@pytest.fixture
def wary(tmp_path: Path, issuer: str) -> Iterator[BrokerProcess]:
    """A broker whose person counts on a wall that the kernels here do not have."""
    with BrokerFork(tmp_path / "valet", demo_issuer=issuer, wanted_level="L2") as broker:
        yield broker


def test_below_the_wanted_level_a_sign_in_needs_a_ticked_box(wary: BrokerProcess) -> None:
    kernel, person = wary.kernel(), Person()
    transaction, key, state = asked(kernel.call_tool(*ISSUES))
    facts = person.open(wary, transaction)
    assert (facts["step"], facts["low"], facts["wanted_level"]) == ("level", True, "L2")
    assert facts["level"] in ("L0", "L1")
    with pytest.raises(ControlError, match="level_not_accepted"):
        person.approve(wary, transaction)
    with pytest.raises(ControlError, match="level_not_accepted"):
        person.press(wary, "accept", transaction)
    person.press(wary, "accept", transaction, understood="yes")
    assert person.open(wary, transaction)["nonce"] != facts["nonce"]
    person.sign_in(wary, transaction)
    assert not finish(kernel, *ISSUES, key, state).get("isError")


def test_below_the_wanted_level_a_grant_needs_a_ticked_box(wary: BrokerProcess) -> None:
    kernel, person = wary.kernel(), Person()
    first, _, _ = asked(kernel.call_tool(*ISSUES))
    person.press(wary, "accept", first, understood="yes")
    person.sign_in(wary, first)
    transaction, _, _ = asked(wary.kernel("k2", notebook="b.ipynb").call_tool(*ISSUES))
    with pytest.raises(ControlError, match="level_not_accepted"):
        person.grant(wary, transaction)
    person.grant(wary, transaction, understood="yes")


def test_a_grant_given_behind_a_wall_is_asked_for_again_without_it(wary: BrokerProcess) -> None:
    """What was said of an isolated kernel was not said of one that is not."""
    wall = {"wall": "landlock", "stopped": 20, "unlocked": []}
    walled = wary.kernel("k1", isolation=wall)
    connected(wary, walled)
    assert ok(walled.call_tool(*ISSUES))
    bare = wary.kernel("k1")
    transaction, _, _ = asked(bare.call_tool(*ISSUES))
    assert "less isolated" in view(bare, transaction)["reason"]
    Person().grant(wary, transaction, understood="yes")
    assert ok(bare.call_tool(*ISSUES))
    assert ok(wary.kernel("k2", isolation=wall).call_tool(*ISSUES))


# Approvals -----------------------------------------------------------------------------------


@pytest.fixture
def writer(broker: BrokerProcess) -> Kernel:
    """A kernel whose account may write and whose notebook may read."""
    kernel = broker.kernel()
    may_write(broker, kernel)
    return kernel


def issues(kernel: Kernel, title: str = "Drift") -> int:
    """Return how many of the newest issues have this title."""
    listed = ok(kernel.call_tool("demo_list_issues", {"project": "tidepool", "limit": 15}))
    # What was left out of an answer is noted beside it.
    found = listed["result"] if isinstance(listed, dict) else listed
    return sum(issue["title"] == title for issue in found)


def test_a_write_is_shown_and_approved_once(broker: BrokerProcess, writer: Kernel) -> None:
    """The page shows the request itself; the approved request is sent, and no second one."""
    before = issues(writer)
    transaction, key, state = asked(writer.call_tool(*DRIFT))
    assert view(writer, transaction)["kind"] == "approval"
    assert issues(writer) == before
    facts = Person().press(broker, "allow", transaction, choice="once")
    preview = facts["preview"]
    assert facts["step"] == "approval"
    assert (preview["method"], preview["account"]) == ("POST", "amara")
    assert preview["path"] == "/api/projects/tidepool/issues"
    assert preview["host"].startswith("http://127.0.0.1:")
    assert json.loads(preview["body"]) == {"title": "Drift"}
    assert not finish(writer, *DRIFT, key, state).get("isError")
    assert issues(writer) == before + 1
    again, _, _ = asked(writer.call_tool(*DRIFT))
    assert again != transaction


def test_an_approved_call_that_is_replayed_has_no_second_effect(
    broker: BrokerProcess, writer: Kernel
) -> None:
    before = issues(writer)
    transaction, key, state = asked(writer.call_tool(*DRIFT))
    Person().press(broker, "allow", transaction, choice="once")
    assert not finish(writer, *DRIFT, key, state).get("isError")
    answers = {"inputResponses": {key: {"action": "accept"}}, "requestState": state}
    _, body = writer.call_tool(*DRIFT, **answers)
    assert "error" in body
    assert issues(writer) == before + 1


def test_other_arguments_need_another_approval(broker: BrokerProcess, writer: Kernel) -> None:
    """Between the approval and the retry: by the same state, and by a new call."""
    transaction, key, state = asked(writer.call_tool(*DRIFT))
    Person().press(broker, "allow", transaction, choice="once")
    other = {**DRIFT[1], "title": "Quite another"}
    answers = {"inputResponses": {key: {"action": "accept"}}, "requestState": state}
    _, body = writer.call_tool(DRIFT[0], other, **answers)
    assert "error" in body
    asked(writer.call_tool(DRIFT[0], other))
    assert issues(writer, "Quite another") == 0


def test_another_kernel_cannot_use_an_approval(broker: BrokerProcess, writer: Kernel) -> None:
    """Of two kernels of one notebook that want the same, the one that asked gets it."""
    rival = broker.kernel("k2")
    transaction, key, state = asked(writer.call_tool(*DRIFT))
    theirs, _, _ = asked(rival.call_tool(*DRIFT))
    assert theirs != transaction
    Person().press(broker, "allow", transaction, choice="once")
    assert asked(rival.call_tool(*DRIFT))[0] == theirs
    answers = {"inputResponses": {key: {"action": "accept"}}, "requestState": state}
    assert "error" in rival.call_tool(*DRIFT, **answers)[1]
    assert not finish(writer, *DRIFT, key, state).get("isError")


def test_an_approval_does_not_outlive_its_kernel(broker: BrokerProcess, writer: Kernel) -> None:
    """A restart keeps the kernel's id and nothing that was approved."""
    transaction, _, _ = asked(writer.call_tool(*DRIFT))
    Person().press(broker, "allow", transaction, choice="once")
    restarted = broker.kernel("k1")
    second, _, _ = asked(restarted.call_tool(*DRIFT))
    Person().press(broker, "allow", second, choice="run")
    assert ok(restarted.call_tool(*DRIFT))
    asked(broker.kernel("k1").call_tool(*DRIFT))


def test_an_approval_for_this_run_is_for_this_tool_and_kernel(
    broker: BrokerProcess, writer: Kernel
) -> None:
    transaction, key, state = asked(writer.call_tool(*DRIFT))
    Person().press(broker, "allow", transaction, choice="run")
    assert not finish(writer, *DRIFT, key, state).get("isError")
    assert ok(writer.call_tool(DRIFT[0], {**DRIFT[1], "title": "More drift"}))
    asked(broker.kernel("k2").call_tool(*DRIFT))


def test_an_approval_for_the_notebook_is_written_into_its_grant(
    broker: BrokerProcess, writer: Kernel
) -> None:
    """It holds in the next kernel, is shown, and is not there in another notebook."""
    transaction, key, state = asked(writer.call_tool(*DRIFT))
    Person().press(broker, "allow", transaction, choice="notebook")
    assert not finish(writer, *DRIFT, key, state).get("isError")
    assert ok(broker.kernel("k1").call_tool(*DRIFT))
    [connection] = broker.kernel("k1").request("GET", "/connections")[1]["connections"]
    assert connection["grants"][0]["writes"] == ["demo_create_issue"]
    asked(broker.kernel("k2", notebook="b.ipynb").call_tool(*DRIFT))


def test_a_declined_write_is_not_sent(broker: BrokerProcess, writer: Kernel) -> None:
    before = issues(writer)
    transaction, key, state = asked(writer.call_tool(*DRIFT))
    nonce = Person().open(broker, transaction)["nonce"]
    broker.call("page.decline", transaction=transaction, principal="owner", nonce=nonce)
    result = finish(writer, *DRIFT, key, state, "decline")
    assert code(result) == "declined"
    assert "approval of a write" in result["content"][0]["text"]
    assert issues(writer) == before


def test_the_press_of_another_page_approves_nothing(broker: BrokerProcess, writer: Kernel) -> None:
    """A nonce is one transaction's, a choice one of those shown, and a page is pressed once."""
    first, _, _ = asked(writer.call_tool(*DRIFT))
    second, _, _ = asked(writer.call_tool(DRIFT[0], {**DRIFT[1], "title": "Other"}))
    person = Person()
    nonce = person.open(broker, first)["nonce"]
    person.open(broker, second)
    press = {"principal": "owner", "choices": {"choice": "once"}}
    with pytest.raises(ControlError, match="page_out_of_date"):
        broker.call("page.allow", transaction=second, nonce=nonce, **press)
    with pytest.raises(ControlError, match="page_out_of_date"):
        broker.call("page.grant", transaction=first, nonce=nonce, **press)
    with pytest.raises(ControlError, match="bad_request"):
        person.press(broker, "allow", first, choice="always")
    broker.call("page.allow", transaction=first, nonce=nonce, **press)
    with pytest.raises(ControlError, match="page_out_of_date"):
        broker.call("page.allow", transaction=first, nonce=nonce, **press)


def test_an_approval_survives_the_broker_until_it_is_pressed(tmp_path: Path, issuer: str) -> None:
    """The preview lies sealed in the vault; the person sees it in the next broker, too."""
    state_dir = tmp_path / "valet"
    with BrokerFork(state_dir, demo_issuer=issuer) as broker:
        kernel = broker.kernel()
        may_write(broker, kernel)
        transaction, key, state = asked(kernel.call_tool(*DRIFT))
        vault = b"".join(path.read_bytes() for path in state_dir.glob("vault.db*"))
        assert b"Drift" not in vault
    with BrokerFork(state_dir, demo_issuer=issuer) as broker:
        kernel = broker.kernel()
        facts = Person().press(broker, "allow", transaction, choice="once")
        assert "Drift" in facts["preview"]["body"]
        assert not finish(kernel, *DRIFT, key, state).get("isError")


def test_what_was_decided_is_in_the_audit(broker: BrokerProcess, writer: Kernel) -> None:
    transaction, key, state = asked(writer.call_tool(*DRIFT))
    Person().press(broker, "allow", transaction, choice="once")
    finish(writer, *DRIFT, key, state)
    seen: list[str] = []
    while "approval.used" not in seen:
        seen.append(broker.events.get(timeout=10)["params"]["data"]["action"])
    assert [a for a in seen if a.startswith(("grant.", "approval."))] == [
        "grant.made",
        "approval.given",
        "approval.used",
    ]
