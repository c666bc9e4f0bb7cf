"""Signing in by a code that is typed at the provider (RFC 8628), in a real broker process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from broker_process import ORIGIN, BrokerProcess, ControlError, Kernel
from person import Person
from wavering_provider import Wavering, wavering_provider

SECONDS = 20.0


@pytest.fixture(scope="module")
def running() -> Iterator[Wavering]:
    with wavering_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: Wavering) -> Wavering:
    running.mood, running.typed, running.code_answer = "well", False, {}
    running.posted.clear()
    running.polls.clear()
    running.issued.clear()
    return running


@pytest.fixture
def broker(tmp_path: Path, provider: Wavering) -> Iterator[BrokerProcess]:
    providers = {"wavering": provider.profile()}
    with BrokerProcess(tmp_path / "valet", providers=providers) as broker:
        yield broker


def ask(kernel: Kernel, provider: str = "wavering", **more: Any) -> str:
    """Return the transaction of a `%connect`."""
    status, reply = kernel.request("POST", "/connect", {"provider": provider, **more})
    assert status == 200, reply
    return str(reply["transaction"]["id"])


def page(broker: BrokerProcess, transaction: str) -> dict[str, Any]:
    return Person().open(broker, transaction)


def get_code(broker: BrokerProcess, transaction: str) -> dict[str, Any]:
    """Press for a code; return what the page shows then."""
    Person().press(broker, "code", transaction)
    return page(broker, transaction)


def ended(kernel: Kernel, transaction: str) -> dict[str, Any]:
    """Return the card's view once the sign-in has ended."""
    until = time.monotonic() + SECONDS
    view: dict[str, Any] = {"revision": 0, "state": ""}
    while time.monotonic() < until and view["state"] in ("", "waiting", "opened", "at_provider"):
        where = f"/transactions/{transaction}?after={view['revision']}&wait=5"
        _, view = kernel.request("GET", where)
    return view


def until(check: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def polls(provider: Wavering) -> int:
    return sum("device_code" in form for form in provider.forms("/token"))


def test_the_code_that_was_typed_elsewhere_connects(broker: BrokerProcess, provider: Wavering):
    """The page offers it, shows it, and goes on showing the same one; the card ends as any other.

    The grant, the account and the scopes come about as with a sign-in in the browser.
    """
    kernel = broker.kernel()
    transaction = ask(kernel)
    assert page(broker, transaction)["code_offered"]
    shown = get_code(broker, transaction)
    assert shown["step"] == "code"
    assert shown["user_code"] in provider.issued[0]
    assert shown["verification_uri"] == f"{provider.url}/activate"
    assert page(broker, transaction)["user_code"] == shown["user_code"]
    provider.typed = True
    view = ended(kernel, transaction)
    assert (view["state"], view["account"]) == ("done", "jane")
    (mine,) = kernel.request("GET", "/connections")[1]["connections"]
    assert (mine["account"], mine["scopes"]) == ("jane", ["read"])
    assert mine["grants"]
    (asked,) = provider.forms("/device")
    assert asked == {"client_id": "wavering-client", "scope": "read"}


def test_the_person_is_waited_for_and_the_provider_not_hurried(
    broker: BrokerProcess, provider: Wavering
):
    """RFC 8628 §3.5: not yet, slower, no answer at all; then the tokens."""
    kernel = broker.kernel()
    transaction = ask(kernel)
    provider.polls += ["authorization_pending", "down", "authorization_pending"]
    get_code(broker, transaction)
    provider.typed = True
    assert ended(kernel, transaction)["state"] == "done"
    assert polls(provider) == 4


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        ("access_denied", "declined", ""),
        ("expired_token", "failed", "not typed at the provider in time"),
        ("invalid_grant", "failed", "no longer accepts"),
        ("unheard_of", "failed", "the provider refused"),
    ],
)
def test_what_the_provider_says_no_to_ends_it_in_words(
    broker: BrokerProcess, provider: Wavering, error: str, state: str, words: str
):
    kernel = broker.kernel()
    transaction = ask(kernel)
    provider.polls += [error]
    get_code(broker, transaction)
    view = ended(kernel, transaction)
    assert view["state"] == state
    assert words in view["error"]
    assert "unheard" not in view["error"]
    assert page(broker, transaction)["user_code"] == ""


def test_a_code_that_runs_out_ends_the_question(broker: BrokerProcess, provider: Wavering):
    provider.code_answer = {"expires_in": 2}
    kernel = broker.kernel()
    transaction = ask(kernel)
    get_code(broker, transaction)
    assert ended(kernel, transaction)["state"] == "expired"


@pytest.mark.parametrize("who", ["kernel", "page"])
def test_nobody_asks_about_a_code_any_more_once_it_was_given_up(
    broker: BrokerProcess, provider: Wavering, who: str
):
    """The kernel was interrupted, or the person pressed *Decline* on the page of the code."""
    kernel = broker.kernel()
    transaction = ask(kernel)
    shown = get_code(broker, transaction)
    until(lambda: polls(provider) == 1)
    if who == "kernel":
        kernel.request("DELETE", f"/transactions/{transaction}?action=cancel")
    else:
        press = {"transaction": transaction, "principal": "owner", "nonce": shown["nonce"]}
        broker.call("page.decline", **press)
    provider.typed = True
    assert ended(kernel, transaction)["state"] == {"kernel": "cancelled", "page": "declined"}[who]
    time.sleep(1.3)  # the provider's interval is one second
    assert polls(provider) == 1
    assert kernel.request("GET", "/connections")[1]["connections"] == []


def test_a_new_broker_goes_on_asking(tmp_path: Path, provider: Wavering):
    """What is out survives `kill -9`, page and all, and no kernel is needed for it."""
    start = {"providers": {"wavering": provider.profile()}}
    with BrokerProcess(tmp_path / "valet", **start) as first:
        transaction = ask(first.kernel())
        shown = get_code(first, transaction)
        first.kill()
    with BrokerProcess(tmp_path / "valet", **start) as second:
        again = page(second, transaction)
        assert again["user_code"] == shown["user_code"]
        provider.typed = True
        kernel = second.kernel()
        assert ended(kernel, transaction)["state"] == "done"


def test_the_code_is_on_the_page_alone(broker: BrokerProcess, provider: Wavering):
    """Not in the card, the status, the audit, the log or in clear on disk: who types it is let in.

    RFC 8628 §5.4; the device code is not even on the page.
    """
    kernel = broker.kernel()
    transaction = ask(kernel)
    shown = get_code(broker, transaction)
    told = [kernel.request("GET", f"/transactions/{transaction}")[1]]
    told += [kernel.request("GET", "/status")[1], kernel.request("GET", "/connections")[1]]
    provider.typed = True
    told.append(ended(kernel, transaction))
    everything = repr(told).encode() + "".join(broker.stderr).encode()
    everything += b"".join(f.read_bytes() for f in broker.state_dir.rglob("*") if f.is_file())
    assert b"by a code" in everything  # the audit was among it
    for secret in provider.issued:
        assert secret[:20].encode() not in everything
    assert provider.issued[1] not in repr(shown)


def test_another_person_is_not_shown_the_code(broker: BrokerProcess, provider: Wavering):
    """ES-30: nor may they ask for one."""
    transaction = ask(broker.kernel())
    nonce = page(broker, transaction)["nonce"]
    mallory = Person("user:mallory")
    press = {"transaction": transaction, "principal": mallory.principal, "nonce": nonce}
    with pytest.raises(ControlError, match="not_yours"):
        broker.call("page.code", **press, choices={})
    get_code(broker, transaction)
    with pytest.raises(ControlError, match="not_yours"):
        mallory.open(broker, transaction)


def test_a_code_takes_a_press_and_is_made_once(broker: BrokerProcess, provider: Wavering):
    """No nonce, no code; a double click gets the one that there is."""
    transaction = ask(broker.kernel())
    nonce = page(broker, transaction)["nonce"]
    press = {"transaction": transaction, "principal": "owner", "choices": {}}
    with pytest.raises(ControlError, match="page_out_of_date"):
        broker.call("page.code", **press, nonce="guessed")
    assert provider.forms("/device") == []
    broker.call("page.code", **press, nonce=nonce)
    broker.call("page.code", **press, nonce=nonce)
    assert len(provider.forms("/device")) == 1


def test_a_code_is_not_had_below_the_wanted_level(tmp_path: Path, provider: Wavering):
    start = {"providers": {"wavering": provider.profile()}, "wanted_level": "L3"}
    with BrokerProcess(tmp_path / "valet", **start) as broker:
        transaction = ask(broker.kernel())
        nonce = page(broker, transaction)["nonce"]
        press = {"transaction": transaction, "principal": "owner", "choices": {}}
        with pytest.raises(ControlError, match="level_not_accepted"):
            broker.call("page.code", **press, nonce=nonce)
        assert provider.forms("/device") == []


def test_tokens_that_come_too_late_are_given_back(broker: BrokerProcess, provider: Wavering):
    """The person declined while the provider was issuing them."""
    kernel = broker.kernel()
    transaction = ask(kernel)
    shown = get_code(broker, transaction)
    provider.mood, provider.typed = "slow", True
    until(lambda: polls(provider) == 1)
    press = {"transaction": transaction, "principal": "owner", "nonce": shown["nonce"]}
    broker.call("page.decline", **press)
    until(lambda: provider.forms("/revoke"))
    assert kernel.request("GET", "/connections")[1]["connections"] == []


def test_the_configuration_may_make_a_code_the_only_way(tmp_path: Path, provider: Wavering):
    """`flow = "device"`: there is no redirect to take, so none can be pressed for."""
    profile = provider.profile(flow="device")
    del profile["authorization_endpoint"]
    with BrokerProcess(tmp_path / "valet", providers={"wavering": profile}) as broker:
        kernel = broker.kernel()
        transaction = ask(kernel)
        facts = page(broker, transaction)
        assert (facts["step"], facts["flow"], facts["usual_flow"]) == (
            "consent",
            "device",
            "device",
        )
        with pytest.raises(ControlError, match="page_out_of_date"):
            Person().approve(broker, transaction)
        get_code(broker, transaction)
        provider.typed = True
        assert ended(kernel, transaction)["state"] == "done"


def test_a_provider_without_codes_says_so_and_the_browser_is_still_there(
    tmp_path: Path, provider: Wavering
):
    profile = provider.profile()
    del profile["device_authorization_endpoint"]
    with BrokerProcess(tmp_path / "valet", providers={"wavering": profile}) as broker:
        transaction = ask(broker.kernel())
        assert not page(broker, transaction)["code_offered"]
        with pytest.raises(ControlError, match="page_out_of_date"):
            Person().press(broker, "code", transaction)
        assert Person().approve(broker, transaction)["location"].startswith(provider.url)


# Google ------------------------------------------------------------------------------------------


def save_app(broker: BrokerProcess, transaction: str, client_id: str, secret: str = "s3cret"):
    nonce = page(broker, transaction)["nonce"]
    form = f"nonce={nonce}&client_id={client_id}&client_secret={secret}"
    broker.call("page.save", transaction=transaction, origin=ORIGIN, form=form)


def test_google_gives_codes_for_few_scopes_and_says_which_not(broker: BrokerProcess):
    """Refused in words on the page, and again when it is pressed all the same."""
    transaction = ask(
        broker.kernel(), "google", scopes=["https://www.googleapis.com/auth/gmail.readonly"]
    )
    facts = page(broker, transaction)
    assert [scope["words"] for scope in facts["not_by_code"]] == ["Read your email"]
    with pytest.raises(ControlError, match="does not allow this by a code: Read your email"):
        Person().press(broker, "code", transaction)


def test_google_wants_an_app_of_another_kind_for_codes(broker: BrokerProcess):
    """It is asked for, kept beside the other, and used for codes alone."""
    transaction = ask(broker.kernel(), "google")
    Person().press(broker, "code", transaction)
    facts = page(broker, transaction)
    assert (facts["step"], facts["flow"]) == ("client", "device")
    save_app(broker, transaction, "limited-input")
    facts = page(broker, transaction)
    assert (facts["step"], facts["flow"], facts["client_id"]) == (
        "consent",
        "device",
        "limited-input",
    )
    with pytest.raises(ControlError, match="page_out_of_date"):
        Person().approve(broker, transaction)  # in this browser instead
    facts = page(broker, transaction)
    assert (facts["step"], facts["flow"], facts["client_id"]) == ("client", "code", "")
    save_app(broker, transaction, "web")
    assert page(broker, transaction)["client_id"] == "web"


# A client of its own -----------------------------------------------------------------------------


def test_a_client_of_its_own_connects_without_anybody_signing_in(
    tmp_path: Path, provider: Wavering
):
    """RFC 6749 §4.4: its id and secret are typed on the page, and that is all."""
    profile = provider.profile(flow="client_credentials", token_auth="client_secret_post")
    del profile["client_id"]
    with BrokerProcess(tmp_path / "valet", providers={"wavering": profile}) as broker:
        kernel = broker.kernel()
        transaction = ask(kernel)
        facts = page(broker, transaction)
        assert (facts["step"], facts["flow"]) == ("client", "client_credentials")
        assert not facts["code_offered"]
        with pytest.raises(ControlError, match="the client secret is missing"):
            save_app(broker, transaction, "robot", "")
        save_app(broker, transaction, "robot")
        assert page(broker, transaction)["step"] == "consent"
        assert Person().approve(broker, transaction) == {"location": "", "binding": ""}
        view = ended(kernel, transaction)
        assert (view["state"], view["account"]) == ("done", "robot")
        (form,) = provider.forms("/token")
        assert form == {
            "grant_type": "client_credentials",
            "scope": "read",
            "client_id": "robot",
            "client_secret": "s3cret",
        }
        stored = b"".join(f.read_bytes() for f in broker.state_dir.rglob("*") if f.is_file())
        assert b"s3cret" not in stored


def test_a_client_that_is_refused_is_said_and_asked_for_again(tmp_path: Path, provider: Wavering):
    profile = provider.profile(flow="client_credentials", token_auth="client_secret_post")
    del profile["client_id"]
    provider.mood = "invalid_client"
    with BrokerProcess(tmp_path / "valet", providers={"wavering": profile}) as broker:
        kernel = broker.kernel()
        transaction = ask(kernel)
        save_app(broker, transaction, "robot", "mistyped")
        Person().approve(broker, transaction)
        view = ended(kernel, transaction)
        assert view["state"] == "failed"
        assert "does not accept the OAuth app" in view["error"]
        assert page(broker, ask(kernel))["step"] == "client"
