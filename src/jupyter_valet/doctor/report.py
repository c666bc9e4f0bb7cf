"""What was measured, as text for a person and as JSON for a program (docs/doctor.md)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._version import __version__
from .judge import Seen, Verdict, worse_than_claimed

FORMAT = "jupyter-valet/doctor/1"


@dataclass(frozen=True)
class Report:
    """One measurement."""

    measured: str
    """What was measured, in words."""
    level: str
    """The level that the broker claims for the kernel from which the attacks came."""
    words: str
    key_source: str
    seen: Sequence[Seen] = field(default_factory=tuple)
    where_proved: str = "where nothing defends"
    """Where the controls were run."""

    @property
    def worse(self) -> list[Seen]:
        """Rows that are open although the level says that they are blocked."""
        return worse_than_claimed(self.level, self.seen)

    @property
    def good(self) -> bool:
        """Whether a level is claimed, something was measured, and nothing is worse than claimed."""
        tried = any(one.verdict is not Verdict.UNTRIED for one in self.seen)
        return bool(self.level) and tried and not self.worse

    def to_json(self) -> dict[str, Any]:
        """Return the report as docs/doctor.md describes it."""
        return {
            "format": FORMAT,
            "version": __version__,
            "platform": sys.platform,
            "root": hasattr(os, "geteuid") and os.geteuid() == 0,
            "measured": self.measured,
            "level": self.level,
            "level_words": self.words,
            "key_source": self.key_source,
            "good": self.good,
            "worse_than_claimed": [one.row.id for one in self.worse],
            "rows": {one.row.id: self._row(one) for one in self.seen},
        }

    def _row(self, one: Seen) -> dict[str, Any]:
        row = one.row
        return {
            "attack": row.attack,
            "verdict": str(one.verdict),
            "claimed": row.claimed_at(self.level),
            "promised_from": row.promised,
            "proved": one.proved,
            "detail": one.detail,
            "means": row.means,
            "advice": row.advice,
        }

    def text(self) -> str:
        """Return the report for a terminal or a notebook."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        blocked, opened, untried = (_of(self.seen, verdict) for verdict in Verdict)
        proved = sum(one.proved is True for one in blocked)
        yield f"jupyter-valet {__version__}: {self.measured}"
        yield f"level    {self.level or 'none'}: {self.words}"
        yield f"blocked  {len(blocked)} of {len(blocked) + len(opened)} attacks" + (
            f"; {proved} of them were seen to succeed {self.where_proved}" if proved else ""
        )
        for one in opened:
            flag = "WORSE THAN CLAIMED" if one in self.worse else "open"
            yield f"\n{one.row.id}  {flag}: {one.row.attack}"
            yield f"     means  {one.row.means}"
            yield f"     do     {one.row.advice}"
        unproved = [one for one in blocked if one.proved is False]
        if unproved:
            yield "\nBlocked, but not only for kernels: the same attack got nothing outside, too:"
            yield from (f"     {one.row.id}  {one.row.attack}" for one in unproved)
        if untried:
            yield "\nNot tried:"
            yield from (f"     {one.row.id}  {one.row.attack}: {one.detail}" for one in untried)
        yield "\n" + self._verdict()

    def _verdict(self) -> str:
        if self.good:
            return f"Nothing is worse than {self.level} claims."
        if self.worse:
            return f"{len(self.worse)} rows are worse than {self.level} claims: do not rely on it."
        return "Nothing could be measured."


def _of(seen: Iterable[Seen], verdict: Verdict) -> list[Seen]:
    return [one for one in seen if one.verdict is verdict]
