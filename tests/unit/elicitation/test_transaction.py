"""The state machine of one sign-in."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from jupyter_valet.broker.elicitation import Question, Transaction, record
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.oauth import DeviceCode, Pending
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Record
from jupyter_valet.wire.errors import ValetError
from jupyter_valet.wire.views import Kind
from jupyter_valet.wire.views import TransactionState as State

CALLER = Caller("jane", "k1", "tides.ipynb", "https://hub.example/user/jane/")
FINAL = [State.DONE, State.DECLINED, State.CANCELLED, State.EXPIRED, State.FAILED]


def begun() -> Transaction:
    question = Question(Kind.SIGN_IN, "demo", "The tool needs it.", frozenset({"a", "b"}))
    return Transaction.begin(CALLER, question, now=1000.0)


def pending() -> Pending:
    return Pending(
        provider="demo",
        issuer="http://127.0.0.1:1",
        client_id="c",
        redirect_uri="https://hub.example/user/jane/valet/callback/demo",
        scopes=frozenset({"a"}),
        state_digest="0" * 64,
        verifier=Secret("v" * 43),
        created_at=1000.0,
        token_endpoint="http://127.0.0.1:1/token",
    )


def in_state(state: State) -> Transaction:
    opened = begun().opened("n")
    return {
        State.WAITING: begun(),
        State.OPENED: opened,
        State.AT_PROVIDER: opened.approved(pending(), "d"),
        State.DONE: begun().done("c1", "amara"),
        State.DECLINED: begun().declined(),
        State.CANCELLED: begun().cancelled(),
        State.EXPIRED: begun().expire_if_due(1600.0),
        State.FAILED: begun().failed(ValetError("provider_unreachable", provider="Demo")),
    }[state]


def test_the_id_has_256_bits_and_is_never_the_same() -> None:
    """ES-25, ES-26: a random handle, with nothing about the person in it."""
    ids = {begun().id for _ in range(50)}
    assert len(ids) == 50
    assert all(len(id) == 43 for id in ids)


def test_the_page_is_ours_below_the_base_url() -> None:
    """Section 1.5: we elicit our own page, never the provider's URL."""
    transaction = begun()
    expected = f"https://hub.example/user/jane/valet/connect/{transaction.id}"
    assert transaction.url == expected


@pytest.mark.parametrize("state", FINAL)
def test_nothing_leaves_a_final_state(state: State) -> None:
    """A sign-in that ended cannot be opened, approved or ended again."""
    ended = in_state(state)
    moves = [
        lambda: ended.opened("n"),
        lambda: ended.approved(pending(), "d"),
        lambda: ended.done("c", "a"),
        ended.declined,
        ended.cancelled,
        lambda: ended.failed(ValetError("internal")),
    ]
    for move in moves:
        with pytest.raises(ValueError, match="cannot"):
            move()
    assert ended.expire_if_due(9e9) is ended


@pytest.mark.parametrize("state", [State.WAITING, State.AT_PROVIDER, *FINAL])
def test_only_an_open_page_can_be_approved(state: State) -> None:
    """BP-06, BP-07: state, PKCE and binding exist only after consent."""
    with pytest.raises(ValueError, match="cannot be approved"):
        in_state(state).approved(pending(), "d")


def test_approving_uses_the_nonce_up() -> None:
    """A press counts once."""
    assert in_state(State.AT_PROVIDER).nonce == ""


def test_opening_again_forgets_the_authorization_that_was_begun() -> None:
    """Coming back from the provider starts over with a new state."""
    again = in_state(State.AT_PROVIDER).opened("n2")
    assert again.pending is None
    assert again.binding_digest == ""
    assert again.nonce == "n2"


@pytest.mark.parametrize("state", FINAL)
def test_an_ended_sign_in_holds_no_authority(state: State) -> None:
    """No nonce, verifier or binding outlives the end."""
    ended = in_state(state)
    assert (ended.nonce, ended.pending, ended.binding_digest) == ("", None, "")


def test_it_expires_at_its_time_and_not_before() -> None:
    """MS-07: a client may never come back."""
    assert begun().expire_if_due(1599.9).state is State.WAITING
    assert begun().expire_if_due(1600.0).state is State.EXPIRED


@pytest.mark.parametrize("state", list(State))
def test_every_end_has_an_outcome_and_only_an_end(state: State) -> None:
    """ES-14: each way to end is handled."""
    transaction = in_state(state)
    if not state.final:
        with pytest.raises(ValueError, match="no outcome"):
            transaction.outcome("Demo")
    elif state is State.DONE:
        assert transaction.outcome("Demo") is None
    else:
        error = transaction.outcome("Demo")
        assert error is not None
        assert "Demo" in error.message


def test_neither_its_text_nor_its_view_holds_a_secret() -> None:
    """No nonce, verifier, digest or state leaves it."""
    transaction = begun().opened("the-nonce").approved(pending(), "the-binding")
    view = str(transaction.view("jupyter-valet", "Demo", str.upper).to_json())
    for shown in (repr(transaction), str(transaction), view):
        for secret in ("the-nonce", "the-binding", "vvv", "000000"):
            assert secret not in shown


def test_the_view_says_what_the_card_shows() -> None:
    """EC-04, EC-13: who asks, why, the full URL, scopes in words."""
    transaction = begun()
    view = transaction.view("jupyter-valet at hub.example", "Demo", str.upper)
    assert view.url == transaction.url
    assert [(s.name, s.words) for s in view.scopes] == [("a", "A"), ("b", "B")]
    assert (view.provider, view.provider_title, view.notebook) == ("demo", "Demo", "tides.ipynb")


def test_the_states_are_reachable() -> None:
    """The table of this test and the wire's enumeration are the same."""
    assert {in_state(state).state for state in State} == set(State)
    assert len(set(itertools.chain(State))) == 8


# A code ------------------------------------------------------------------------------------------


def device(life: float = 900.0) -> DeviceCode:
    return DeviceCode(
        provider="demo",
        issuer="http://127.0.0.1:1",
        client_id="c",
        scopes=frozenset({"a"}),
        token_endpoint="http://127.0.0.1:1/token",
        created_at=1500.0,
        expires_at=1500.0 + life,
        interval=5.0,
        verification_uri="http://127.0.0.1:1/device",
        device_code=Secret("d" * 43),
        user_code="WDJB-MJHT",
    )


def with_code(life: float = 900.0) -> Transaction:
    return begun().opened("n").waiting_for_code(device(life))


@pytest.mark.parametrize("state", [State.WAITING, State.AT_PROVIDER, *FINAL])
def test_a_code_is_had_on_an_open_page_only(state: State) -> None:
    """As an approval: nobody is asked for one before the person agreed."""
    with pytest.raises(ValueError, match="cannot be approved"):
        in_state(state).waiting_for_code(device())
    with pytest.raises(ValueError, match="has no choice of way"):
        in_state(state).choosing_code()


def test_a_code_is_good_for_ten_minutes_at_most_from_when_it_is_shown() -> None:
    assert with_code(900.0).expires_at == 2100.0
    assert with_code(120.0).expires_at == 1620.0
    assert with_code(120.0).expire_if_due(1620.0).state is State.EXPIRED


def test_the_page_of_a_code_has_a_nonce_of_its_own() -> None:
    """The press that asked for the code is used up, and the page can still be declined."""
    assert with_code().nonce not in ("", "n")


@pytest.mark.parametrize(
    "end", [Transaction.declined, Transaction.cancelled, lambda now: now.done("c1", "jane")]
)
def test_no_code_outlives_the_sign_in(end: Callable[[Transaction], Transaction]) -> None:
    ended = end(with_code())
    assert (ended.device, ended.nonce) == (None, "")


def test_a_choice_of_way_takes_a_press_of_its_own() -> None:
    chosen = begun().opened("n").choosing_code()
    assert chosen.by_code
    assert chosen.nonce not in ("", "n")
    assert not chosen.choosing_browser().by_code


def test_a_code_is_stored_apart_from_what_is_in_clear() -> None:
    """It survives the broker, sealed."""
    transaction = with_code()
    assert "WDJB" not in repr(record.to_meta(transaction))
    meta, payload = record.to_meta(transaction), record.payload(transaction)
    stored = Record(record.KIND, transaction.id, meta, payload, 1, 1500.0)
    assert record.from_record(stored, "").device == transaction.device
