"""Is this URL safe to show as a link, and what must the person be warned of? Pure functions.

Rules: EC-13 (the full URL), EC-15 (its host stands out), EC-16 (Punycode, look-alikes), EC-22 and
BP-19 (http and https alone, http on loopback alone).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_ALLOWED = re.compile(r"[!-~\u00a1-\U0010ffff]+")
_IPV4 = re.compile(r"(\d{1,3}\.){3}\d{1,3}")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*", re.IGNORECASE)
_MAX_URL = 2000


@dataclass(frozen=True)
class Link:
    """A URL in the parts in which it is shown. `refusal` says why it must not be opened."""

    before: str
    host: str
    after: str
    warnings: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def url(self) -> str:
        """The full URL, exactly as it was given."""
        return self.before + self.host + self.after


def examine(url: str) -> Link:
    """Take `url` apart, and judge it. It is never fetched (EC-11)."""
    refusal = _refusal(url)
    if refusal:
        return Link("", "", url, refusal=refusal)
    parts = urlsplit(url)
    host = _host_as_written(parts)
    before, after = _around(url, parts, host)
    return Link(before, host, after, tuple(_warnings(parts.hostname or "")))


def _refusal(url: str) -> str:
    if len(url) > _MAX_URL:
        return "it is too long to be read"
    if not _ALLOWED.fullmatch(url) or "\\" in url or _hides(url):
        return "it holds hidden characters"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "it is not a valid address"
    if parts.scheme not in ("http", "https") or not url.lower().startswith(f"{parts.scheme}://"):
        return "it is not a web address"
    if parts.username is not None or parts.password is not None:
        return "it holds a user name, which hides the real host"
    return _host_refusal(parts.scheme, host)


def _host_refusal(scheme: str, host: str) -> str:
    if not host or "%" in host or ".." in host or host.startswith("."):
        return "it has no proper host"
    if _NUMERIC.fullmatch(host) and not _proper_ipv4(host):
        return "its host is a number in disguise"
    if scheme == "http" and not is_loopback(host):
        return "it is not encrypted"
    return ""


def is_loopback(host: str) -> bool:
    """Tell whether `host` names this machine by its form alone: nothing is resolved."""
    if host == "localhost" or host.endswith(".localhost") or host == "::1":
        return True
    return _proper_ipv4(host) and host.startswith("127.")


def _proper_ipv4(host: str) -> bool:
    if not _IPV4.fullmatch(host):
        return False
    numbers = host.split(".")
    return all(int(n) < 256 and str(int(n)) == n for n in numbers)


def _hides(url: str) -> bool:
    return any(unicodedata.category(c)[0] in "CZ" for c in url)


def _host_as_written(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    if host.startswith("["):
        return host[: host.index("]") + 1]
    return host.partition(":")[0]


def _around(url: str, parts: SplitResult, host: str) -> tuple[str, str]:
    start = url.index(parts.netloc, len(parts.scheme)) + parts.netloc.index(host)
    return url[:start], url[start + len(host) :]


def _warnings(host: str) -> list[str]:
    """Return what a careful reader should know about the host (EC-16)."""
    found = []
    shown = _decoded(host)
    if shown != host:
        found.append(f"Written out, this address reads {shown!r}. Make sure that it is yours.")
    elif not host.isascii():
        found.append("This address has letters that are not plain Latin ones.")
    if any(_mixes_scripts(label) for label in shown.split(".")):
        found.append("This address mixes alphabets, as look-alike addresses do.")
    if host.endswith("."):
        found.append("This address ends with a dot.")
    return found


def _decoded(host: str) -> str:
    """Return the host with its Punycode labels (`xn--…`) in letters."""
    return ".".join(_decoded_label(label) for label in host.split("."))


def _decoded_label(label: str) -> str:
    if not label.lower().startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label


def _mixes_scripts(label: str) -> bool:
    """Tell whether letters of two alphabets stand in one label (UTS 39, section 5, coarsely)."""
    scripts = {unicodedata.name(c, "?").split(" ")[0] for c in label if c.isalpha()}
    together = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "KATAKANA-HIRAGANA"}
    return len(scripts - together) > 1
