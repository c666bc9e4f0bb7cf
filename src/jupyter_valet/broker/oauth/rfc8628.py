"""The device authorization grant: a code that the person types at the provider (RFC 8628).

Pure functions over the two answers: the one with the code (§3.2), and "not yet" (§3.5).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from ...wire import capability
from ..egress.origin import Origin, split_url
from ..secret import Secret
from .errors import OAuthRefused
from .profile import Profile
from .records import DeviceCode, OAuthApp

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"

INTERVAL_SECONDS = 5.0
"""Between two polls, where the provider does not say (§3.2)."""

SLOWER_BY_SECONDS = 5.0
"""What `slow_down` adds to the interval, for good (§3.5)."""

_LONGEST_PAUSE = 60.0
_LONGEST_LIFE = 3600.0
_LONGEST_USER_CODE = 64
_DEVICE_CODE = re.compile(r"[\x20-\x7e]{1,16384}")


class NotYet(Exception):
    """The person has not typed the code yet. `slower`: they are asked too often."""

    def __init__(self, *, slower: bool = False, interval: object = None) -> None:
        self._slower = slower
        self._interval = interval
        super().__init__("slow_down" if slower else "authorization_pending")

    def pace(self, interval: float) -> float:
        """Return the seconds until the next poll, after one that came after `interval`.

        GitHub says with `slow_down` what the interval is now.
        """
        if not self._slower:
            return interval
        told = _seconds(self._interval) or 0.0
        return max(interval + SLOWER_BY_SECONDS, min(told, _LONGEST_LIFE))


def later(error: str, answer: Mapping[str, Any]) -> NotYet | None:
    """Return what to wait for when `error` says that the person has not answered, else None."""
    match error:
        case "authorization_pending":
            return NotYet()
        case "slow_down":
            return NotYet(slower=True, interval=answer.get("interval"))
    return None


def back_off(interval: float) -> float:
    """Return the seconds until the next poll after one that got no answer (§3.5)."""
    return max(interval, min(2 * interval, _LONGEST_PAUSE))


def device_code(
    profile: Profile,
    app: OAuthApp,
    answer: Mapping[str, Any],
    *,
    asked: frozenset[str],
    token_endpoint: str,
    now: float,
) -> DeviceCode:
    """Return the code of a successful answer (§3.2); `asked` is normalised.

    Raises `OAuthRefused` for one that cannot be shown to a person: they read the user code and
    follow the address, so neither may pass for something else.
    """
    life = _seconds(answer.get("expires_in"))
    interval = _seconds(answer.get("interval", INTERVAL_SECONDS))
    if not life or interval is None:
        raise OAuthRefused(profile.title, "bad_code")
    place, uri = _address(profile, answer.get(profile.device.uri_member))
    return DeviceCode(
        provider=profile.name,
        issuer=profile.issuer,
        client_id=app.client_id,
        scopes=asked,
        token_endpoint=token_endpoint,
        created_at=now,
        expires_at=now + min(life, _LONGEST_LIFE),
        interval=max(interval, 1.0),
        device_code=_secret(profile, answer.get("device_code")),
        user_code=_shown(profile, answer.get("user_code")),
        verification_uri=uri,
        verification_uri_complete=_complete(profile, answer, place),
    )


def _secret(profile: Profile, value: object) -> Secret:
    usable = isinstance(value, str) and _DEVICE_CODE.fullmatch(value)
    if not usable or str(value).startswith(capability.PREFIX):
        raise OAuthRefused(profile.title, "bad_code")
    return Secret(str(value))


def _shown(profile: Profile, value: object) -> str:
    """Return a user code that is one short line of visible characters (§6.1)."""
    code = value.strip() if isinstance(value, str) else ""
    if not 0 < len(code) <= _LONGEST_USER_CODE:
        raise OAuthRefused(profile.title, "bad_code")
    if any(unicodedata.category(character)[0] == "C" for character in code):
        raise OAuthRefused(profile.title, "bad_code")
    return code


def _address(profile: Profile, value: object) -> tuple[Origin, str]:
    """Return where the code is typed: https, and on this machine only for who lives there.

    At an issuer that a notebook's document named, that is the issuer: it could else pass on the
    code of a provider that the person knows, and have what they allow there.
    """
    try:
        origin, _ = split_url(value)  # type: ignore[arg-type]
    except (ValueError, AttributeError, TypeError):
        raise OAuthRefused(profile.title, "bad_code") from None
    if origin.loopback != profile.loopback or not profile.may_be_at(origin):
        raise OAuthRefused(profile.title, "bad_code")
    return origin, str(value)


def _complete(profile: Profile, answer: Mapping[str, Any], place: Origin) -> str:
    """Return the address that has the code in it (§3.3.1), if it is at the place that is shown."""
    value = answer.get(f"{profile.device.uri_member}_complete")
    if value is None:
        return ""
    origin, uri = _address(profile, value)
    return uri if origin == place else ""


def _seconds(value: object) -> float | None:
    """Read a number of seconds; some send it as a string of digits."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        return None
    return float(value)
