"""The person's connections: what is there, and how to end it."""

from __future__ import annotations

from typing import Any

from ...wire import control
from ...wire.authorization import ProgramView
from ...wire.clients import KEY_DAYS, LONGEST_KEY_NAME, USUAL_KEY_DAYS
from ...wire.routes import PAGE_CONNECT, PAGE_CONNECTIONS
from ...wire.views import ClientKeyView, ConnectionView, ScopeView
from . import navigation
from .base import NONCE, IsolatedPage, isolated
from .press import PressedPage


class ConnectionsPage(IsolatedPage):
    """Lists accounts, scopes and last use; never a secret, nor a part of one (R-rules of B01)."""

    @isolated(navigation.shown)
    async def get(self) -> None:
        """Answer with the list."""
        origin = self.public_origin
        principal = await self.person()
        reply = await self.ask(control.CONNECTIONS_PAGE, principal=principal, origin=origin)
        views = [ConnectionView.from_json(view) for view in reply["connections"]]
        self.page(
            "connections.html",
            forms=True,
            waiting=reply.get("waiting", []),
            questions=self.path_of(PAGE_CONNECT),
            connections=sorted(views, key=lambda view: (view.provider_title, view.account)),
            providers=reply["providers"],
            nonce=reply["nonce"],
            keys=[ClientKeyView.from_json(key) for key in reply.get("keys", [])],
            scopes=[ScopeView.from_json(scope) for scope in reply.get("scopes", [])],
            programs=[ProgramView.from_json(one) for one in reply.get("programs", [])],
            days=KEY_DAYS,
            usual_days=USUAL_KEY_DAYS,
            longest_name=LONGEST_KEY_NAME,
            here=self.path_of(PAGE_CONNECTIONS),
        )


class PressOnList(PressedPage):
    """A press on the list, which is shown again afterwards."""

    method = ""

    @isolated(navigation.shown)
    async def get(self) -> None:
        """Tell the broker what was pressed."""
        press = self.press()
        principal = await self.person("execute")
        await self.ask(
            self.method, principal=principal, nonce=press.nonce, **self.facts(press.arguments)
        )
        self.see_other(PAGE_CONNECTIONS)

    def facts(self, fields: dict[str, str]) -> dict[str, Any]:
        """Return what the broker needs to know of the press."""
        raise NotImplementedError

    def resume_path(self) -> str:
        """After a login the list must be looked at, and pressed, again."""
        return self.path_of(PAGE_CONNECTIONS)


class EndConnection(PressOnList):
    """Forgets a connection, and revokes it at the provider when asked."""

    method = control.CONNECTIONS_END

    def facts(self, fields: dict[str, str]) -> dict[str, Any]:
        """Return which connection, and whether to revoke."""
        revoke = fields.get("revoke") == "true"
        return {"connection": fields.get("connection", ""), "revoke": revoke}


class EndGrant(PressOnList):
    """Takes a grant back."""

    method = control.GRANTS_END

    def facts(self, fields: dict[str, str]) -> dict[str, Any]:
        """Return which grant."""
        return {"grant": fields.get("grant", "")}


class ChangeGrant(PressOnList):
    """Gives a grant other limits."""

    method = control.GRANTS_CHANGE

    def facts(self, fields: dict[str, str]) -> dict[str, Any]:
        """Return which grant, and the fields of its form."""
        choices = {name: value for name, value in fields.items() if name not in ("grant", NONCE)}
        return {"grant": fields.get("grant", ""), "choices": choices}


HANDLERS = [
    (PAGE_CONNECTIONS, ConnectionsPage),
    (f"{PAGE_CONNECTIONS}/end", EndConnection),
    (f"{PAGE_CONNECTIONS}/grant", ChangeGrant),
    (f"{PAGE_CONNECTIONS}/grant/end", EndGrant),
]
