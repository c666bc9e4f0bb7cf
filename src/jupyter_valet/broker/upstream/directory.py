"""The upstream servers there are, what is known about each, and the profiles that follow."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ...wire.errors import ValetError
from ..audit import Audit
from ..kernels import Caller
from ..oauth import Profile
from ..oauth.rfc9728 import Challenge
from ..policy.grant import Subject
from ..secret import Secret
from ..vault import Vault
from . import settings
from .discovery import Discovery
from .facts import Facts, profile
from .settings import Server

ADDED = "upstream_server"
FACTS = "upstream_facts"

GOOD_FOR = 86_400.0
"""Seconds for which what was found out is believed, unless the server refuses meanwhile."""

MOST_LOOKS = 6
"""Discoveries at a server that refuses within `LOOKS_SECONDS`: it shall not make us work."""

LOOKS_SECONDS = 60.0


class Directory:
    """All servers by name, and `profiles`, which the whole broker shares, kept in step with them.

    `taken` are names that other providers and toolsets have.
    """

    def __init__(
        self,
        vault: Vault,
        audit: Audit,
        discovery: Discovery,
        profiles: dict[str, Profile],
        configured: Mapping[str, Mapping[str, Any]],
        taken: Iterable[str] = (),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._vault = vault
        self._audit = audit
        self._discovery = discovery
        self._profiles = profiles
        self._taken = {*taken, *profiles}
        self._clock = clock
        self._facts: dict[str, Facts] = {}
        self._looked: dict[str, list[float]] = {}
        self._looking: dict[str, asyncio.Lock] = {}
        self._servers: dict[str, Server] = {}
        for name, entry in configured.items():
            self._servers[name] = self._named(name, entry)
        for record in vault.list(ADDED):
            if record.id not in self._servers and record.id not in self._taken:
                self._servers[record.id] = _added(record.id, record.meta)
        for server in self._servers.values():
            self._remember(server)

    def _named(self, name: str, entry: Mapping[str, Any]) -> Server:
        """Return the server of that name, which no other name may be the beginning of.

        A server called `a` could offer `b_x`, which would be the tool `x` of a server called `a_b`.
        """
        for other in (*self._taken, *self._servers):
            if f"{name}_".startswith(f"{other}_") or f"{other}_".startswith(f"{name}_"):
                raise ValetError(
                    "bad_request", what=f"the MCP server name {name} is taken, by {other}"
                )
        if name in self._profiles:  # of an API that was added since
            raise ValetError("bad_request", what=f"the MCP server name {name} is taken")
        return settings.server(name, entry)

    def _remember(self, server: Server) -> None:
        """Take up what was found out before, so that a restart asks nobody."""
        record = self._vault.get(FACTS, server.name)
        facts = Facts.from_meta(record.meta) if record else Facts(server.url, 0.0)
        if facts.url == server.url and (record or server.keyed or server.command):
            self._take(server, facts)

    # Look-ups --------------------------------------------------------------------------------

    def all(self, caller: Caller) -> list[Server]:
        """Return the servers that this notebook may see."""
        return [server for server in self._servers.values() if server.visible_to(caller)]

    def get(self, caller: Caller, name: str) -> Server | None:
        """Return the server of that name, if this notebook may see it."""
        server = self._servers.get(name)
        return server if server is not None and server.visible_to(caller) else None

    def known(self, name: str) -> bool:
        """Whether it is known how to be let in."""
        return name in self._facts

    async def profile(self, server: Server) -> Profile:
        """Return the provider of `server`, finding out about it first where needed.

        Raises as `Discovery.look` does.
        """
        if not server.url or server.keyed:
            return self._profiles[server.name]
        async with self._turn(server):
            facts = self._facts.get(server.name)
            if facts is None or self._clock() > facts.found_at + GOOD_FOR:
                # What is known goes on to be believed while the server does not answer.
                with contextlib.suppress(ValetError) if facts else contextlib.nullcontext():
                    self._found(server, await self._discovery.look(server))
        return self._profiles[server.name]

    async def refused(self, server: Server, challenge: Challenge) -> Profile:
        """Find out again, because the server let us in no longer; return the provider then.

        Raises as `Discovery.look` does.
        """
        async with self._turn(server):
            if self._may_look(server):
                self._found(server, await self._discovery.look(server, challenge))
        return self._profiles[server.name]

    def _may_look(self, server: Server) -> bool:
        now = self._clock()
        looked = [at for at in self._looked.get(server.name, []) if at > now - LOOKS_SECONDS]
        self._looked[server.name] = [*looked, now][:MOST_LOOKS]
        return len(looked) < MOST_LOOKS

    def _turn(self, server: Server) -> asyncio.Lock:
        return self._looking.setdefault(server.name, asyncio.Lock())

    # Adding ----------------------------------------------------------------------------------

    def add(self, caller: Caller, name: str, url: str) -> Server:
        """Keep a server for the caller's notebook alone. Nobody is asked and nothing is sent yet.

        What its tools may do is asked at their first use, on a page that shows its host. Raises
        `ValetError` for a name that is taken and for a URL that cannot be one.
        """
        server = self._servers.get(name)
        subject = Subject.of(caller)
        if server is not None and server.subject == subject and server.url == url:
            return server
        server = replace(
            self._named(name, {"url": url}), principal=caller.principal, subject=subject
        )
        if not subject.kernel_id:
            meta = {"url": url, "principal": subject.principal}
            meta |= {"root": subject.root, "notebook": subject.notebook}
            self._vault.put(ADDED, name, meta, Secret(""))
        self._servers[name] = server
        self._record("upstream.added", caller, server)
        return server

    def remove(self, caller: Caller, name: str) -> bool:
        """Forget a server that this notebook added; one of the configuration stays."""
        server = self._servers.get(name)
        if server is None or server.subject != Subject.of(caller):
            return False
        self._drop(server)
        self._record("upstream.removed", caller, server)
        return True

    def moved(self, root: str, old: str, new: str) -> None:
        """Follow a notebook, or a folder of them; an empty `new` deletes."""
        there = list(self._servers.values())
        for server in there:
            subject = server.subject
            if new and subject is not None and subject.moved(root, new, new) is not None:
                self._drop(server)  # it belonged to a notebook that is not there any more
        for server in there:
            subject = server.subject
            moved = subject.moved(root, old, new) if subject is not None else None
            if moved is not None and new:
                self._move(server, moved)
            elif moved is not None:
                self._drop(server)

    def _move(self, server: Server, subject: Subject) -> None:
        record = self._vault.get(ADDED, server.name)
        if record is not None:
            meta = {**record.meta, "notebook": subject.notebook}
            self._vault.put(ADDED, server.name, meta, Secret(""))
        self._servers[server.name] = replace(server, subject=subject)

    def ended(self, kernel_id: str) -> None:
        """Forget what a kernel without a notebook added."""
        for server in list(self._servers.values()):
            if server.subject is not None and server.subject.kernel_id == kernel_id:
                self._drop(server)

    def _drop(self, server: Server) -> None:
        name = server.name
        del self._servers[name]
        self._facts.pop(name, None)
        self._profiles.pop(name, None)
        self._vault.delete(FACTS, name)
        self._vault.delete(ADDED, name)

    def _record(self, action: str, caller: Caller, server: Server) -> None:
        self._audit.record(
            action,
            principal=caller.principal,
            provider=server.name,
            kernel=caller.kernel_id,
            notebook=caller.notebook,
            host=server.place,
        )

    # What is known ---------------------------------------------------------------------------

    def _found(self, server: Server, facts: Facts) -> None:
        before = self._facts.get(server.name)
        self._vault.put(FACTS, server.name, facts.to_meta(), Secret(""))
        self._take(server, facts)
        if before is not None and before.issuer != facts.issuer:
            self._audit.record(
                "upstream.changed",
                principal=server.principal,
                provider=server.name,
                host=server.place,
                reason="another authorization server",
            )

    def _take(self, server: Server, facts: Facts) -> None:
        self._facts[server.name] = facts
        known = profile(server, facts)
        if server.subject is not None:
            words = f"an MCP server that a notebook added, {server.url}"
            known = replace(known, named_by=words, place=server.url)
        self._profiles[server.name] = known


def _added(name: str, meta: Mapping[str, Any]) -> Server:
    server = settings.server(name, {"url": meta["url"]})
    subject = Subject(meta["principal"], meta["root"], meta["notebook"])
    return replace(server, principal=subject.principal, subject=subject)
