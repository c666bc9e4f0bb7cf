"""YAML as OpenAPI wants it (3.1.1, §4.2): the JSON schema of YAML 1.2, and nothing else.

Made from the parser's events, without recursion: PyYAML's own constructor knows YAML 1.1 (`on` is
true there, and `2024-01-01` a date), calls itself for each level, and follows aliases without end.
"""

from __future__ import annotations

import re
from typing import Any

import yaml  # type: ignore[import-untyped]

_DEPTH = 200
_MERGE = "<<"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
# YAML 1.2.2, §10.3.2
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}|0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_STR = "tag:yaml.org,2002:str"
_LOADER = getattr(yaml, "CLoader", yaml.Loader)  # its parser alone; nothing is constructed


class NotYaml(Exception):
    """It is not YAML, or YAML that is made to harm; the text says which."""


class _Open:
    """A mapping or a list whose end has not come yet."""

    def __init__(self, value: dict[str, Any] | list[Any], anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: str | None = None
        self.size = 1
        self.merged: dict[str, Any] = {}

    def add(self, value: Any, size: int) -> None:
        """Take the next key, value or item; `size` is what it comes to when it is written out."""
        self.size += size
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is None:
            if isinstance(value, dict | list):
                raise NotYaml("a key in it is not text")
            self.key = _key(value)
        else:
            self._put(self.key, value)
            self.key = None

    def _put(self, key: str, value: Any) -> None:
        assert isinstance(self.value, dict)
        if key == _MERGE:
            for source in value if isinstance(value, list) else [value]:
                if isinstance(source, dict):
                    self.merged = {**source, **self.merged}
        else:
            self.value[key] = value

    def close(self) -> Any:
        """Return the whole; a member of its own wins over a merged one."""
        if isinstance(self.value, dict):
            for key, value in self.merged.items():
                self.value.setdefault(key, value)
        return self.value


def parse(text: bytes, *, limit: int) -> Any:
    """Return what `text` says, when written out it is at most `limit` bytes long (about).

    Raises `NotYaml`.
    """
    try:
        return _Builder(limit).run(yaml.parse(text, Loader=_LOADER))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, MemoryError):
        raise NotYaml("it is neither JSON nor YAML") from None


class _Builder:
    """Turns the events of one document into values."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._result: Any = None
        self._total = 0

    def run(self, events: Any) -> Any:
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._done(_scalar(event), len(event.value) + 4, event.anchor)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event.anchor)
            elif isinstance(event, yaml.MappingStartEvent):
                self._start({}, event.anchor)
            elif isinstance(event, yaml.SequenceStartEvent):
                self._start([], event.anchor)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                ended = self._open.pop()
                self._done(ended.close(), ended.size, ended.anchor)
            elif isinstance(event, yaml.DocumentEndEvent):
                return self._result
        return self._result

    def _start(self, value: dict[str, Any] | list[Any], anchor: str | None) -> None:
        if len(self._open) >= _DEPTH:
            raise NotYaml("it is nested too deeply")
        self._open.append(_Open(value, anchor))

    def _done(self, value: Any, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if not self._open:
            self._result = value
            return
        self._open[-1].add(value, size)

    def _alias(self, anchor: str) -> None:
        """Count what an alias stands for each time it is used: a bomb is one that is small."""
        if anchor not in self._anchors:
            raise NotYaml("an alias in it stands for nothing, or for itself")
        value, size = self._anchors[anchor]
        self._total += size
        if self._total > self._limit or size > self._limit:
            raise NotYaml("its aliases stand for too much")
        self._done(value, size, None)


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.tag == _STR or not event.implicit[0]:
        return text
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return _integer(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _integer(text: str) -> int | float | str:
    number = int(text, 0) if text[:2] in ("0o", "0x") else int(text, 10)
    return number if abs(number) < 2**64 else text


def _key(value: Any) -> str:
    """Return a key as JSON has it: `200` and `on` are names there."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
