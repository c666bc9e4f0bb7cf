"""What is kept of a compiled document: the same toolset, or nothing."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from api_documents import compiled, every, one, small

from jupyter_valet.broker.toolsets import Tool
from jupyter_valet.broker.toolsets.documents import Cache, compile_document
from jupyter_valet.broker.toolsets.documents.compiled import FORMAT


@pytest.mark.parametrize("name", every())
def test_what_comes_back_is_what_was_kept(name: str, tmp_path: Path) -> None:
    raw = one(name)
    made = compiled(raw, url="https://docs.example/")
    cache, key = Cache(tmp_path / "toolsets"), Cache.key(raw, name="t")
    cache.put(key, made)
    again = cache.get(key)
    assert again == made
    assert again is not None
    assert [o.input_schema for o in again.toolset.operations] == [
        o.input_schema for o in made.toolset.operations
    ]


def test_operations_are_unpacked_when_they_are_used() -> None:
    made = compiled(one("github"))
    operation = made.toolset.operations[0]
    assert "parameters" not in operation.__dict__
    assert operation.summary
    assert "parameters" not in operation.__dict__
    assert Tool(made.toolset, operation).input_schema["properties"]
    assert "parameters" in operation.__dict__
    renamed = dataclasses.replace(operation, name="other")
    assert (renamed.name, renamed.parameters) == ("other", operation.parameters)


def test_every_part_of_what_it_was_made_from_is_in_the_key() -> None:
    keys = {
        Cache.key(b"{}", name="a"),
        Cache.key(b"{} ", name="a"),
        Cache.key(b"{}", name="b"),
        Cache.key(b"{}", name="a", url="https://x.example"),
        Cache.key(b"{}", name="a", provider="x"),
        Cache.key(b"{}", name="a", overrides={"only": ["x"]}),
    }
    assert len(keys) == 6
    one_way = Cache.key({"a": 1, "b": 2}, name="a", overrides={"x": 1, "y": 2})
    assert one_way == Cache.key({"b": 2, "a": 1}, name="a", overrides={"y": 2, "x": 1})


def test_a_damaged_file_is_no_file(tmp_path: Path) -> None:
    """At every place: cut short, changed, made of something else, of another version."""
    cache, document = Cache(tmp_path), small()
    key = Cache.key(document, name="t")
    cache.put(key, compiled(document))
    (file,) = tmp_path.iterdir()
    good = file.read_bytes()
    for bad in (
        b"",
        good[:40],
        good[:-1],
        good + b"x",
        good.replace(b"toolset %d" % FORMAT, b"toolset 0"),
        *(good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :] for i in range(0, len(good), 7)),
    ):
        file.write_bytes(bad)
        assert cache.get(key) is None
    file.write_bytes(good)
    assert cache.get(key) is not None
    assert cache.get("../" + key[3:]) is None
    assert cache.get("0" * 64) is None


def test_compiling_through_the_cache_writes_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    first = cache.compiled(small(), name="t")
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    os.utime(file, ns=(1, 1))
    assert cache.compiled(small(), name="t") == first
    assert file.stat().st_mtime_ns >= written
    assert first == compile_document(small(), name="t")
    assert file.stat().st_mode & 0o077 == 0


def test_the_longest_unused_go(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    made = compiled(small())
    keys = [f"{n:064x}" for n in range(70)]
    for n, key in enumerate(keys):
        cache.put(key, made)
        os.utime(tmp_path / f"{key}.toolset", (n, n))
    kept = {path.stem for path in tmp_path.iterdir()}
    assert kept == set(keys[-64:])


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert Cache(file).compiled(small(), name="t").toolset.name == "t"
