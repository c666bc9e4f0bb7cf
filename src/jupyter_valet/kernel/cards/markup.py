"""A card's HTML and text. Every value is escaped; the one link is the one thing to press."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

from ..plain_text import unlinked
from .face import Face
from .links import Link


@cache
def stylesheet() -> str:
    """Return the card's CSS."""
    return (Path(__file__).parent / "card.css").read_text(encoding="utf-8")


def page(face: Face) -> str:
    """Return the whole card as HTML, for front ends without widgets and for the saved notebook."""
    actions = f'<p class="jv-actions">{sign_in(face)}</p>' if face.live else ""
    below = hint(button=False) if face.live else ""
    return f'<div class="jv-card">{facts(face)}{actions}{status(face)}{below}</div>'


def facts(face: Face) -> str:
    """Return who asks, for what and why, and the full URL."""
    if not face.live:
        return f"{_style()}{_heading(face)}"
    rows = [
        _row("Asked by", face.server),
        _row("For", face.notebook),
        _row("Why", face.reason),
        _row("It says", face.message),
        _list("It may", face.scopes),
        _row("Then", face.words.then),
        _row("Isolation", face.isolation),
    ]
    address = _address(face.link) if face.link else ""
    return f'{_style()}{_heading(face)}<dl class="jv-facts">{"".join(rows)}{address}</dl>'


def sign_in(face: Face) -> str:
    """Return the one link (EC-12, EC-14), or nothing when it must not be followed (EC-22)."""
    if face.link is None or face.link.refusal:
        return ""
    label = escape(f"{face.title}, in a new tab", quote=True)
    return (
        f'<a class="jv-sign-in" href="{escape(face.link.url, quote=True)}" target="_blank" '
        f'rel="noopener noreferrer" aria-label="{label}">{escape(face.words.button)}</a>'
    )


def status(face: Face) -> str:
    """Return the line that tells what is going on; screen readers announce it."""
    role = "status" if face.tone == "busy" else "alert"
    live = "polite" if face.tone == "busy" else "assertive"
    return (
        f'<p class="jv-status jv-{face.tone}" role="{role}" aria-live="{live}">'
        f'<span class="jv-mark" aria-hidden="true"></span>{escape(face.status)}</p>'
    )


def hint(*, button: bool) -> str:
    """Return how to say no (EC-05, EC-18)."""
    words = (
        "Interrupting the kernel cancels as well."
        if button
        else "To decline, press Decline on that page, or interrupt the kernel."
    )
    return f'<p class="jv-hint">{words}</p>'


def text(face: Face) -> str:
    """Return the card as plain text. Only its own address may become a link (EC-17)."""
    if not face.live or face.link is None:
        return f"{face.title}: {face.status}"
    lines = [f"{unlinked(face.title)}"]
    lines += [f"  asked by  {unlinked(face.server)}"] if face.server else []
    lines += [f"  for       {unlinked(face.notebook)}"] if face.notebook else []
    lines += [f"  why       {unlinked(face.reason)}"] if face.reason else []
    lines += [f"  it says   {unlinked(face.message)}"] if face.message else []
    lines += [f"  it may    {unlinked(scope)}" for scope in face.scopes]
    lines += [f"  then      {face.words.then}"]
    lines += [f"  isolation {unlinked(face.isolation)}"] if face.isolation else []
    lines += [f"  host      {face.link.host}"]
    lines += [f"  WARNING   {warning}" for warning in face.link.warnings]
    lines += [f"  open this page in your browser {face.words.to}:", f"  {face.link.url}"]
    return "\n".join([*lines, face.status])


def _style() -> str:
    return f"<style>{stylesheet()}</style>"


def _heading(face: Face) -> str:
    return f'<p class="jv-title" role="heading" aria-level="4">{escape(face.title)}</p>'


def _row(term: str, value: str) -> str:
    return f"<dt>{escape(term)}</dt><dd>{escape(value)}</dd>" if value else ""


def _list(term: str, values: tuple[str, ...]) -> str:
    if not values:
        return ""
    items = "".join(f"<li>{escape(value)}</li>" for value in values)
    return f"<dt>{escape(term)}</dt><dd><ul>{items}</ul></dd>"


def _address(link: Link) -> str:
    """Return the full URL with its host standing out (EC-13, EC-15), and warnings (EC-16)."""
    shown = (
        f"{escape(link.before)}<mark>{escape(link.host)}</mark>{escape(link.after)}"
        if link.host
        else escape(link.url)
    )
    notes = [*link.warnings, *([f"Do not open it: {link.refusal}."] if link.refusal else [])]
    warned = "".join(f'<p class="jv-warning" role="alert">{escape(n)}</p>' for n in notes)
    return f'<dt>Opens</dt><dd><code class="jv-url" tabindex="0">{shown}</code>{warned}</dd>'
