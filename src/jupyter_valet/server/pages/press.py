"""Pages that only a press on a link or button of an isolated page leads to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from tornado import web

from ...wire.errors import ValetError
from .base import AGAIN, NONCE, IsolatedPage
from .navigation import pressed

FORM_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Press:
    """What a press carried: the nonce of its page, and what was pressed."""

    path: str
    arguments: dict[str, str]

    @property
    def nonce(self) -> str:
        """The nonce of the page that was pressed; empty when there was none."""
        return self.arguments.get(NONCE, "")

    @property
    def choices(self) -> dict[str, str]:
        """The fields of the form, all but the nonce."""
        return {name: value for name, value in self.arguments.items() if name != NONCE}


class PressedPage(IsolatedPage):
    """Takes presses that arrive as navigations.

    A browser that keeps its login cookie from cross-site navigations (`SameSite=Strict`) loses the
    press's evidence by coming again from this site: so the press is kept meanwhile, for one use.
    """

    _press: Press

    def press(self) -> Press:
        """Return the press; refuse a request that is none."""
        ticket = self.get_query_argument(AGAIN, "")
        if ticket:
            press = self.valet.presses.take(ticket)
            if press is None or press.path != self.request.path:
                raise ValetError("page_out_of_date")
            self._press = press
        else:
            if refusal := pressed(self.request.headers, self.request.host):
                self.refuse(refusal)
            self._press = Press(self.request.path, self._fields())
        return self._press

    def _fields(self) -> dict[str, str]:
        """Return the fields by name; one that comes twice is refused rather than guessed at."""
        if len(self.request.query) > FORM_LIMIT:
            raise ValetError("bad_request", what="the form is too long")
        fields = self.request.query_arguments
        if any(len(values) != 1 for values in fields.values()):
            raise ValetError("bad_request", what="the form is not as it was sent out")
        return {name: self.get_query_argument(name, strip=False) for name in fields}

    def second_try(self) -> str:
        """Keep the press for the second try."""
        ticket = secrets.token_urlsafe(32)
        self.valet.presses.put(ticket, self._press)
        return ticket


@web.stream_request_body
class PostedForm(IsolatedPage):
    """Takes the form of an isolated page as it comes, so that no code of the server parses it.

    (Tornado parses a form body by itself unless the handler takes the stream.)
    """

    async def prepare(self) -> None:  # type: ignore[override]
        """Make room for the body."""
        self._body = bytearray()
        await super().prepare()

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the body; what is too long is refused later, and not kept."""
        if len(self._body) <= FORM_LIMIT:
            self._body += chunk

    def form(self) -> str:
        """Return the body, unread. Raises `ValetError` ("bad_request")."""
        if len(self._body) > FORM_LIMIT:
            raise ValetError("bad_request", what="the form is too long")
        try:
            return self._body.decode("ascii")  # a form body is: WHATWG URL, §5.2
        except UnicodeDecodeError:
            raise ValetError("bad_request", what="the form is not as it was sent out") from None
