"""What of the connections page is about programs that signed in with Jupyter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...wire.authorization import ProgramView
from ...wire.errors import ValetError
from ..authorization import Families, Family, subject
from ..clients import Ending
from ..clients.scopes import words
from .desk import Desk
from .nonces import Nonces
from .programs import granted


@dataclass(frozen=True)
class SignedIn:
    """The person's programs: all sign-ins of one are one entry, and end together."""

    desk: Desk
    nonces: Nonces
    families: Families
    ending: Ending

    def facts(self, principal: str) -> dict[str, Any]:
        """Return what the page shows."""
        by_client: dict[str, list[Family]] = {}
        for family in self.families.of(principal):
            by_client.setdefault(family.client_id, []).append(family)
        views = [self._view(principal, families) for families in by_client.values()]
        return {"programs": [v.to_json() for v in sorted(views, key=lambda view: view.title)]}

    async def end(self, params: dict[str, Any]) -> dict[str, Any]:
        """Sign a program out, and end what it has or waits for. Raises `ValetError`."""
        principal, program = self.nonces.spend(params), params["program"]
        mine = [f for f in self.families.of(principal) if subject(f.client_id) == program]
        if not mine:
            raise ValetError("not_found", what="program")
        for family in mine:
            self.families.end(family)
        self.desk.audit.record(
            "client_app.ended",
            principal=principal,
            kernel=program,
            account=mine[0].title,
            reason="by the person, on the page",
        )
        self.ending.ended(principal, program)
        return {}

    def _view(self, principal: str, families: list[Family]) -> ProgramView:
        newest = max(families, key=lambda family: family.made_at)
        program = subject(newest.client_id)
        held = {scope for family in families for scope in family.scopes}
        return ProgramView(
            id=program,
            title=newest.title,
            redirect_uri=newest.redirect_uri,
            scopes=[words(scope) for scope in sorted(held)],
            sign_ins=len(families),
            made_at=min(family.made_at for family in families),
            used_at=max(family.used_at for family in families),
            until=max(family.ends_at for family in families),
            grants=granted(self.desk, principal, program),
        )
