"""The authorization response says who sent it: `iss` against mix-up (RFC 9207 §2.4, R146, R159)."""

from __future__ import annotations


def fault(issuer: str, iss: str | None, *, required: bool) -> str:
    """Return the slug of what is wrong with `iss`, or "" when it is right.

    The comparison is of strings, without any normalisation (RFC 3986 §6.2.1, CL-12); a response
    without `iss` is refused when the server announced that it sends one (downgrade).
    """
    if iss is None:
        return "iss_missing" if required else ""
    return "" if iss == issuer else "iss_mismatch"
