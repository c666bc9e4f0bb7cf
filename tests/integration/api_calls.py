"""The calls of given toolsets, wired as the broker wires them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_valet.broker.apis import Apis
from jupyter_valet.broker.authorized import Authorized
from jupyter_valet.broker.calls import Calls
from jupyter_valet.broker.catalogue import Catalogue
from jupyter_valet.broker.oauth import Profile
from jupyter_valet.broker.policy import Policy
from jupyter_valet.broker.policy.access import Access
from jupyter_valet.broker.search import Finding, Indexes
from jupyter_valet.broker.toolsets import Toolset


def calls_of(
    toolsets: Iterable[Toolset],
    connections: Any,
    egress: Any,
    profiles: Mapping[str, Profile],
    policy: Policy,
) -> Calls:
    """Return calls whose only tools are the operations of `toolsets`, and those that find them."""
    authorized = Authorized(Access(connections, policy), connections, egress, policy.audit)
    catalogue = Catalogue(Apis(toolsets, authorized, profiles))
    catalogue.add(Finding(catalogue, Indexes()))
    return Calls(catalogue)
