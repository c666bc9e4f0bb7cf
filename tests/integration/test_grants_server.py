"""What the Jupyter server tells the broker about notebooks, and what it believes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_process import PRESSED, Server, jupyter_server

CONTENTS = "https://events.jupyter.org/jupyter_server/contents_service/v1"
QUIET = "c.ValetExtension.sandbox = 'off'\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a vault, as one that has been used before."""
    home = tmp_path_factory.mktemp("moved")
    (home / "state").mkdir()
    (home / "state" / "vault.db").touch()
    with jupyter_server(home, config=QUIET) as running:
        yield running


def write(server: Server, path: str) -> None:
    content = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    server.api("PUT", f"api/contents/{path}", {"type": "notebook", "content": content})


def told(server: Server, what: Callable[[dict[str, Any]], bool], seconds: float = 20) -> bool:
    """Wait until the broker was told of such a move."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if any(map(what, server.asked("notebook.moved"))):
            return True
        time.sleep(0.05)
    return False


def test_renames_and_deletions_are_told(server: Server) -> None:
    """The events come when they have happened, for notebooks and for folders."""
    root = str((server.home / "work").resolve())
    write(server, "a.ipynb")
    server.api("PATCH", "api/contents/a.ipynb", {"path": "b.ipynb"})
    moved = {"root": root, "old": "a.ipynb", "new": "b.ipynb"}
    assert told(server, lambda params: params == moved)
    server.api("DELETE", "api/contents/b.ipynb")
    gone = {"root": root, "old": "b.ipynb", "new": ""}
    assert told(server, lambda params: params == gone)


@pytest.mark.parametrize(
    "data",
    [
        {"action": "rename", "path": "mine.ipynb", "source_path": "granted.ipynb"},
        {"action": "rename", "path": "nowhere.ipynb", "source_path": "granted.ipynb"},
        {"action": "rename", "path": "mine.ipynb", "source_path": ""},
        {"action": "copy", "path": "mine.ipynb", "source_path": "granted.ipynb"},
        {"action": "delete", "path": "granted.ipynb"},
        {"action": "delete", "path": ""},
    ],
    ids=lambda data: json.dumps(data),
)
def test_an_event_that_somebody_made_up_is_not_believed(
    server: Server, data: dict[str, str]
) -> None:
    """A script of the page may post any event; what it says has not happened."""
    write(server, "granted.ipynb")
    write(server, "mine.ipynb")
    before = len(server.asked("notebook.moved"))
    event = {"schema_id": CONTENTS, "version": "1", "data": data}
    assert server.call("POST", "api/events", event).status == 204
    marker = f"marker{before}.ipynb"  # when it was heard of, so was the event before
    write(server, marker)
    server.api("DELETE", f"api/contents/{marker}")
    assert told(server, lambda params: params["old"] == marker)
    after = server.asked("notebook.moved")[before:]
    assert [params["old"] for params in after] == [marker]


def test_a_kernel_is_declared_with_its_folder(server: Server) -> None:
    """The same name below another server's folder is another notebook."""
    write(server, "k.ipynb")
    body = {"path": "k.ipynb", "name": "k.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    session = server.api("POST", "api/sessions", body)
    declared = server.asked("capability.register")[-1]
    assert (declared["notebook"], declared["root"]) == (
        "k.ipynb",
        str((server.home / "work").resolve()),
    )
    server.api("DELETE", f"api/sessions/{session['id']}")


def test_the_form_of_a_grant_goes_to_the_broker_as_it_was_sent(server: Server) -> None:
    page = server.get("valet/connect/grant-1")
    nonce = page.body.partition('name="auth" value="')[2].partition('"')[0]
    form = f"auth={nonce}&connection=c1&access=read_write&per_hour=&until=run&x=%20%C3%A4"
    answer = server.get(f"valet/connect/grant-1/grant?{form}", PRESSED)
    assert (answer.status, answer.location) == (303, f"{server.base}valet/done/grant-1")
    assert server.asked("page.grant")[-1]["choices"] == {
        "connection": "c1",
        "access": "read_write",
        "per_hour": "",
        "until": "run",
        "x": " \u00e4",
    }


def test_a_field_that_comes_twice_is_refused(server: Server) -> None:
    """Which of the two was meant is not guessed at."""
    page = server.get("valet/connect/grant-2")
    nonce = page.body.partition('name="auth" value="')[2].partition('"')[0]
    twice = f"auth={nonce}&connection=c1&access=read&access=read_write"
    assert server.get(f"valet/connect/grant-2/grant?{twice}", PRESSED).status == 400
    assert not any(p["transaction"] == "grant-2" for p in server.asked("page.grant"))


def test_the_wanted_level_is_low_where_the_wall_was_turned_off(
    server: Server, tmp_path: Path
) -> None:
    """And L2 by default; a number of one's own wins."""
    server.get("valet/connections")
    assert server.asked("start")[-1]["wanted_level"] == "L0"
    for config, level in (("", "L2"), ("c.ValetExtension.wanted_level = 'L2+'\n", "L2+")):
        with jupyter_server(tmp_path / level, config=config) as other:
            other.get("valet/connections")
            assert other.asked("start")[-1]["wanted_level"] == level
