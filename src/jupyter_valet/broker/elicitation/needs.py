"""How a call says that it lacks what only the person can give."""

from __future__ import annotations

from collections.abc import Iterable

from ...wire.control import PreviewView
from ...wire.errors import ValetError
from ...wire.views import Kind
from .question import Question


class Needs(Exception):
    """A call cannot go on until the person has answered `question`.

    Whoever raises it does not know the client; `broker.mcp.elicit` turns it into the form that the
    client at hand understands.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        super().__init__(f"{question.provider}: {question.kind}")

    @property
    def provider(self) -> str:
        """Name of the provider that it is about."""
        return self.question.provider

    @property
    def reason(self) -> str:
        """Why, in words for the person."""
        return self.question.reason

    @property
    def scopes(self) -> frozenset[str]:
        """What the connection must hold, in the provider's names."""
        return self.question.scopes

    def again(self, title: str) -> ValetError:
        """Return the error of a call that asks for the same a second time, after a yes."""
        return ValetError("grant_required", provider=title, name=self.provider)


class NeedsAuthorization(Needs):
    """The person must sign in at `provider`, or type its key.

    `scopes` is everything the connection must hold afterwards (the union of what it has and what is
    missing), `missing` puts the scopes that a connection lacks into words.
    """

    def __init__(
        self,
        provider: str,
        scopes: Iterable[str],
        reason: str,
        missing: str = "",
        kind: Kind = Kind.SIGN_IN,
    ) -> None:
        self.missing = missing
        super().__init__(Question(kind, provider, reason, frozenset(scopes)))

    def again(self, title: str) -> ValetError:
        """Return what a sign-in came to that changed nothing."""
        if self.missing:
            return ValetError("scope_missing", scopes=self.missing, provider=title)
        return ValetError("sign_in_failed", provider=title, what="it refuses the new sign-in")


class NeedsGrant(Needs):
    """The person must let this notebook use a connection that is there."""

    def __init__(
        self, provider: str, reason: str, *, scopes: Iterable[str] = (), access: str = "read"
    ) -> None:
        super().__init__(Question(Kind.GRANT, provider, reason, frozenset(scopes), access=access))


class NeedsVisit(Needs):
    """An upstream server wants the person to open the page at `target`; `digest` is its question.

    `reason` holds the server's own words, and says that they are.
    """

    def __init__(self, provider: str, reason: str, *, tool: str, digest: str, target: str) -> None:
        super().__init__(
            Question(Kind.VISIT, provider, reason, tool=tool, digest=digest, target=target)
        )

    def again(self, title: str) -> ValetError:
        """Return the error of a call whose page was opened, and which asks for it once more."""
        return ValetError("upstream_protocol", provider=title, what="it asks the same again")


class NeedsApproval(Needs):
    """The person must approve one write, the one with `digest`, which `preview` shows."""

    def __init__(
        self,
        provider: str,
        reason: str,
        *,
        connection: str,
        tool: str,
        digest: str,
        preview: PreviewView,
    ) -> None:
        super().__init__(
            Question(
                Kind.APPROVAL,
                provider,
                reason,
                connection=connection,
                tool=tool,
                digest=digest,
                preview=preview,
            )
        )

    def again(self, title: str) -> ValetError:
        """Return the error of a write that was approved, and is not what was approved."""
        return ValetError("approval_required", provider=title)
