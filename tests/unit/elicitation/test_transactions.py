"""Transactions in a real vault, and who waits for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest
from vault_worlds import running_world

from jupyter_valet.broker.elicitation import Transactions
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.oauth import Account, Pending, profiles
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Conflict, Vault
from jupyter_valet.wire.errors import ValetError
from jupyter_valet.wire.views import Kind
from jupyter_valet.wire.views import TransactionState as State

JANE = Caller("jane", "k1", "a.ipynb", "http://127.0.0.1:8888/")
OTHER = Caller("jane", "k2", "b.ipynb", "http://127.0.0.1:8888/")
ISSUER = "http://127.0.0.1:9"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["sqlite", "postgres"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    yield from (world.open() for world in running_world(request, tmp_path))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(vault: Vault, clock: Clock) -> Transactions:
    return Transactions(vault, clock=clock)


def ask(store: Transactions, caller: Caller = JANE, scopes: tuple[str, ...] = ("issues:read",)):
    return store.create(caller, provider="demo", scopes=scopes, reason="why")


def pending(digest: str) -> Pending:
    return Pending(
        "demo", ISSUER, "c", "r", frozenset({"issues:read"}), digest, Secret("v"), 1.0, "t"
    )


def connection(scopes: set[str]):
    return SimpleNamespace(
        id="c1",
        principal="jane",
        provider="demo",
        scopes=frozenset(scopes),
        account=Account("amara", "Amara"),
    )


def test_the_same_question_of_one_kernel_is_one_transaction(store: Transactions) -> None:
    """And another kernel, or other scopes, are another question."""
    first = ask(store)
    assert ask(store).id == first.id
    assert ask(store, OTHER).id != first.id
    assert ask(store, JANE, ("issues:write",)).id != first.id


def test_a_kernel_cannot_ask_without_end(store: Transactions) -> None:
    """Each new question is a write, and all are read for each: 10,000 would stop everybody."""
    for number in range(32):
        ask(store, JANE, (f"scope:{number}",))
    with pytest.raises(ValetError, match="waits for 32 sign-ins"):
        ask(store, JANE, ("one:more",))
    assert ask(store, JANE, ("scope:3",)).state is State.WAITING
    assert ask(store, OTHER, ("one:more",)).state is State.WAITING


def test_a_kernel_that_asks_and_cancels_without_end_does_not_fill_the_vault(
    store: Transactions, vault: Vault, clock: Clock
) -> None:
    """What ended is kept for an hour, but not all of it; another kernel's stays."""
    others = store.update(ask(store, OTHER).cancelled())
    for _ in range(100):
        clock.now += 0.1
        last = store.update(ask(store).cancelled())
    assert len(vault.list("transaction")) <= 33
    assert store.get(last.id) is not None
    assert store.get(others.id) is not None


def test_a_sign_in_that_moves_meanwhile_does_not_stop_the_others(
    store: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is made by then: the person must see that, and the other cards too."""
    first, second = ask(store), ask(store, OTHER)
    update = store.update

    def quicker(transaction):
        if transaction.id == first.id:
            raise Conflict
        return update(transaction)

    monkeypatch.setattr(store, "update", quicker)
    demo = profiles({}, ISSUER)["demo"]
    assert [done.id for done in store.complete_covered(connection({"issues:read"}), demo)] == [
        second.id
    ]


def test_two_processes_may_find_the_same_sign_in_expired(
    store: Transactions, vault: Vault, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes second looks again, and the call that came by does not fail."""
    asked = ask(store)
    clock.now += 10_000
    put = vault.put

    def beaten(*args, **options):
        monkeypatch.setattr(vault, "put", put)
        put(*args, **options)
        raise Conflict

    monkeypatch.setattr(vault, "put", beaten)
    found = store.get(asked.id)
    assert found is not None
    assert found.state is State.EXPIRED


def test_a_question_that_ended_is_asked_anew(store: Transactions) -> None:
    """Declining once is not declining for ever."""
    first = ask(store)
    store.update(first.declined())
    assert ask(store).id != first.id


def test_it_survives_the_process(store: Transactions, vault: Vault, clock: Clock) -> None:
    """A broker that was killed while the person is at the provider: the login completes."""
    opened = store.update(ask(store).opened("n"))
    approved = store.update(opened.approved(pending("d" * 64), "b" * 64))
    found = Transactions(vault, clock=clock).by_state("d" * 64)
    assert found is not None
    assert (found.id, found.state, found.binding_digest) == (
        approved.id,
        State.AT_PROVIDER,
        "b" * 64,
    )
    assert found.pending == approved.pending


def test_the_nonce_is_never_stored(store: Transactions, vault: Vault, clock: Clock) -> None:
    """After a restart the open page is out of date, and the next one has another nonce."""
    opened = store.update(ask(store).opened("the-nonce"))
    assert "the-nonce" not in str(vault.list("transaction"))
    assert store.get(opened.id).nonce == "the-nonce"
    after = Transactions(vault, clock=clock)
    fresh = after.get(opened.id).nonce
    assert len(fresh) == 43
    assert after.get(opened.id).nonce == fresh


def test_what_is_stored_in_clear_holds_no_secret(store: Transactions, vault: Vault) -> None:
    """ES-17: the verifier is sealed, the state is a digest."""
    opened = store.update(ask(store).opened("n"))
    store.update(opened.approved(pending("d" * 64), "b" * 64))
    (record,) = vault.list("transaction")
    assert "verifier" not in str(record.meta)
    assert record.payload == Secret("v")


def test_an_unknown_state_finds_nothing(store: Transactions) -> None:
    """R143."""
    ask(store)
    assert store.by_state("e" * 64) is None


def test_two_who_change_it_at_once_are_not_both_right(store: Transactions) -> None:
    """Compare and set."""
    seen = ask(store)
    store.update(seen.opened("n"))
    with pytest.raises(Conflict):
        store.update(seen.declined())


def test_ending_wins_against_a_change_in_between(store: Transactions) -> None:
    """The client's word is tried again on what is there now."""
    seen = ask(store)
    store.update(seen.opened("n"))
    assert store.end(seen.id, "decline").state is State.DECLINED
    assert store.end(seen.id, "cancel").state is State.DECLINED


def test_it_expires_when_somebody_looks(store: Transactions, clock: Clock) -> None:
    """MS-07."""
    transaction = ask(store)
    clock.now += 600
    assert store.get(transaction.id).state is State.EXPIRED
    assert store.pending_for("jane", "demo") == []


def test_what_ended_long_ago_is_forgotten(store: Transactions, clock: Clock) -> None:
    """The vault does not grow with every question."""
    transaction = ask(store)
    clock.now += 600 + 3601
    assert store.sweep() == 1
    assert store.get(transaction.id) is None


def test_one_connection_finishes_all_that_it_covers(store: Transactions) -> None:
    """Of this person, at this provider, with these scopes; nothing else."""
    profile = profiles({}, ISSUER)["demo"]
    covered = [ask(store), ask(store, OTHER)]
    more = ask(store, JANE, ("issues:write",))
    stranger = ask(store, Caller("joe", "k3", "c.ipynb", "http://127.0.0.1:8888/"))
    done = store.complete_covered(connection({"issues:read"}), profile)
    assert {t.id for t in done} == {t.id for t in covered}
    assert store.get(more.id).state is State.WAITING
    assert store.get(stranger.id).state is State.WAITING
    assert {t.account for t in done} == {"Amara"}


def test_a_kernel_that_is_gone_asks_no_more(store: Transactions) -> None:
    """Restart and shutdown leave nothing pending."""
    mine, other = ask(store), ask(store, OTHER)
    store.cancel_kernel("k1")
    assert store.get(mine.id).state is State.CANCELLED
    assert store.get(other.id).state is State.WAITING


def test_a_program_of_one_person_that_is_gone_leaves_another_persons_asking(
    store: Transactions,
) -> None:
    """One app is one client to all people of a server."""
    callers = [Caller(who, "client:app:1", "", "http://127.0.0.1:8888/") for who in ("jane", "joe")]
    mine, theirs = [ask(store, caller) for caller in callers]
    store.cancel_kernel("client:app:1", "jane")
    assert store.get(mine.id).state is State.CANCELLED
    assert store.get(theirs.id).state is State.WAITING


def test_a_program_of_one_person_that_asks_without_end_leaves_another_person_room(
    store: Transactions,
) -> None:
    jane, joe = [Caller(who, "client:app:1", "", "http://127.0.0.1:8888/") for who in ("a", "b")]
    for number in range(32):
        ask(store, jane, (f"scope:{number}",))
    with pytest.raises(ValetError, match="waits for 32 sign-ins"):
        ask(store, jane, ("one:more",))
    assert store.get(ask(store, joe).id).state is State.WAITING


@pytest.mark.anyio
async def test_a_wait_ends_with_the_change(store: Transactions) -> None:
    """By push, not by looking."""
    transaction = ask(store)

    async def later() -> None:
        await anyio.sleep(0.05)
        store.update(transaction.opened("n"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(later)
        with anyio.fail_after(20):
            seen = await store.wait(transaction.id, after=transaction.revision, timeout=60)
    assert seen.state is State.OPENED


@pytest.mark.anyio
async def test_many_wait_for_one(store: Transactions) -> None:
    """A card, a call and another call."""
    transaction = ask(store)
    seen = []

    async def one() -> None:
        changed = await store.wait(transaction.id, after=transaction.revision, timeout=60)
        seen.append(changed.state)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(one)
        await anyio.sleep(0.02)
        store.update(transaction.done("c", "Amara"))
    assert seen == [State.DONE] * 10


@pytest.mark.anyio
async def test_a_wait_that_is_behind_returns_at_once(store: Transactions) -> None:
    """A long poll with an old revision missed something."""
    transaction = store.update(ask(store).opened("n"))
    with anyio.fail_after(20):
        seen = await store.wait(transaction.id, after=transaction.revision - 1, timeout=60)
    assert seen.revision == transaction.revision


@pytest.mark.anyio
async def test_a_wait_sees_another_process_at_its_end(
    store: Transactions, vault: Vault, clock: Clock
) -> None:
    """Two brokers on one vault."""
    transaction = ask(store)
    Transactions(vault, clock=clock).update(transaction.declined())
    seen = await store.wait(transaction.id, after=transaction.revision, timeout=0.05)
    assert seen.state is State.DECLINED


@pytest.mark.anyio
async def test_waiting_looks_at_the_vault_twice(store: Transactions, vault: Vault) -> None:
    """No busy loop: once before, once after."""
    transaction = ask(store)
    looks = []
    get = vault.get
    vault.get = lambda *a: (looks.append(a), get(*a))[1]  # type: ignore[method-assign]
    await store.wait(transaction.id, after=transaction.revision, timeout=0.3)
    assert len(looks) == 2


@pytest.mark.anyio
async def test_waiting_for_nothing_is_an_error(store: Transactions) -> None:
    """There is no such sign-in."""
    with pytest.raises(ValetError, match="no such sign-in"):
        await store.wait("nope", after=0, timeout=1)


def test_a_question_follows_its_notebook(store: Transactions) -> None:
    """What comes of it is for the path that the server knows, and no grant stays behind."""
    here = ask(store, replace(JANE, root="/home", notebook="old/a.ipynb"))
    there = ask(store, replace(OTHER, root="/elsewhere", notebook="old/a.ipynb"))
    store.moved("/home", "old", "new")
    moved = store.get(here.id)
    assert moved is not None
    assert moved.notebook == "new/a.ipynb"
    stayed = store.get(there.id)
    assert stayed is not None
    assert stayed.notebook == "old/a.ipynb"
    store.moved("/home", "new/a.ipynb", "")
    gone = store.get(here.id)
    assert gone is not None
    assert gone.state is State.CANCELLED


def test_a_sign_in_of_another_notebook_leaves_the_grant_to_ask_for(store: Transactions) -> None:
    """Deny by default: one notebook's yes is not another's."""
    mine, same, others = ask(store), ask(store, replace(JANE, kernel_id="k9")), ask(store, OTHER)
    demo = profiles({}, ISSUER)["demo"]
    finished = store.complete_covered(connection({"issues:read"}), demo, by=mine)
    assert {done.id for done in finished} == {mine.id, same.id}
    left = store.get(others.id)
    assert left is not None
    assert (left.state, left.kind) == (State.WAITING, Kind.GRANT)
