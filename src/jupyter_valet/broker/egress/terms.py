"""On what terms a credential is sent."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from ...wire.errors import ValetError
from .denied import Denied, denied
from .placement import BEARER, Placement
from .request import Request

Onward = Callable[[Request], bool]
"""Whether a redirect may be followed to this request. It may raise `ValetError` to say why not."""

_NEVER = denied(())


def _anywhere(request: Request) -> bool:
    return True


class Terms(Struct, frozen=True):
    """For whom it is sent, how, and where it may go besides."""

    principal: str
    """Who shares no connection with anybody else."""
    loopback: bool
    """Whether upstream is this machine; nobody else's credential goes there."""
    provider: str
    """Its name in errors."""
    placement: Placement = BEARER
    never: Denied = _NEVER
    """What is not called, not even by way of a redirect."""
    onward: Onward = _anywhere

    def check(self, request: Request) -> None:
        """Raise `ValetError` ("endpoint_denied") for what is never called."""
        if self.never.covers(request.method, request.target):
            raise ValetError("endpoint_denied", provider=self.provider)
