"""What a browser says about a request, and which of it each page demands (pure).

`Sec-Fetch-*` are forbidden header names: no script can set them (Fetch Metadata, W3C). Browsers
send them to https and to loopback only, so without them nothing can be told, and all is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..origin import is_loopback


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered, in words for the person."""

    status: int
    title: str
    words: str


_NOT_A_PAGE_LOAD = Refusal(
    403,
    "This page opens in a tab of its own",
    "It answers only when a person opens it from the address bar or a link, never to a script, "
    "a frame or a preview.",
)
_NOT_PRESSED = Refusal(
    403,
    "Please press the button on the page itself",
    "This address works only when a person presses the button on the page that shows it.",
)
_NO_METADATA = Refusal(
    403,
    "This browser does not say how it got here",
    "The page needs the Sec-Fetch headers that current browsers send. Update the browser, or use "
    "another one.",
)
_INSECURE = Refusal(
    403,
    "Open Jupyter over https, or at localhost",
    "Over plain http to another machine browsers leave out the Sec-Fetch headers, without which "
    "this page cannot tell you from a script. Use https, or an ssh tunnel and http://localhost.",
)


def shown(headers: Mapping[str, str], host: str) -> Refusal | None:
    """Refuse everything but a person's top-level page load: what may show a page.

    Frames, objects, fetch, prefetch, prerender and downloads all say something else.
    """
    mode, dest = headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")
    if mode is None or dest is None:
        return _NO_METADATA if is_loopback(host) else _INSECURE
    if headers.get("Sec-Purpose") or headers.get("Purpose"):
        return _NOT_A_PAGE_LOAD
    return None if (mode, dest) == ("navigate", "document") else _NOT_A_PAGE_LOAD


def pressed(headers: Mapping[str, str], host: str) -> Refusal | None:
    """Refuse everything but a person's press on an isolated page: what may approve.

    The isolated page has an opaque origin, so its links arrive as `cross-site`; a script of the
    Jupyter origin that got hold of the nonce arrives as `same-origin`.
    """
    if refusal := shown(headers, host):
        return refusal
    site, user = headers.get("Sec-Fetch-Site"), headers.get("Sec-Fetch-User")
    return None if (site, user) == ("cross-site", "?1") else _NOT_PRESSED


def posted(headers: Mapping[str, str], host: str) -> Refusal | None:
    """Refuse everything but a form of an isolated page: a press, posted from an opaque origin."""
    if refusal := pressed(headers, host):
        return refusal
    if headers.get("Origin") != "null":
        return _NOT_PRESSED
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return None if kind == "application/x-www-form-urlencoded" else _NOT_PRESSED
