"""Which requests are answered as plain JSON, without the means to become a stream.

Those means (a task group, a memory stream, two tasks) cost more than all else that the SDK does for
a call. A stream is for who asked to hear of progress, and for a leg that waits for a person.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from mcp_types.version import MODERN_PROTOCOL_VERSIONS

_VERSIONS = frozenset(version.encode() for version in MODERN_PROTOCOL_VERSIONS)
_NEED_A_STREAM = (b"progressToken", b"requestState")
"""Who hides a word behind escapes hears of no progress, and loses nothing else."""


def is_quick(scope: MutableMapping[str, Any], first: MutableMapping[str, Any]) -> bool:
    """Tell whether a request, whose `first` ASGI message is given, can do without a stream.

    It is the first leg of a `tools/call` of 2026-07-28, whose answer is a result, or a question at
    once, or after the short hold an error; and it arrived whole, so that its body can be told. A
    header that contradicts the body is refused by the SDK before anything else is done (PS-03).
    """
    if first["type"] != "http.request" or first.get("more_body", False):
        return False
    headers = dict(scope["headers"])
    modern = headers.get(b"mcp-protocol-version") in _VERSIONS
    if not modern or headers.get(b"mcp-method") != b"tools/call":
        return False
    return not any(word in first["body"] for word in _NEED_A_STREAM)
