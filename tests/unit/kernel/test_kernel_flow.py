"""The way of one call, step by step, without a server: the generator is driven by hand."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from jupyter_valet.kernel import flow, mcp
from jupyter_valet.kernel.flow import End, Look, Pause, Post
from jupyter_valet.kernel.transport import Lost
from jupyter_valet.wire.errors import ValetError
from jupyter_valet.wire.views import ScopeView, TransactionView

ID = "T" * 43
URL = f"http://127.0.0.1:8888/valet/connect/{ID}"
CALL = mcp.Call("tools/call", {"name": "demo_list_issues", "arguments": {}})
VIEW = TransactionView(
    id=ID,
    revision=1,
    state="waiting",
    provider="demo",
    provider_title="Demo",
    server="valet",
    reason="why",
    url=URL,
    notebook="a.ipynb",
    expires_at=time.time() + 600,
    scopes=[ScopeView("read", "Read")],
)
DONE = {"resultType": "complete", "content": []}


class Desk:
    """A desk that remembers, with a person who may be away."""

    def __init__(self, *, here: bool = True, again: bool | None = None) -> None:
        self.here, self.wants_again = here, again
        self.shown: list[str] = []
        self.messages: list[str] = []
        self.left = 0

    def attended(self) -> bool:
        return self.here

    def open(self, view: TransactionView, message: str) -> Desk:
        self.shown.append(view.state)
        self.messages.append(message)
        return self

    def show(self, view: TransactionView) -> None:
        self.shown.append(view.state)

    def declined(self) -> bool:
        return False

    def offer_again(self) -> bool:
        return self.wants_again is not None

    def again(self) -> bool:
        return bool(self.wants_again)

    def leave(self) -> bool:
        self.left += 1
        return True


def asked(state: str | None = "opaque", **params: Any) -> dict[str, Any]:
    request = {
        "method": "elicitation/create",
        "params": {"mode": "url", "message": "Sign in.", "url": URL, **params},
    }
    reply = {"resultType": "input_required", "inputRequests": {"connect": request}}
    return reply if state is None else {**reply, "requestState": state}


def at(state: str, revision: int = 2, **more: Any) -> TransactionView:
    return replace(VIEW, state=state, revision=revision, **more)


def finish(running: flow.Flow[Any], value: Any = None) -> Any:
    with pytest.raises(StopIteration) as end:
        running.send(value)
    return end.value.value


def start(desk: Desk, *, repeatable: bool = False, reply: Any = None) -> flow.Flow[Any]:
    """Begin a call up to the first answer."""
    running = flow.call_tool(CALL, desk, repeatable=repeatable)
    assert next(running) == Post(CALL, repeatable)
    step = running.send(asked() if reply is None else reply)
    assert step == Look(ID)
    return running


def test_a_call_that_needs_nothing_is_one_leg() -> None:
    """MC-05: an absent resultType means complete."""
    running = flow.call_tool(CALL, Desk())
    next(running)
    assert finish(running, {"content": []}) == {"content": []}


def test_the_answer_goes_into_a_second_leg_with_the_state_as_it_was() -> None:
    """MC-01, MC-02, EC-21: accept without content, the state byte-exact, same method and params."""
    desk = Desk()
    state = 'v1.\u00e4"\\ /+==\n '
    running = start(desk, reply=asked(state))
    assert isinstance(running.send(VIEW), Look)
    leg = running.send(at("done", account="jane"))
    assert isinstance(leg, Post)
    assert leg.call.method == "tools/call"
    assert leg.call.params == {
        "name": "demo_list_issues",
        "arguments": {},
        "inputResponses": {"connect": {"action": "accept"}},
        "requestState": state,
    }
    assert finish(running, DONE) == DONE
    assert desk.shown == ["waiting", "done"]
    assert desk.messages == ["Sign in."]
    assert desk.left == 1


def test_no_state_is_echoed_when_none_was_given() -> None:
    """MC-02."""
    running = start(Desk(), reply=asked(None))
    running.send(VIEW)
    leg = running.send(at("done"))
    assert isinstance(leg, Post)
    assert "requestState" not in leg.call.params


def test_state_only_is_retried_with_the_state_and_no_answers() -> None:
    """MC-01."""
    running = flow.call_tool(CALL, Desk())
    next(running)
    step = running.send({"resultType": "input_required", "requestState": "s"})
    assert isinstance(step, Pause)
    leg = running.send(None)
    assert isinstance(leg, Post)
    assert leg.call.params["requestState"] == "s"
    assert "inputResponses" not in leg.call.params


def test_the_answers_of_one_leg_are_not_used_for_another() -> None:
    """MC-04: state and answers belong to the retry of the request that got them."""
    running = start(Desk())
    running.send(VIEW)
    running.send(at("done"))
    running.send({"resultType": "input_required", "requestState": "second"})
    leg = running.send(None)
    assert isinstance(leg, Post)
    assert leg.call.params["requestState"] == "second"
    assert "inputResponses" not in leg.call.params


@pytest.mark.parametrize(
    ("state", "action", "code"),
    [
        ("declined", "decline", "declined"),
        ("cancelled", "cancel", "cancelled"),
        ("expired", "cancel", "expired"),
        ("failed", "cancel", "sign_in_failed"),
        ("a-state-of-the-future", "cancel", "cancelled"),
    ],
)
def test_every_other_end_is_told_and_raised(state: str, action: str, code: str) -> None:
    """ES-14's other half: the server hears decline or cancel, the person one line."""
    running = start(Desk())
    running.send(VIEW)
    leg = running.send(at(state))
    assert isinstance(leg, Post)
    assert leg.call.params["inputResponses"] == {"connect": {"action": action}}
    with pytest.raises(ValetError) as error:
        running.send({"isError": True, "content": []})
    assert error.value.code == code


@pytest.mark.parametrize("outcome", [ValetError("internal"), mcp.StateRefused(), Lost(sent=True)])
def test_the_persons_answer_is_told_even_when_the_last_leg_fails(outcome: Exception) -> None:
    """What happened to the sign-in is the news, not what became of the goodbye."""
    running = start(Desk())
    running.send(VIEW)
    running.send(at("declined"))
    with pytest.raises(ValetError) as error:
        running.throw(outcome)
    assert error.value.code == "declined"


def test_a_call_that_can_do_without_the_sign_in_succeeds() -> None:
    """A server may go on after a decline."""
    running = start(Desk())
    running.send(VIEW)
    running.send(at("declined"))
    assert finish(running, DONE) == DONE


def test_nobody_is_asked_twice_after_a_decline() -> None:
    """EC-18: a decline is respected at once."""
    running = start(Desk())
    running.send(VIEW)
    running.send(at("declined"))
    with pytest.raises(ValetError) as error:
        running.send(asked())
    assert error.value.code == "declined"


def test_a_server_that_asks_for_ever_is_given_up() -> None:
    """No endless loop, whatever the server says."""
    running = flow.call_tool(CALL, Desk())
    next(running)
    for _ in range(flow.ROUNDS - 1):
        assert isinstance(
            running.send({"resultType": "input_required", "requestState": "s"}), Pause
        )
        assert isinstance(running.send(None), Post)
    running.send({"resultType": "input_required", "requestState": "s"})
    with pytest.raises(ValetError, match="again and again"):
        running.send(None)


def test_the_wait_passes_the_revision_that_is_known() -> None:
    """The long poll returns on what is new."""
    running = start(Desk())
    look = running.send(VIEW)
    assert isinstance(look, Look)
    assert look.after == 1
    look = running.send(at("opened", 5))
    assert isinstance(look, Look)
    assert look.after == 5


def test_decline_on_the_card_is_sent_to_the_broker() -> None:
    """EC-05, EC-18."""
    running = start(Desk())
    running.send(VIEW)
    assert running.send(None) == End(ID, "decline")
    assert running.send(None) == Look(ID)
    leg = running.send(at("declined"))
    assert isinstance(leg, Post)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit(), RuntimeError()])
def test_an_interruption_cancels_at_the_broker_and_closes_the_card(
    interruption: BaseException,
) -> None:
    """EC-10: Interrupt is the universal cancel and leaves nothing pending."""
    desk = Desk()
    running = start(desk)
    running.send(VIEW)
    assert running.throw(interruption) == End(ID, "cancel")
    assert desk.left == 1
    with pytest.raises(type(interruption)):
        running.send(None)


@pytest.mark.parametrize("trouble", [ValetError("broker_unreachable"), Lost(sent=True)])
def test_trouble_of_the_broker_does_not_cancel_what_the_person_is_doing(trouble: Exception) -> None:
    """A broker that is just ending could still take it: the sign-in would end at the next one."""
    desk = Desk()
    running = start(desk)
    running.send(VIEW)
    with pytest.raises(type(trouble)):
        running.throw(trouble)
    assert desk.left == 1


def test_a_second_interruption_gets_through() -> None:
    """The goodbye must not trap anybody."""
    running = start(Desk())
    running.send(VIEW)
    running.throw(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt())


def test_a_card_that_cannot_be_shown_cancels() -> None:
    """No sign-in is left pending behind an error of the front end."""

    class Broken(Desk):
        def open(self, view: TransactionView, message: str) -> Desk:
            raise RuntimeError

    running = start(Broken())
    assert running.send(VIEW) == End(ID, "cancel")
    with pytest.raises(RuntimeError):
        running.send(None)


def test_a_flow_that_is_dropped_closes_its_card() -> None:
    """Nothing is left on the screen when the driver goes away."""
    desk = Desk()
    running = start(desk)
    running.send(VIEW)
    running.close()
    assert desk.left == 1


def test_an_unattended_run_fails_at_once_and_cancels() -> None:
    """Nobody will press the button: no card, no wait, nothing pending."""
    desk = Desk(here=False)
    running = start(desk)
    assert running.send(VIEW) == End(ID, "cancel")
    with pytest.raises(ValetError) as error:
        running.send(None)
    assert error.value.code == "unattended"
    assert "%connect demo" in str(error.value)
    assert desk.shown == []


def test_an_unattended_run_uses_a_sign_in_that_is_done_already() -> None:
    """Another notebook's card may finish this one."""
    running = start(Desk(here=False))
    assert isinstance(running.send(at("done")), Post)


def test_an_unsafe_link_is_never_shown() -> None:
    """EC-22: no card, and the sign-in is cancelled."""
    url = f"http://evil.example/valet/connect/{ID}"
    desk = Desk()
    running = start(desk, reply=asked(url=url))
    assert running.send(replace(VIEW, url=url)) == End(ID, "cancel")
    with pytest.raises(ValetError, match="not encrypted"):
        running.send(None)
    assert desk.shown == []


def test_a_card_never_shows_another_url_than_the_elicitation() -> None:
    """EC-13: the URL that is shown is the URL that was asked for."""
    running = start(Desk())
    assert running.send(replace(VIEW, url=URL + "x")) == End(ID, "cancel")
    with pytest.raises(ValetError) as error:
        running.send(None)
    assert error.value.code == "protocol_error"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://127.0.0.1:8888/valet/connect/short",
        f"{URL}/approve",
        f"{URL}?x=1",
    ],
)
def test_a_page_that_is_not_the_brokers_is_refused(url: str) -> None:
    """EC-07: only our own connect page is ever offered."""
    running = flow.call_tool(CALL, Desk())
    next(running)
    with pytest.raises(ValetError) as error:
        running.send(asked(url=url))
    assert error.value.code == "protocol_error"


def test_an_expired_card_can_be_tried_again() -> None:
    """A new leg without state gets a new transaction, in the same cell."""
    desk = Desk(again=True)
    running = start(desk)
    running.send(VIEW)
    leg = running.send(at("expired"))
    assert leg == Post(CALL, False)
    assert desk.left == 1


def test_an_expired_card_that_nobody_renews_ends_the_cell() -> None:
    """The offer has an end."""
    running = start(Desk(again=False))
    running.send(VIEW)
    step = running.send(at("expired"))
    pauses = 0
    while isinstance(step, Pause):
        pauses += 1
        step = running.send(None)
    assert pauses == int(flow.AGAIN_SECONDS / 0.2)
    assert isinstance(step, Post)
    assert step.call.params["inputResponses"] == {"connect": {"action": "cancel"}}


def test_a_refused_state_starts_the_call_anew() -> None:
    """The tool did not run, so asking once more is safe."""
    running = start(Desk())
    running.send(VIEW)
    running.send(at("done"))
    assert running.throw(mcp.StateRefused()) == Post(CALL, False)
    assert finish(running, DONE) == DONE


def test_a_lost_last_leg_is_repeated_only_for_tools_that_read() -> None:
    """The broker was killed: a write may have happened, a read may be repeated."""
    reads = start(Desk(), repeatable=True)
    reads.send(VIEW)
    leg = reads.send(at("done"))
    assert isinstance(leg, Post)
    assert not leg.repeatable  # its state can be used once
    assert reads.throw(Lost(sent=True)) == Post(CALL, True)
    writes = start(Desk())
    writes.send(VIEW)
    writes.send(at("done"))
    with pytest.raises(ValetError) as error:
        writes.throw(Lost(sent=True))
    assert error.value.code == "broker_unreachable"


def test_all_questions_are_answered_before_the_retry() -> None:
    """MC-01."""
    other = "U" * 43
    reply = asked()
    second = {
        "method": "elicitation/create",
        "params": {"mode": "url", "message": "m", "url": URL.replace(ID, other)},
    }
    reply["inputRequests"]["second"] = second
    running = start(Desk(), reply=reply)
    running.send(VIEW)
    assert running.send(at("done")) == Look(other)
    leg = running.send(replace(at("done"), id=other, url=URL.replace(ID, other)))
    assert isinstance(leg, Post)
    accept = {"action": "accept"}
    assert leg.call.params["inputResponses"] == {"connect": accept, "second": accept}
