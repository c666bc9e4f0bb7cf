"""Looks for secrets in everything that a run has written, in the spellings that occur.

What to look for comes from the vault itself, opened with its own key, and from what a test has seen
on the wire. `must_not_leak` runs at the end of every real server of the browser and server tests.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.vault import open_vault

KINDS = ("connection", "oauth_app", "transaction")
SHORTEST = 12
"""Characters below which a value is a word rather than a secret."""

_SHAPES = {
    "a kernel's capability": re.compile(rb"jvk_[A-Za-z0-9_-]{40}"),
    "an API key of ours": re.compile(rb"jva_[A-Za-z0-9_-]{40}"),
    "an access token of ours": re.compile(rb"jvo_[0-9a-f]{32}_[A-Za-z0-9_-]{40}"),
    "a refresh token of ours": re.compile(rb"jvr_[0-9a-f]{32}_[A-Za-z0-9_-]{40}"),
    "a code of ours": re.compile(rb"jvc_[0-9a-f]{32}_[A-Za-z0-9_-]{40}"),
    "the secret of the door": re.compile(rb"jvd_[A-Za-z0-9_-]{40}"),
    "a canary": re.compile(rb"canary-[A-Za-z0-9_-]{20}"),
    "an authorization code": re.compile(rb"[?&]code=[A-Za-z0-9_.~-]{20}"),
    "a state": re.compile(rb"[?&]state=[A-Za-z0-9_.~-]{20}"),
    "a page's nonce": re.compile(rb"[?&]auth=[A-Za-z0-9_-]{40}"),
    "a verifier": re.compile(rb"code_verifier=[A-Za-z0-9_.~-]{40}"),
}
"""What may not be in any file, whatever its value."""


@dataclass(frozen=True)
class Leak:
    """A file, and what kind of secret is in it; never the secret itself."""

    path: Path
    what: str


def must_not_leak(home: Path, state_dir: Path, seen: Iterable[str] = ()) -> None:
    """Fail when a file below `home` holds a secret of the vault, or one of `seen`, in clear."""
    leaks = search(home, {*in_vault(state_dir), *seen})
    assert not leaks, f"secrets in clear: {leaks}"


def in_vault(state_dir: Path) -> set[str]:
    """Return every secret in a vault whose key is in a file; nothing when the key is elsewhere."""
    if not (state_dir / "keys" / "key-ring").exists():
        return set()
    with closing(open_vault(state_dir, "file")) as vault:
        payloads = [reveal(record.payload) for kind in KINDS for record in vault.list(kind)]
    return {text for payload in payloads for text in _texts(payload) if len(text) >= SHORTEST}


def _texts(payload: str) -> Iterator[str]:
    try:
        value = json.loads(payload)
    except ValueError:
        value = payload
    yield from _leaves(value)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        # Only what JSON calls a token or a secret: scopes and types are no secrets.
        for name, inner in value.items():
            if re.search("token$|secret|key", name):
                yield from _leaves(inner)
            else:
                yield from _leaves(_without_words(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield value


def _without_words(value: Any) -> Any:
    """Return what may hold a secret deeper down; a list of words is a list of words."""
    if isinstance(value, list):
        return [inner for inner in value if isinstance(inner, dict | list)]
    return value if isinstance(value, dict) else None


def search(home: Path, secrets: Iterable[str]) -> list[Leak]:
    """Return the files below `home` that hold any of `secrets`, or the shape of one."""
    needles = {spelled for secret in secrets for spelled in spellings(secret)}
    found = []
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [Leak(path, "a known secret")] * any(n in content for n in needles)
            found += [Leak(path, what) for what, shape in _SHAPES.items() if shape.search(content)]
    return found


def spellings(secret: str) -> set[bytes]:
    """Return a secret as it may be written: plain, in a URL, in JSON, base64 at any offset, hex."""
    raw = secret.encode()
    plain = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), raw.hex().encode()}
    plain.add(json.dumps(secret)[1:-1].encode())
    return plain | set(_base64(raw))


def _base64(raw: bytes) -> Iterator[bytes]:
    """Yield what of the base64 of a longer text depends on `raw` alone, for each alignment."""
    for before in range(3):
        padded = b"\0" * before + raw
        whole = base64.b64encode(padded[: len(padded) // 3 * 3])
        middle = whole[4 if before else 0 :]
        yield middle
        yield middle.translate(bytes.maketrans(b"+/", b"-_"))
