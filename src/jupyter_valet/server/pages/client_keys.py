"""API keys for programs outside of the notebooks: the page that shows a new one once."""

from __future__ import annotations

from typing import Any

from ...wire import control
from ...wire.clients import PAGE_MCP
from ...wire.routes import PAGE_CONNECTIONS
from ...wire.views import ClientKeyView
from . import navigation
from .base import isolated
from .connections import PressOnList
from .press import PressedPage


class MakeKey(PressedPage):
    """Shows the key that a press made.

    It is in this one answer and nowhere else: the page has an opaque origin, is not cached, and
    its nonce is spent, so loading it again shows nothing.
    """

    @isolated(navigation.shown)
    async def get(self) -> None:
        """Let the broker make the key, and show it."""
        press = self.press()
        principal = await self.person("execute")
        made = await self.ask(
            control.CLIENT_KEYS_MAKE,
            principal=principal,
            nonce=press.nonce,
            choices=press.choices,
        )
        self.page(
            "key_made.html",
            token=made["token"],
            key=ClientKeyView.from_json(made["key"]),
            endpoint=self.public_origin + PAGE_MCP,
            connections=self.path_of(PAGE_CONNECTIONS),
        )

    def resume_path(self) -> str:
        """After a login the list must be looked at, and pressed, again."""
        return self.path_of(PAGE_CONNECTIONS)


class EndKey(PressOnList):
    """Revokes a key."""

    method = control.CLIENT_KEYS_END

    def facts(self, fields: dict[str, str]) -> dict[str, Any]:
        """Return which key."""
        return {"key": fields.get("key", "")}


HANDLERS = [
    (f"{PAGE_CONNECTIONS}/key", MakeKey),
    (f"{PAGE_CONNECTIONS}/key/end", EndKey),
]
