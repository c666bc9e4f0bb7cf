"""The providers that are known: one file each, data alone.

What all of them share is a field of `Profile`; nothing here talks to anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....wire.errors import ValetError
from ..profile import Profile
from .configured import configured
from .demo import demo
from .github import GITHUB
from .google import GOOGLE
from .huggingface import HUGGINGFACE, HUGGINGFACE_TOKEN
from .slack import SLACK, SLACK_TOKEN

BUILT_IN = (GITHUB, GOOGLE, HUGGINGFACE, HUGGINGFACE_TOKEN, SLACK, SLACK_TOKEN)

_TAKEN = frozenset({"demo", *(profile.name for profile in BUILT_IN)})


def profiles(config: Mapping[str, Mapping[str, Any]], demo_issuer: str = "") -> dict[str, Profile]:
    """Return all providers by name: built in, the demo when it runs, and the person's own.

    Raises `ValetError("bad_request")` for a setting that is wrong, and for a provider of the
    person's own that takes a built-in name: that would receive the other's client secret.
    """
    known = {profile.name: profile for profile in BUILT_IN}
    if demo_issuer:
        known["demo"] = demo(demo_issuer)
    for name, entry in config.items():
        if name in _TAKEN:
            raise ValetError("bad_request", what=f"the provider name {name} is taken")
        known[name] = configured(name, entry)
    return known
