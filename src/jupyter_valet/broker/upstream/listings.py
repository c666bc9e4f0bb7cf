"""What each server was last seen to offer to each person, kept over restarts.

The first description of a tool that was seen is remembered. One that says something else later is
another tool under the same name ("rug pull"): it is noted in the audit, and nothing that the person
said of the first goes for it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..audit import Audit
from ..secret import Secret
from ..vault import Vault
from .settings import Server
from .tools import MOST, Offer, Offers, UpstreamTool

KIND = "upstream_tools"

OLD = 300.0
"""Seconds after which a list is read again when somebody asks for it, where its server does not say
how long it is good for or announce changes."""

UNREADABLE = 30.0
"""Seconds before a server that could not be read is tried again."""

OLDEST = 86_400.0
"""The longest that a server's own word is believed."""


@dataclass(frozen=True)
class Listing:
    """The tools of one server for one person."""

    tools: tuple[UpstreamTool, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    read_at: float = 0.0
    """Seconds since the epoch; 0: never by this process."""
    good_until: float = 0.0


class Listings:
    """Listings by server and person."""

    def __init__(self, vault: Vault, audit: Audit, clock: Callable[[], float] = time.time) -> None:
        self._vault = vault
        self._audit = audit
        self._clock = clock
        self._held: dict[tuple[Server, str], Listing] = {}

    def get(self, server: Server, principal: str) -> Listing:
        """Return the listing as it is known, perhaps old, perhaps empty."""
        held = self._held.get((server, principal))
        if held is None:
            held = self._stored(server, principal)
            self._held[server, principal] = held
        return held

    def old(self, server: Server, principal: str) -> bool:
        """Tell whether it is time to read the list again."""
        return self._clock() >= self.get(server, principal).good_until

    def outdated(self, server: Server, principal: str) -> None:
        """Note that the server says that its list has changed."""
        held = self.get(server, principal)
        self._held[server, principal] = Listing(held.tools, held.left_out, held.read_at, 0.0)

    def postpone(self, server: Server, principal: str) -> None:
        """Note that the list could not be read, so that not every question tries again."""
        held = self.get(server, principal)
        until = self._clock() + UNREADABLE
        self._held[server, principal] = Listing(held.tools, held.left_out, held.read_at, until)

    def keep(self, server: Server, principal: str, found: Offers, good_for: float) -> bool:
        """Take up what a server lists now; tell whether anything is different."""
        before = self.get(server, principal)
        pins, seen = self._pins(server, principal)
        now = self._clock()
        tools = []
        for offer in found.tools:
            first = pins.setdefault(offer.short_name, offer.digest)
            changed = first != offer.digest
            if changed and seen.get(offer.short_name) != offer.digest:
                self._note(server, principal, offer)
            tools.append(UpstreamTool(server, offer, server.name, changed))
        if len(pins) > 2 * MOST:  # a server that renames without end shall not fill the vault
            pins = {o.short_name: pins[o.short_name] for o in found.tools}
        until = now + min(good_for or OLD, OLDEST)
        same = before.tools == tuple(tools)
        kept = before.tools if same else tuple(tools)
        self._held[server, principal] = Listing(kept, found.left_out, now, until)
        if not same or not before.read_at:
            self._store(server, principal, found, pins)
        return not same

    def accept(self, server: Server, principal: str) -> None:
        """Take the tools as they are now for those that the person knows."""
        tools = self.get(server, principal).tools
        offers = Offers(tuple(tool.offer for tool in tools))
        self._store(server, principal, offers, {o.short_name: o.digest for o in offers.tools})
        self._held.pop((server, principal), None)

    def forget(self, server: Server, principal: str) -> None:
        """Drop what is known."""
        self._held.pop((server, principal), None)
        self._vault.delete(KIND, _id(server, principal))

    def _note(self, server: Server, principal: str, offer: Offer) -> None:
        self._audit.record(
            "upstream.tool_changed",
            principal=principal,
            provider=server.name,
            tool=f"{server.name}_{offer.short_name}",
            host=server.place,
        )

    # Storage ---------------------------------------------------------------------------------

    def _stored(self, server: Server, principal: str) -> Listing:
        record = self._vault.get(KIND, _id(server, principal))
        if record is None:
            return Listing()
        pins = record.meta["pins"]
        offers = [Offer.from_json(offer) for offer in json.loads(record.meta["tools"])]
        return Listing(
            tuple(
                UpstreamTool(server, o, server.name, pins.get(o.short_name) != o.digest)
                for o in offers
            )
        )

    def _pins(self, server: Server, principal: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the digests that were seen first, and those that were seen last."""
        record = self._vault.get(KIND, _id(server, principal))
        if record is None:
            return {}, {}
        offers = [Offer.from_json(offer) for offer in json.loads(record.meta["tools"])]
        return dict(record.meta["pins"]), {o.short_name: o.digest for o in offers}

    def _store(
        self, server: Server, principal: str, offers: Offers, pins: Mapping[str, str]
    ) -> None:
        tools = json.dumps([offer.to_json() for offer in offers.tools])
        meta = {"server": server.name, "pins": dict(pins), "tools": tools}
        self._vault.put(KIND, _id(server, principal), meta, Secret(""))


def _id(server: Server, principal: str) -> str:
    """Name a listing by whom it is from and for: another place is another server."""
    key = "\0".join((server.name, server.url or server.place, principal))
    return hashlib.sha256(key.encode()).hexdigest()[:32]
