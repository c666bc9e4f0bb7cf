"""Grants in a real vault: whose they are, how they end, what another process sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vault_worlds import running_world

from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.policy import Grant, Grants, Limits, Subject
from jupyter_valet.broker.policy.grant import KIND
from jupyter_valet.broker.vault import Vault

JANE = Caller("jane", "k1", "work/a.ipynb", "http://127.0.0.1:8888/", root="/home/jane")
LIMITS = Limits(("api.example",), ("GET",), ("/a/*",), ("read",), 7)


class World:
    def __init__(self, vault: Vault, folder: Path) -> None:
        self.vault = vault
        self.events: list[dict[str, Any]] = []
        self.audit = Audit(
            folder / "audit.jsonl",
            self.vault.key("audit"),
            lambda _, event: self.events.append(event),
        )
        self.grants = Grants(self.vault, self.audit, clock=lambda: 1000.0)

    def give(self, caller: Caller = JANE, connection: str = "c1", **facts: Any) -> Grant:
        return self.grants.give(Grant(Subject.of(caller), connection, **facts))

    def noted(self) -> list[tuple[str, str]]:
        return [(event["action"], event.get("reason", "")) for event in self.events]


@pytest.fixture(params=["sqlite", "postgres"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    yield from (world.open() for world in running_world(request, tmp_path))


@pytest.fixture
def world(vault: Vault, tmp_path: Path) -> Iterator[World]:
    built = World(vault, tmp_path)
    yield built
    built.audit.close()


def test_a_grant_comes_back_as_it_was_given(world: World) -> None:
    """In another process, too; and it is authenticated by the vault."""
    given = world.give(
        access="read_write", writes=frozenset({"t"}), limits=LIMITS, until=5000.0, level="L2"
    )
    another = Grants(world.vault, world.audit)
    assert another.of(JANE) == [given]
    assert given.created_at == 1000.0
    assert [record.id for record in world.vault.list(KIND)] == [given.id]


def test_one_subject_has_one_grant_for_a_connection(world: World) -> None:
    world.give(access="read_write")
    world.give()
    assert [grant.access for grant in world.grants.of(JANE)] == ["read"]


@pytest.mark.parametrize(
    "other",
    [
        {"principal": "joe"},
        {"notebook": "work/b.ipynb"},
        {"notebook": "a.ipynb"},
        {"notebook": "work/A.ipynb"},
        {"notebook": "work/a.ipynb\u200b"},
        {"notebook": "work/a.ipynb\n"},
        {"notebook": ""},
        {"root": ""},
        {"root": "/home/jane/work", "notebook": "a.ipynb"},
        {"root": "/home/jane\0work", "notebook": "a.ipynb"},
    ],
    ids=str,
)
def test_a_name_that_looks_alike_is_another_notebook(world: World, other: dict[str, str]) -> None:
    world.give()
    assert world.grants.of(replace(JANE, **other)) == []


def test_a_run_s_grant_is_in_no_file(world: World) -> None:
    """It must not outlive the kernel, nor the broker that knows when that ends."""
    world.grants.give(Grant(Subject.run_of(JANE), "c1"))
    assert world.vault.list(KIND) == []
    assert len(world.grants.of(JANE)) == 1
    assert world.grants.of(replace(JANE, kernel_id="k2")) == []
    world.grants.end_kernel("k1")
    assert world.grants.of(JANE) == []
    assert world.grants.ended_at("jane", "k1") == 1000.0


def test_a_client_that_ended_for_one_person_has_not_for_another(world: World) -> None:
    """One sign-out must not make another person's open question out of date."""
    world.grants.end_kernel("client:app:x", "user:ann")
    assert world.grants.ended_at("user:ann", "client:app:x") == 1000.0
    assert world.grants.ended_at("user:ben", "client:app:x") == 0.0


def test_a_grant_is_found_by_its_person_only(world: World) -> None:
    given = world.give()
    assert world.grants.get("jane", given.id) == given
    assert world.grants.get("joe", given.id) is None
    assert world.grants.of_connection("joe", "c1") == []


def test_what_another_process_ends_is_gone_here(world: World) -> None:
    given = world.give()
    Grants(world.vault, world.audit).end(given, "elsewhere")
    world.grants._version = -1  # as if the other process had its own connection to the file
    assert world.grants.of(JANE) == []


def test_a_folder_takes_the_grants_below_it_along(world: World) -> None:
    world.give()
    beside = world.give(replace(JANE, notebook="workshop.ipynb"))
    world.grants.moved("/home/jane", "work", "done/2026")
    assert world.grants.of(replace(JANE, notebook="done/2026/a.ipynb"))
    assert world.grants.of(JANE) == []
    assert world.grants.get("jane", beside.id)


def test_a_rename_onto_another_s_name_ends_that_one_s_grants(world: World) -> None:
    world.give()
    world.give(replace(JANE, notebook="b.ipynb"), access="read_write")
    world.grants.moved("/home/jane", "work/a.ipynb", "b.ipynb")
    [left] = world.grants.of(replace(JANE, notebook="b.ipynb"))
    assert left.access == "read"


def test_what_happens_is_noted(world: World) -> None:
    world.grants.end(world.give(), "by the person, on the page")
    world.give()
    world.grants.moved("/home/jane", "work/a.ipynb", "")
    assert world.noted() == [
        ("grant.made", ""),
        ("grant.ended", "by the person, on the page"),
        ("grant.made", ""),
        ("grant.ended", "the notebook was deleted"),
    ]
