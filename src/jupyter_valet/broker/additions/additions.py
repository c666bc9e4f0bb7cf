"""The APIs that were added, as a source of tools."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from ...wire.errors import ValetError
from ...wire.toolsets import MOST_ADDED, AddRequest, ToolsetView
from ..audit import Audit
from ..catalogue import Call, Source, Tool, ToolOutcome
from ..control import describe
from ..kernels import Caller
from ..oauth import Profile
from ..policy.grant import Subject
from ..secret import Secret
from ..toolsets import Toolset
from ..toolsets.documents import Cache, Compiled
from ..vault import Vault
from . import provider as providers
from .fetching import fetched
from .files import Files, digest
from .record import KIND, Added

logger = logging.getLogger(__name__)

READY_SECONDS = 3.0
"""How long somebody who asks for a list waits for APIs that are still being loaded."""

Offer = Callable[[Toolset, str], Source]
"""Makes the source of one toolset's tools, with what marks the document that a notebook named."""


@dataclass(frozen=True)
class _Held:
    added: Added
    compiled: Compiled
    source: Source


class Additions:
    """APIs by notebook, beside the `built_in` toolsets; `taken` are names that others have."""

    def __init__(
        self,
        vault: Vault,
        audit: Audit,
        profiles: dict[str, Profile],
        folder: Path,
        offer: Offer,
        built_in: Sequence[Toolset],
        taken: Iterable[str],
    ) -> None:
        self._vault = vault
        self._audit = audit
        self._profiles = profiles
        self._files = Files(folder / "documents")
        self._cache = Cache(folder / "compiled")
        self._offer = offer
        self._built_in = {toolset.provider: toolset for toolset in built_in}
        self._taken = (*(toolset.name for toolset in built_in), *taken)
        self._held: dict[str, _Held] = {}
        self._of_notebooks: set[str] = set()
        self._joined: dict[tuple[Subject, bool], tuple[Sequence[object], Sequence[Tool]]] = {}
        self._restoring: asyncio.Task[None] | None = None
        self.on_change: Callable[[Caller | None], None] = lambda caller: None

    # Coming and going ------------------------------------------------------------------------

    def start(self, configured: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin to take up what there is; nobody has to wait for it who does not ask for it."""
        self._restoring = asyncio.create_task(self._restore(configured))

    async def ready(self, caller: Caller) -> None:
        """Wait for what is being taken up, as long as it is worth to whoever asks for a list."""
        if self._restoring is not None and not self._restoring.done():
            await asyncio.wait([self._restoring], timeout=READY_SECONDS)

    async def close(self) -> None:
        """End what is under way."""
        if self._restoring is not None:
            self._restoring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._restoring

    async def _restore(self, configured: Mapping[str, Mapping[str, Any]]) -> None:
        """Take up what was added before, and what the configuration adds for everybody.

        One that cannot be used any more is left out, and the log says so; the others come.
        """
        for name, entry in configured.items():
            await self._restored(name, partial(self._from_configuration, name, entry))
        for record in self._vault.list(KIND):
            kept = partial(self._kept, Added.from_meta(record.meta))
            await self._restored(record.meta["name"], partial(anyio.to_thread.run_sync, kept))
        self.on_change(None)

    async def _restored(self, name: str, load: Callable[[], Awaitable[_Held]]) -> None:
        try:
            self._hold(await load())
        except (ValetError, OSError, LookupError, TypeError, ValueError) as error:
            what = str(error) if isinstance(error, ValetError) else describe(error)
            logger.warning("the API %s is left out: %s", name, what)

    async def _from_configuration(self, name: str, entry: Mapping[str, Any]) -> _Held:
        self._check_name(name)
        at_address = "url" in entry and not {"file", "document"} & entry.keys()
        raw = await fetched(str(entry["url"])) if at_address else _document(entry)
        return await anyio.to_thread.run_sync(partial(self._configured, name, entry, raw))

    async def add(self, caller: Caller, asked: AddRequest) -> ToolsetView:
        """Add an API for the caller's notebook alone; one of its name there gives way.

        Raises `ValetError` (`bad_document`, `bad_overrides`, `no_provider`, `name_taken`, …).
        """
        subject = Subject.of(caller)
        self._check(subject, asked)
        held = await anyio.to_thread.run_sync(partial(self._made, subject, asked))
        if held.added.subject is not None and not held.added.subject.kernel_id:
            self._vault.put(KIND, held.added.id, held.added.to_meta(), Secret(""))
        before = self._held.get(held.added.id)
        self._hold(held)
        if before is not None:
            self._drop_document(before)
        self._audit.record(
            "toolset.added",
            principal=caller.principal,
            provider=held.added.provider,
            kernel=caller.kernel_id,
            notebook=caller.notebook,
            host=held.compiled.toolset.origin.host,
        )
        self.on_change(caller)
        return self._view(held)

    def _check(self, subject: Subject, asked: AddRequest) -> None:
        mine = {held.added.name for held in self._of(subject) if held.added.subject}
        if len(mine | {asked.name}) > MOST_ADDED:
            raise ValetError("too_many_toolsets", count=MOST_ADDED)
        self._check_name(
            asked.name, [h.added.name for h in self._of(subject) if h.added.subject is None]
        )
        changes = asked.overrides.get("operations")
        for change in changes.values() if isinstance(changes, dict) else ():
            if isinstance(change, dict) and change.get("access") == "read":
                what = "that an operation only reads is said in the configuration, not here"
                raise ValetError("bad_overrides", what=what)

    def _check_name(self, name: str, more: Iterable[str] = ()) -> None:
        """Refuse a name whose tools could have the names of another toolset's tools."""
        for other in (*self._taken, *more):
            if f"{name}_".startswith(f"{other}_") or f"{other}_".startswith(f"{name}_"):
                raise ValetError("name_taken", name=name, other=other)

    def remove(self, caller: Caller, name: str) -> None:
        """Forget an API that the caller's notebook added. Raises `ValetError` ("not_found")."""
        subject = Subject.of(caller)
        for held in self._of(subject):
            if held.added.name == name and held.added.subject == subject:
                self._drop(held)
                self._audit.record(
                    "toolset.removed",
                    principal=caller.principal,
                    kernel=caller.kernel_id,
                    notebook=caller.notebook,
                )
                self.on_change(caller)
                return
        raise ValetError("not_found", what="API that this notebook added")

    def moved(self, root: str, old: str, new: str) -> None:
        """Follow a notebook, or a folder of them; an empty `new` deletes."""
        there = list(self._held.values())
        for held in there:
            subject = held.added.subject
            if new and subject is not None and subject.moved(root, new, new) is not None:
                self._drop(held)  # it belonged to a notebook that is not there any more
        for held in there:
            subject = held.added.subject
            moved = subject.moved(root, old, new) if subject is not None else None
            if moved is not None:
                self._move(held, moved if new else None)
        self.on_change(None)

    def _move(self, held: _Held, subject: Subject | None) -> None:
        raw = self._files.get(held.added.document)
        self._drop(held)
        if subject is not None:
            added = replace(held.added, subject=subject)
            if raw is not None:
                self._files.put(raw)
            self._vault.put(KIND, added.id, added.to_meta(), Secret(""))
            self._hold(replace(held, added=added))

    def ended(self, kernel_id: str) -> None:
        """Forget what a kernel without a notebook added."""
        for held in list(self._held.values()):
            if held.added.subject is not None and held.added.subject.kernel_id == kernel_id:
                self._drop(held)

    # Making ----------------------------------------------------------------------------------

    def _made(self, subject: Subject, asked: AddRequest) -> _Held:
        raw = asked.document.encode()
        compiled = self._compiled(raw, asked.name, asked.url, asked.overrides)
        chosen = providers.choose(
            compiled,
            [p for p in list(self._profiles.values()) if p.visible_to(subject.principal)],
            provider=asked.provider,
            scheme=asked.scheme,
            principal=subject.principal,
            by_name=self._of_others(subject),
        )
        added = Added(
            asked.name,
            subject,
            asked.url or "a document of this notebook",
            digest(raw),
            chosen.profile.name,
            chosen.settings,
            asked.overrides,
        )
        held = self._ready(added, compiled, chosen.profile)
        self._files.put(raw)  # last: of one that is refused nothing stays
        return held

    def _kept(self, added: Added) -> _Held:
        raw = self._files.get(added.document)
        if raw is None:
            raise ValetError("bad_document", what="its file is gone, or was changed")
        url = added.source if "://" in added.source else ""
        compiled = self._compiled(raw, added.name, url, added.overrides)
        principal = added.subject.principal if added.subject else ""
        profile = (
            providers.made(added.settings, principal)
            if added.settings
            else self._profiles[added.provider]
        )
        return self._ready(added, compiled, profile)

    def _configured(self, name: str, entry: Mapping[str, Any], raw: bytes) -> _Held:
        compiled = self._compiled(raw, name, str(entry.get("url", "")), entry.get("overrides", {}))
        chosen = providers.choose(
            compiled,
            [p for p in self._profiles.values() if not p.principal],
            provider=str(entry.get("provider", "")),
            scheme=str(entry.get("scheme", "")),
        )
        source = str(entry.get("url") or entry.get("file") or "the configuration")
        added = Added(name, None, source, "", chosen.profile.name, chosen.settings)
        return self._ready(added, compiled, chosen.profile)

    def _compiled(self, raw: bytes, name: str, url: str, overrides: Mapping[str, Any]) -> Compiled:
        return self._cache.compiled(raw, name=name, url=url, overrides=overrides)

    def _ready(self, added: Added, compiled: Compiled, profile: Profile) -> _Held:
        reachable = providers.only_reachable(compiled, profile)
        if added.settings and added.subject is not None:
            profile = replace(profile, named_by=added.words)
        if self._profiles.setdefault(profile.name, profile) != profile:
            raise ValetError("name_taken", name=profile.name, other="another provider")
        if added.settings and added.subject is not None:
            self._of_notebooks.add(profile.name)
        known = self._built_in.get(profile.name)
        if known is not None:  # what we know of the API, and its document does not say (GitHub)
            toolset = replace(
                reachable.toolset,
                headers={**known.headers, **reachable.toolset.headers},
                granted_header=known.granted_header,
                accepted_header=known.accepted_header,
            )
            reachable = replace(reachable, toolset=toolset)
        return _Held(added, reachable, self._offer(reachable.toolset, added.mark))

    def _hold(self, held: _Held) -> None:
        self._held[held.added.id] = held
        self._joined.clear()

    def _drop(self, held: _Held) -> None:
        self._held.pop(held.added.id, None)
        self._joined.clear()
        self._vault.delete(KIND, held.added.id)
        self._drop_document(held)

    def _drop_document(self, held: _Held) -> None:
        """Delete the document of one that is held no longer, unless another needs it."""
        if all(other.added.document != held.added.document for other in self._held.values()):
            self._files.drop(held.added.document)

    # Look-ups --------------------------------------------------------------------------------

    def views(self, caller: Caller) -> list[ToolsetView]:
        """Return what the caller's notebook has."""
        return [self._view(held) for held in self._of(Subject.of(caller))]

    def _view(self, held: _Held) -> ToolsetView:
        return held.added.view(held.compiled, self._profiles[held.added.provider].title)

    def _of_others(self, subject: Subject) -> set[str]:
        """Return the providers that came of the documents of other notebooks alone.

        Also of those that were removed since: their providers stay, for what waits for an answer.
        """
        held = list(self._held.values())
        return self._of_notebooks - {h.added.provider for h in held if h.added.subject == subject}

    def _of(self, subject: Subject) -> list[_Held]:
        return [h for h in self._held.values() if h.added.subject in (None, subject)]

    def find(self, caller: Caller, name: str) -> Tool | None:
        """Return the tool of that name in what the caller's notebook has."""
        for held in self._of(Subject.of(caller)):
            if name.startswith(f"{held.added.name}_"):
                tool = held.source.find(caller, name)
                if tool is not None:
                    return tool
        return None

    def listed(self, caller: Caller) -> Sequence[Tool]:
        """Return what is shown of the APIs of the caller's notebook."""
        return self._tools(caller, everything=False)

    def everything(self, caller: Caller) -> Sequence[Tool]:
        """Return all tools of the APIs of the caller's notebook."""
        return self._tools(caller, everything=True)

    def _tools(self, caller: Caller, *, everything: bool) -> Sequence[Tool]:
        subject = Subject.of(caller)
        parts = [
            held.source.everything(caller) if everything else held.source.listed(caller)
            for held in self._of(subject)
        ]
        held = self._joined.get((subject, everything))
        if held is None or not _same(held[0], parts):
            tools = tuple(tool for part in parts for tool in part)
            held = self._joined[subject, everything] = (parts, tools)
        return held[1]

    async def run(self, call: Call) -> ToolOutcome:
        """Run a tool of an API; raises as its source does."""
        for held in self._of(Subject.of(call.caller)):
            if held.source.find(call.caller, call.tool.name) is not None:
                return await held.source.run(call)
        raise ValetError("not_found", what="tool any more")


def _same(before: Sequence[object], now: Sequence[object]) -> bool:
    return len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))


def _document(entry: Mapping[str, Any]) -> bytes:
    if "document" in entry:
        return json.dumps(entry["document"]).encode()
    if "file" in entry:
        return Path(str(entry["file"])).expanduser().read_bytes()
    what = "the configuration names no `url`, `file` or `document`"
    raise ValetError("bad_document", what=what)
