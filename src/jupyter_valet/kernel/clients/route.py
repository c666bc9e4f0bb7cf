"""The way from a provider's URL to the broker and back, without any I/O."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ...wire import egress as wire
from ...wire import env
from ...wire.egress import EgressView
from ...wire.errors import RemoteError, ValetError
from ...wire.views import TransactionView
from ..session import Session, current

_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Question:
    """The broker's answer when the person must do something first."""

    view: TransactionView
    error: ValetError


@dataclass(frozen=True)
class Route:
    """One provider as this kernel reaches it. The capability is in `headers` alone."""

    provider: str
    title: str
    origins: tuple[str, ...]
    broker: str
    session: Session = field(repr=False)
    capability: str = field(repr=False)

    @property
    def base(self) -> str:
        """The origin of the provider's API, where relative URLs lead."""
        return self.origins[0]

    @property
    def headers(self) -> dict[str, str]:
        """What a request to the broker carries besides its own."""
        return {"Authorization": f"Bearer {self.capability}", wire.CARDS: "1"}

    def endpoint(self, origin: str = "") -> str:
        """Return the URL that stands for an origin of the provider, for who takes a base URL."""
        return self.broker + wire.base(self.provider, origin or self.base)

    def outward(self, url: str) -> str:
        """Return where a request to `url` is sent. Raises `ValetError` ("foreign_host")."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        usual = port is None or port == _DEFAULT_PORTS.get(parts.scheme)
        origin = f"{parts.scheme}://{parts.hostname}" + ("" if usual else f":{port}")
        if origin not in self.origins or parts.username is not None:
            raise ValetError("foreign_host", host=parts.hostname or "it", provider=self.title)
        return self.endpoint(origin) + url[len(parts.scheme) + 3 + len(parts.netloc) :]

    def homeward(self, text: str) -> str:
        """Return a header's text with the provider's own URLs in the place of ours."""
        return self._ours.sub(lambda match: f"{match[1]}://{match[2]}", text)

    def refusal(self, status: int, body: bytes) -> Question | ValetError:
        """Return what the broker, and not the provider, answered."""
        try:
            data: Any = json.loads(body)
        except ValueError:
            data = None
        if not isinstance(data, dict) or not isinstance(data.get("error"), dict):
            return ValetError("protocol_error", what=f"status {status}")
        error = RemoteError(data)
        asked = data.get(wire.TRANSACTION)
        if not isinstance(asked, dict):
            return error
        try:
            return Question(TransactionView.from_json(asked), error)
        except (TypeError, AttributeError):
            return ValetError("protocol_error", what="an answer is incomplete")

    @property
    def _ours(self) -> re.Pattern[str]:
        prefix = re.escape(f"{self.broker}{wire.ROUTE}/{self.provider}/")
        return re.compile(prefix + r"(https?)/([^/?#>\"\s]+)")


def from_upstream(headers: Mapping[str, str]) -> bool:
    """Tell whether an answer is the provider's; else it is the broker's own."""
    return wire.UPSTREAM in headers


def route(provider: str) -> Route:
    """Return the route of this process to `provider`. Raises `ValetError`."""
    session = current()
    facts = _facts(session, provider)
    return Route(
        provider=facts.provider,
        title=facts.title,
        origins=tuple(facts.origins),
        broker=os.environ[env.URL].rstrip("/"),
        session=session,
        capability=os.environ[env.CAPABILITY],
    )


def _facts(session: Session, name: str) -> EgressView:
    """Return where a credential may go; the name of an added API stands for its provider."""
    from ..additions import provider_of

    try:
        return session.egress(name)
    except ValetError as error:
        provider = provider_of(name) if error.code == "unknown_provider" else ""
        if not provider:
            raise
        return session.egress(provider)
