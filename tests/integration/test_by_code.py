"""Signing in by a code that is typed at the provider (RFC 8628), in a real broker process."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from broker_process import ORIGIN, BrokerFork, BrokerProcess, ControlError, Kernel
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


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, running: Wavering) -> Iterator[BrokerProcess]:
    """Run one broker for all tests; each has a person of its own, who holds nothing yet."""
    robot = running.profile(flow="client_credentials", token_auth="client_secret_post")
    del robot["client_id"]
    by_code_alone = running.profile(flow="device")
    del by_code_alone["authorization_endpoint"]
    codeless = running.profile()
    del codeless["device_authorization_endpoint"]
    providers = {
        "wavering": running.profile(),
        "robot": robot,
        "refused": robot,
        "device": by_code_alone,
        "codeless": codeless,
    }
    folder = tmp_path_factory.mktemp("codes") / "valet"
    with BrokerFork(folder, providers=providers) as broker:
        yield broker


@dataclass(frozen=True)
class Asker:
    """A person and a kernel of theirs."""

    broker: BrokerProcess
    person: Person
    kernel: Kernel
    asked: list[str] = field(default_factory=list)

    @property
    def stored(self) -> bytes:
        """Everything that the broker wrote to disk."""
        files = self.broker.state_dir.rglob("*")
        return b"".join(file.read_bytes() for file in files if file.is_file())

    def press(self, method: str, transaction: str, nonce: str) -> dict[str, Any]:
        """Press with this nonce, whatever the page shows now."""
        press = {"transaction": transaction, "principal": self.person.principal, "nonce": nonce}
        return self.broker.call(f"page.{method}", **press, choices={})


_numbers = itertools.count(1)


def asker(broker: BrokerProcess) -> Asker:
    number = next(_numbers)
    person = Person(f"user:{number}")
    return Asker(broker, person, broker.kernel(f"k{number}", person.principal))


@pytest.fixture
def here(shared: BrokerProcess, provider: Wavering) -> Iterator[Asker]:
    here = asker(shared)
    yield here
    for transaction in here.asked:  # so that nobody asks about its code in the next test
        here.kernel.request("DELETE", f"/transactions/{transaction}?action=cancel")


def ask(here: Asker, provider: str = "wavering", **more: Any) -> str:
    """Return the transaction of a `%connect`."""
    status, reply = here.kernel.request("POST", "/connect", {"provider": provider, **more})
    assert status == 200, reply
    here.asked.append(str(reply["transaction"]["id"]))
    return here.asked[-1]


def page(here: Asker, transaction: str) -> dict[str, Any]:
    return here.person.open(here.broker, transaction)


def get_code(here: Asker, transaction: str) -> dict[str, Any]:
    """Press for a code; return what the page shows then."""
    here.person.press(here.broker, "code", transaction)
    return page(here, transaction)


def ended(here: Asker, transaction: str) -> dict[str, Any]:
    """Return the card's view once the sign-in has ended."""
    until = time.monotonic() + SECONDS
    view: dict[str, Any] = {"revision": 0, "state": ""}
    while time.monotonic() < until and view["state"] in ("", "waiting", "opened", "at_provider"):
        where = f"/transactions/{transaction}?after={view['revision']}&wait=5"
        _, view = here.kernel.request("GET", where)
    return view


def until(check: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def polls(provider: Wavering) -> int:
    return sum("device_code" in form for form in provider.forms("/token"))


def test_the_code_that_was_typed_elsewhere_connects(here: Asker, provider: Wavering):
    """The page offers it, shows it, and goes on showing the same one; the card ends as any other.

    The grant, the account and the scopes come about as with a sign-in in the browser.
    """
    transaction = ask(here)
    assert page(here, transaction)["code_offered"]
    shown = get_code(here, transaction)
    assert shown["step"] == "code"
    assert shown["user_code"] in provider.issued[0]
    assert shown["verification_uri"] == f"{provider.url}/activate"
    assert page(here, transaction)["user_code"] == shown["user_code"]
    provider.typed = True
    view = ended(here, transaction)
    assert (view["state"], view["account"]) == ("done", "jane")
    (mine,) = here.kernel.request("GET", "/connections")[1]["connections"]
    assert (mine["account"], mine["scopes"]) == ("jane", ["read"])
    assert mine["grants"]
    (asked,) = provider.forms("/device")
    assert asked == {"client_id": "wavering-client", "scope": "read"}


def test_the_person_is_waited_for_and_the_provider_not_hurried(here: Asker, provider: Wavering):
    """RFC 8628 §3.5: not yet, slower, no answer at all; then the tokens."""
    transaction = ask(here)
    provider.polls += ["authorization_pending", "down", "authorization_pending"]
    get_code(here, transaction)
    provider.typed = True
    assert ended(here, transaction)["state"] == "done"
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
    here: Asker, provider: Wavering, error: str, state: str, words: str
):
    transaction = ask(here)
    provider.polls += [error]
    get_code(here, transaction)
    view = ended(here, transaction)
    assert view["state"] == state
    assert words in view["error"]
    assert "unheard" not in view["error"]
    assert page(here, transaction)["user_code"] == ""


def test_a_code_that_runs_out_ends_the_question(here: Asker, provider: Wavering):
    provider.code_answer = {"expires_in": 2}
    transaction = ask(here)
    get_code(here, transaction)
    assert ended(here, transaction)["state"] == "expired"


@pytest.mark.parametrize("who", ["kernel", "page"])
def test_nobody_asks_about_a_code_any_more_once_it_was_given_up(
    here: Asker, provider: Wavering, who: str
):
    """The kernel was interrupted, or the person pressed *Decline* on the page of the code."""
    transaction = ask(here)
    shown = get_code(here, transaction)
    until(lambda: polls(provider) == 1)
    if who == "kernel":
        here.kernel.request("DELETE", f"/transactions/{transaction}?action=cancel")
    else:
        here.press("decline", transaction, shown["nonce"])
    provider.typed = True
    assert ended(here, transaction)["state"] == {"kernel": "cancelled", "page": "declined"}[who]
    time.sleep(1.3)  # the provider's interval is one second
    assert polls(provider) == 1
    assert here.kernel.request("GET", "/connections")[1]["connections"] == []


def test_a_new_broker_goes_on_asking(tmp_path: Path, provider: Wavering):
    """What is out survives `kill -9`, page and all, and no kernel is needed for it."""
    start = {"providers": {"wavering": provider.profile()}}
    with BrokerFork(tmp_path / "valet", **start) as first:
        before = asker(first)
        transaction = ask(before)
        shown = get_code(before, transaction)
        first.kill()
    with BrokerFork(tmp_path / "valet", **start) as second:
        kernel = second.kernel(principal=before.person.principal)
        after = Asker(second, before.person, kernel)
        assert page(after, transaction)["user_code"] == shown["user_code"]
        provider.typed = True
        until(lambda: page(after, transaction)["state"] == "done")
        assert kernel.request("GET", f"/transactions/{transaction}")[0] == 404  # another kernel


def test_the_code_is_on_the_page_alone(here: Asker, provider: Wavering):
    """Not in the card, the status, the audit, the log or in clear on disk: who types it is let in.

    RFC 8628 §5.4; the device code is not even on the page.
    """
    transaction = ask(here)
    shown = get_code(here, transaction)
    told = [here.kernel.request("GET", f"/transactions/{transaction}")[1]]
    told += [here.kernel.request("GET", path)[1] for path in ("/status", "/connections")]
    provider.typed = True
    told.append(ended(here, transaction))
    everything = repr(told).encode() + "".join(here.broker.stderr).encode() + here.stored
    assert b"by a code" in everything  # the audit was among it
    for secret in provider.issued:
        assert secret[:20].encode() not in everything
    assert provider.issued[1] not in repr(shown)


def test_another_person_is_not_shown_the_code(here: Asker, provider: Wavering):
    """ES-30: nor may they ask for one."""
    transaction = ask(here)
    nonce = page(here, transaction)["nonce"]
    mallory = Person("user:mallory")
    with pytest.raises(ControlError, match="not_yours"):
        replace(here, person=mallory).press("code", transaction, nonce)
    get_code(here, transaction)
    with pytest.raises(ControlError, match="not_yours"):
        mallory.open(here.broker, transaction)


def test_a_code_takes_a_press_and_is_made_once(here: Asker, provider: Wavering):
    """No nonce, no code; a double click gets the one that there is."""
    transaction = ask(here)
    nonce = page(here, transaction)["nonce"]
    with pytest.raises(ControlError, match="page_out_of_date"):
        here.press("code", transaction, "guessed")
    assert provider.forms("/device") == []
    here.press("code", transaction, nonce)
    here.press("code", transaction, nonce)
    assert len(provider.forms("/device")) == 1


def test_a_code_is_not_had_below_the_wanted_level(tmp_path: Path, provider: Wavering):
    start = {"providers": {"wavering": provider.profile()}, "wanted_level": "L3"}
    with BrokerFork(tmp_path / "valet", **start) as broker:
        here = asker(broker)
        transaction = ask(here)
        with pytest.raises(ControlError, match="level_not_accepted"):
            here.press("code", transaction, page(here, transaction)["nonce"])
        assert provider.forms("/device") == []


def test_tokens_that_come_too_late_are_given_back(here: Asker, provider: Wavering):
    """The person declined while the provider was issuing them."""
    transaction = ask(here)
    shown = get_code(here, transaction)
    provider.mood, provider.typed = "slow", True
    until(lambda: polls(provider) == 1)
    here.press("decline", transaction, shown["nonce"])
    until(lambda: provider.forms("/revoke"))
    assert here.kernel.request("GET", "/connections")[1]["connections"] == []


def test_the_configuration_may_make_a_code_the_only_way(here: Asker, provider: Wavering):
    """`flow = "device"`: there is no redirect to take, so none can be pressed for."""
    transaction = ask(here, "device")
    facts = page(here, transaction)
    assert (facts["step"], facts["flow"], facts["usual_flow"]) == ("consent", "device", "device")
    with pytest.raises(ControlError, match="page_out_of_date"):
        here.person.approve(here.broker, transaction)
    get_code(here, transaction)
    provider.typed = True
    assert ended(here, transaction)["state"] == "done"


def test_a_provider_without_codes_offers_none_and_the_browser_is_still_there(
    here: Asker, provider: Wavering
):
    transaction = ask(here, "codeless")
    assert not page(here, transaction)["code_offered"]
    with pytest.raises(ControlError, match="page_out_of_date"):
        here.person.press(here.broker, "code", transaction)
    assert here.person.approve(here.broker, transaction)["location"].startswith(provider.url)


# Google ------------------------------------------------------------------------------------------


def save_app(here: Asker, transaction: str, client_id: str, secret: str = "s3cret"):
    nonce = page(here, transaction)["nonce"]
    form = f"nonce={nonce}&client_id={client_id}&client_secret={secret}"
    here.broker.call("page.save", transaction=transaction, origin=ORIGIN, form=form)


def test_google_gives_codes_for_few_scopes_and_says_which_not(here: Asker):
    """Refused in words on the page, and again when it is pressed all the same."""
    scopes = ["https://www.googleapis.com/auth/gmail.readonly"]
    transaction = ask(here, "google", scopes=scopes)
    facts = page(here, transaction)
    assert [scope["words"] for scope in facts["not_by_code"]] == ["Read your email"]
    with pytest.raises(ControlError, match="does not allow this by a code: Read your email"):
        here.person.press(here.broker, "code", transaction)


def test_google_wants_an_app_of_another_kind_for_codes(here: Asker):
    """It is asked for, kept beside the other, and used for codes alone."""
    transaction = ask(here, "google")
    here.person.press(here.broker, "code", transaction)
    facts = page(here, transaction)
    assert (facts["step"], facts["flow"]) == ("client", "device")
    save_app(here, transaction, "limited-input")
    facts = page(here, transaction)
    assert (facts["step"], facts["flow"], facts["client_id"]) == (
        "consent",
        "device",
        "limited-input",
    )
    assert here.person.approve(here.broker, transaction)["again"]  # in this browser instead
    facts = page(here, transaction)
    assert (facts["step"], facts["flow"], facts["client_id"]) == ("client", "code", "")
    save_app(here, transaction, "web")
    assert page(here, transaction)["client_id"] == "web"


# A client of its own -----------------------------------------------------------------------------


def test_a_client_of_its_own_connects_without_anybody_signing_in(here: Asker, provider: Wavering):
    """RFC 6749 §4.4: its id and secret are typed on the page, and that is all."""
    transaction = ask(here, "robot")
    facts = page(here, transaction)
    assert (facts["step"], facts["flow"]) == ("client", "client_credentials")
    assert not facts["code_offered"]
    with pytest.raises(ControlError, match="the client secret is missing"):
        save_app(here, transaction, "the-robot", "")
    save_app(here, transaction, "the-robot")
    assert page(here, transaction)["step"] == "consent"
    assert here.person.approve(here.broker, transaction) == {"location": "", "binding": ""}
    view = ended(here, transaction)
    assert (view["state"], view["account"]) == ("done", "the-robot")
    (form,) = provider.forms("/token")
    assert form == {
        "grant_type": "client_credentials",
        "scope": "read",
        "client_id": "the-robot",
        "client_secret": "s3cret",
    }
    assert b"s3cret" not in here.stored


def test_a_client_that_one_person_typed_is_no_other_persons(here: Asker):
    """Its secret is the credential: another person on this server would become the first."""
    transaction = ask(here, "robot")
    save_app(here, transaction, "the-robot")
    assert page(here, transaction)["step"] == "consent"
    other = asker(here.broker)
    facts = page(other, ask(other, "robot"))
    assert (facts["step"], facts["client_id"]) == ("client", "")


def test_a_client_that_is_refused_is_said_and_asked_for_again(here: Asker, provider: Wavering):
    provider.mood = "invalid_client"
    transaction = ask(here, "refused")
    save_app(here, transaction, "the-robot", "mistyped")
    here.person.approve(here.broker, transaction)
    view = ended(here, transaction)
    assert view["state"] == "failed"
    assert "does not accept the OAuth app" in view["error"]
    assert page(here, ask(here, "refused"))["step"] == "client"
