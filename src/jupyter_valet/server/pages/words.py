"""Text that a person reads on a page: what must not deceive, and what each state means."""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

from ..origin import is_loopback

_GOES_ON = "The cell in your notebook goes on by itself."
_STATES = {
    "done": ("Connected", _GOES_ON),
    "declined": ("Declined", "Nothing was allowed. Run the cell again to be asked again."),
    "cancelled": (
        "Cancelled",
        "The notebook stopped waiting. Run the cell again to be asked again.",
    ),
    "expired": ("Too late", "The link was not used in time. Run the cell again to get a new one."),
    "failed": ("Not connected", ""),
}
_DONE = {
    "use": ("Allowed", _GOES_ON),
    "grant": ("Allowed", _GOES_ON),
    "approval": ("Approved", _GOES_ON),
    "visit": ("Opened", _GOES_ON),
}
_FOR_CLIENTS = (
    ("The cell in your notebook", "The program"),
    ("The notebook", "The program"),
    ("Run the cell again", "Let the program try again"),
)
"""What a program outside of the notebooks has in place of a cell."""
_UNFINISHED = ("Not finished yet", "The question is still open. Go back to the page that asked.")


def ending(state: str, kind: str = "sign_in", client: str = "") -> tuple[str, str]:
    """Return title and words for the last page of a question; `client` asked, if not a notebook."""
    if state == "done" and kind in _DONE:
        title, words = _DONE[kind]
    else:
        title, words = _STATES.get(state, _UNFINISHED)
    if client:
        for ours, theirs in _FOR_CLIENTS:
            words = words.replace(ours, theirs)
    return title, words


def lines(text: object) -> str:
    """Return text of several lines, each of them `plain`."""
    return "\n".join(map(plain, str(text).split("\n")))


def plain(text: object) -> str:
    """Return text without characters that could make it look like another text (D7).

    A file name may hold controls, or marks that reverse the reading direction; each becomes U+FFFD.
    """
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf") else c for c in str(text))


def may_open(url: str) -> bool:
    """Whether a browser may be sent to `url`: https, or http on this machine (BP-19, EC-22)."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (raises for a port that is none)
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or any(c in url for c in "\r\n\t "):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))
