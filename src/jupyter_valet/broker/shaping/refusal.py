"""What an API says when it refuses, in its own dialect: one line, and the little that helps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LONGEST = 400
"""Characters of what an API is quoted with."""

_MESSAGES = ("message", "detail", "error_description", "description", "title", "reason", "error")
_CODES = ("code", "status", "error", "type", "reason")
_MOST = 5


def refusal(status: int, data: Any) -> dict[str, Any]:
    """Return the status, what the API said in a line, and its own code for it.

    GitHub: `message` and `errors`; Google: `error.message`, `error.status`, `error.details`; Slack:
    `error`, `needed`; RFC 9457: `title`, `detail`; JSON:API: `errors`.
    """
    told: dict[str, Any] = {"status": status}
    if isinstance(data, str):
        # A page for people says nothing to a model.
        said = "" if data.lstrip()[:1] == "<" else data
        return told | ({"said": _line(said)} if said.strip() else {})
    if not isinstance(data, Mapping):
        return told
    inner = data["error"] if isinstance(data.get("error"), Mapping) else data
    said = next((inner[name] for name in _MESSAGES if _is_text(inner.get(name))), "")
    details = [line for line in dict.fromkeys(_details(inner)) if line != said][:_MOST]
    if said or details:
        told["said"] = _line(": ".join(filter(None, [str(said), "; ".join(details)])))
    code = next((inner[n] for n in _CODES if _is_text(inner.get(n)) and inner[n] != said), "")
    if code:
        told["code"] = _line(str(code))
    for name in ("needed", "provided"):  # Slack's scopes
        if _is_text(data.get(name)):
            told[name] = _line(data[name])
    return told


def _details(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each of the errors that are listed, with the place that is wrong."""
    for name in ("errors", "details"):
        listed = node.get(name)
        for one in listed if isinstance(listed, list) else ():
            if _is_text(one):
                yield one
            elif isinstance(one, Mapping):
                place = ".".join(str(one[n]) for n in ("resource", "field") if _is_text(one.get(n)))
                said = next((one[n] for n in (*_MESSAGES, "code") if _is_text(one.get(n))), "")
                if said:
                    yield f"{place} {said}".strip()


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _line(text: str) -> str:
    """Return text on one line, without what a person would not see, and not too long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: LONGEST * 4]).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
