"""What a person is asked, before anybody is asked."""

from __future__ import annotations

from dataclasses import dataclass

from ...wire.control import PreviewView
from ...wire.views import Kind


@dataclass(frozen=True)
class Question:
    """One question. `reason` says why, in words for the person; all of it is the broker's word."""

    kind: Kind
    provider: str
    reason: str
    scopes: frozenset[str] = frozenset()
    access: str = "read"
    """Of a grant: `read`, or `read_write`."""
    connection: str = ""
    """Of an approval: what the write would be done with."""
    tool: str = ""
    digest: str = ""
    preview: PreviewView | None = None
    target: str = ""
    """Of a visit: the address of the page, which is not ours."""
    select_account: bool = False
    """Of a sign-in: whether a further account is wanted."""

    @property
    def about(self) -> str:
        """What it is about; a call asks for the same things about one matter once."""
        return self.provider if self.kind.gates_a_connection else f"{self.kind} {self.provider}"

    @property
    def things(self) -> frozenset[str]:
        """What it asks for."""
        match self.kind:
            case Kind.GRANT:
                return frozenset({self.access})
            case Kind.APPROVAL | Kind.VISIT:
                return frozenset({self.digest})
        return self.scopes
