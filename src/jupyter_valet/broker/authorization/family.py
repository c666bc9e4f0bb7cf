"""A token family: one sign-in of one program, from its code through all its tokens (pure).

Of codes and tokens only SHA-256 digests are kept. A step makes a new family; to store it is for
`Families`, which refuses a step that two processes took at once.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ...wire.clients import digest
from ..clients import scopes as known

CODE_SECONDS = 60.0
ACCESS_SECONDS = 3600.0
REFRESH_SECONDS = 30 * 86_400.0
"""How long a program may stay away."""
LONGEST_SECONDS = 90 * 86_400.0
"""How long it stays signed in, at most, however often it comes."""

AGAIN_SECONDS = 60.0
"""How long a program may come again with a refresh token whose answer it did not get: longer than
clients wait for an answer."""

_MOST_ACCESS = 8
"""Access tokens of one family that are good at once: the newest."""


@dataclass(frozen=True)
class Family:
    """Times are in seconds since the epoch."""

    id: str
    principal: str
    client_id: str
    title: str
    redirect_uri: str
    resource: str
    """The audience (RFC 8707): the endpoint as the program addresses it."""
    scopes: tuple[str, ...]
    """What the person ticked."""
    challenge: str
    code: str
    """Digest of the code; it stays, so that a replay is seen."""
    made_at: float
    until: float
    redeemed: bool = False
    refresh: str = ""
    refresh_until: float = 0.0
    access: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What is known of each access token, by its digest."""
    used_at: float = 0.0
    spent: str = ""
    """Digest of the refresh token that the one that is good now came for."""
    spent_at: float = 0.0
    """When it was first shown."""
    unused: str = ""
    """Digest of the access token that came with the refresh token, until somebody uses it."""
    revision: int = field(default=0, compare=False)
    """The vault's; 0 before it is stored."""

    # Questions -------------------------------------------------------------------------------

    def live(self, now: float) -> bool:
        """Tell whether anything can still be had with it."""
        if not self.redeemed:
            return now < self.made_at + CODE_SECONDS
        return now < self.ends_at

    @property
    def ends_at(self) -> float:
        """When it is over, unless its program comes before."""
        return max(self.refresh_until, *(float(one["until"]) for one in self.access.values()), 0.0)

    def is_code(self, code: str) -> bool:
        """Tell whether this is its code."""
        return hmac.compare_digest(self.code, digest(code))

    def is_refresh(self, token: str) -> bool:
        """Tell whether this is the refresh token that is good now."""
        return hmac.compare_digest(self.refresh, digest(token))

    def may_come_again(self, token: str, now: float) -> bool:
        """Tell whether `token` is the one before, and nobody has used what came for it.

        Then its program may not have got the answer: for a minute it gets another one.
        """
        unused = bool(self.unused) and now < self.spent_at + AGAIN_SECONDS
        return unused and hmac.compare_digest(self.spent, digest(token))

    def is_first_use(self, token: str) -> bool:
        """Tell whether `token` is the access token that nobody has used yet."""
        return hmac.compare_digest(self.unused, digest(token))

    def opened_by(self, token: str, now: float) -> tuple[frozenset[str], float]:
        """Return the scopes of an access token, and its end; none when it is not good."""
        entry = self.access.get(digest(token))
        if entry is None or entry["until"] <= now:
            return frozenset(), 0.0
        return known.parse(entry["scope"]), float(entry["until"])

    # Steps -----------------------------------------------------------------------------------

    def issued(self, access: str, refresh: str, scope: str, now: float) -> Family:
        """Return the family with new tokens in place of the code or refresh token (AS-03)."""
        until = min(now + ACCESS_SECONDS, self.until)
        good = {key: one for key, one in self.access.items() if one["until"] > now}
        newest = sorted(good.items(), key=lambda item: item[1]["until"])[1 - _MOST_ACCESS :]
        return replace(
            self,
            redeemed=True,
            access={**dict(newest), digest(access): {"until": until, "scope": scope}},
            refresh=digest(refresh),
            refresh_until=min(now + REFRESH_SECONDS, self.until),
            used_at=now,
        )

    def refreshed(self, token: str, access: str, refresh: str, scope: str, now: float) -> Family:
        """Return the family with new tokens for the refresh token `token`.

        Those that went out for the same one before are good no more: who has them has not used
        them, and shows with the first try that two have the older one (RFC 9700 §4.14.2).
        """
        family, since = self, now
        if not self.is_refresh(token):
            good = {key: one for key, one in self.access.items() if key != self.unused}
            family, since = replace(self, access=good), self.spent_at
        return replace(
            family.issued(access, refresh, scope, now),
            spent=digest(token),
            spent_at=since,
            unused=digest(access),
        )

    # What Authlib asks -----------------------------------------------------------------------

    code_challenge_method = "S256"

    @property
    def code_challenge(self) -> str:
        """The PKCE challenge of the code."""
        return self.challenge

    def check_client(self, client: Any) -> bool:
        """Tell whether it was issued to `client`."""
        return bool(client.client_id == self.client_id)

    def get_redirect_uri(self) -> str:
        """Return where the code was sent to."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return what the person ticked."""
        return " ".join(self.scopes)

    # The vault -------------------------------------------------------------------------------

    def to_meta(self) -> dict[str, Any]:
        """Return what the vault keeps."""
        meta = asdict(self)
        del meta["id"], meta["revision"]
        return meta

    @classmethod
    def from_meta(cls, id: str, meta: dict[str, Any], revision: int) -> Family:
        """Read what the vault kept."""
        return cls(id=id, revision=revision, **{**meta, "scopes": tuple(meta["scopes"])})
