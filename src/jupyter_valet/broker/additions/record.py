"""One API that was added, as the vault and the kernel see it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...wire.toolsets import ToolsetView
from ..policy.grant import Subject
from ..toolsets.documents import Compiled

KIND = "added_toolset"


@dataclass(frozen=True)
class Added:
    """What was added, by whom, and with which provider it is called."""

    name: str
    subject: Subject | None
    """The notebook that it is for; None: everybody's, by the configuration."""
    source: str
    """Where the document came from, in words of whoever added it."""
    document: str
    """SHA-256 of the document."""
    provider: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The provider's settings, when it was made for this API."""
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same for the same name in the same notebook."""
        subject = self.subject
        who = (
            [subject.principal, subject.root, subject.notebook, subject.kernel_id]
            if subject
            else []
        )
        return hashlib.sha256(json.dumps([self.name, *who]).encode()).hexdigest()[:32]

    @property
    def words(self) -> str:
        """What it is, for people; where it is from is the notebook's own word."""
        place = f", {self.source}" if "://" in self.source else ""
        return f"a document that a notebook added{place}"

    @property
    def mark(self) -> str:
        """What tells its tools from those of another document; none is needed for everybody's.

        Whoever writes both documents can find two of one short digest, so it is a long one.
        """
        if self.subject is None:
            return ""
        facts = json.dumps([self.document, self.source, self.overrides], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:40]

    def to_meta(self) -> dict[str, Any]:
        """Return it as plain data."""
        assert self.subject is not None
        return {
            "name": self.name,
            "principal": self.subject.principal,
            "root": self.subject.root,
            "notebook": self.subject.notebook,
            "source": self.source,
            "document": self.document,
            "provider": self.provider,
            "settings": dict(self.settings),
            "overrides": dict(self.overrides),
        }

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> Added:
        """Return what `to_meta` made plain."""
        return cls(
            name=meta["name"],
            subject=Subject(meta["principal"], meta["root"], meta["notebook"]),
            source=meta["source"],
            document=meta["document"],
            provider=meta["provider"],
            settings=meta["settings"],
            overrides=meta["overrides"],
        )

    def view(self, compiled: Compiled, title: str) -> ToolsetView:
        """Return what its notebook is told; `title` is the provider's."""
        operations = compiled.toolset.operations
        return ToolsetView(
            name=self.name,
            title=compiled.title,
            source=self.source,
            provider=self.provider,
            provider_title=title,
            hosts=[str(origin) for origin in compiled.origins],
            reads=sum(operation.access == "read" for operation in operations),
            writes=sum(operation.access == "write" for operation in operations),
            skipped=[{"operation": s.operation, "reason": s.reason} for s in compiled.skipped],
            notes=list(compiled.notes),
            removable=self.subject is not None,
        )
