"""Which toolsets there are, for the providers that there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from .demo import demo
from .github import GITHUB
from .google import GOOGLE
from .huggingface import HUGGINGFACE
from .model import Toolset
from .slack import SLACK

if TYPE_CHECKING:
    from ..oauth import Profile

CURATED = (GITHUB, GOOGLE, HUGGINGFACE, SLACK)


def toolsets(profiles: Mapping[str, Profile]) -> tuple[Toolset, ...]:
    """Return the toolsets whose provider is known.

    An operation on a host that its provider's profile does not name is left out: the credential
    goes to the profile's origins and nowhere else (L4).
    """
    known = [toolset for toolset in CURATED if toolset.provider in profiles]
    if "demo" in profiles:
        known.append(demo(profiles["demo"].origins[0]))
    return tuple(_within(toolset, profiles[toolset.provider]) for toolset in known)


def _within(toolset: Toolset, profile: Profile) -> Toolset:
    return replace(
        toolset,
        operations=tuple(
            operation
            for operation in toolset.operations
            if toolset.origin_of(operation) in profile.origins
        ),
    )
