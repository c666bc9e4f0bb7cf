"""A vault that is being made, or opened for the first time, while somebody else comes."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import open_vault
from jupyter_valet.broker.vault.folder import FolderHome
from jupyter_valet.broker.vault.sqlite import read_header


def test_who_comes_while_a_vault_gets_its_name_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its unfinished file is under its name a moment later, and an error meanwhile."""
    about_to, may_finish, read = threading.Event(), threading.Event(), threading.Event()
    finish, unfinished = FolderHome.finish, FolderHome.unfinished

    def slowly(home: FolderHome) -> None:
        about_to.set()
        assert may_finish.wait(30)
        finish(home)

    def watched(home: FolderHome) -> object:
        if about_to.is_set():
            read.set()
        return unfinished(home)

    monkeypatch.setattr(FolderHome, "finish", slowly)
    monkeypatch.setattr(FolderHome, "unfinished", watched)
    folder = tmp_path / "state"
    with ThreadPoolExecutor() as threads:
        maker = threads.submit(open_vault, folder, "file")
        assert about_to.wait(30)
        comer = threads.submit(open_vault, folder, "file")
        assert not read.wait(0.3)
        assert not comer.done()
        may_finish.set()
        with contextlib.closing(maker.result(30)), contextlib.closing(comer.result(30)) as second:
            second.put("connection", "1", {}, Secret("token"))
    assert not list(folder.glob("vault.db.new*"))


def test_a_first_opening_waits_for_another(tmp_path: Path) -> None:
    """Of two that switch a file to WAL SQLite refuses one, without its own waiting."""
    folder = tmp_path / "state"
    open_vault(folder, "file").close()
    with contextlib.closing(sqlite3.connect(folder / "vault.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor() as threads:
            opening = threads.submit(open_vault, folder, "file")
            time.sleep(0.3)
            assert not opening.done()
            db.execute("COMMIT")
            opening.result(30).close()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_reading_who_a_vault_is_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when it goes away after it was looked at: its mode would be the umask's."""
    monkeypatch.setattr("jupyter_valet.broker.vault.sqlite._checked", lambda path: (0, 0))
    with pytest.raises(Exception, match="cannot be opened"):
        read_header(tmp_path / "vault.db")
    assert list(tmp_path.iterdir()) == []
