"""The person's connections: what is there, and how to end it."""

from __future__ import annotations

from ...wire import control
from ...wire.routes import PAGE_CONNECTIONS
from ...wire.views import ConnectionView
from . import navigation
from .base import IsolatedPage, isolated
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
            forms=bool(views),
            connections=sorted(views, key=lambda view: (view.provider_title, view.account)),
            providers=reply["providers"],
            nonce=reply["nonce"],
            here=self.path_of(PAGE_CONNECTIONS),
        )


class EndConnection(PressedPage):
    """Forgets a connection, and revokes it at the provider when asked."""

    @isolated(navigation.shown)
    async def get(self) -> None:
        """End it, and show the list again."""
        press = self.press()
        principal = await self.person("execute")
        await self.ask(
            control.CONNECTIONS_END,
            principal=principal,
            connection=press.arguments.get("connection", ""),
            nonce=press.nonce,
            revoke=press.arguments.get("revoke") == "true",
        )
        self.see_other(PAGE_CONNECTIONS)

    def resume_path(self) -> str:
        """After a login the list must be looked at, and pressed, again."""
        return self.path_of(PAGE_CONNECTIONS)


HANDLERS = [
    (PAGE_CONNECTIONS, ConnectionsPage),
    (f"{PAGE_CONNECTIONS}/end", EndConnection),
]
