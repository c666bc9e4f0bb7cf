"""httpx2 and httpx, which differ in name alone: a transport in front of the broker's listener."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from ...wire.errors import ValetError
from . import asking
from .route import Route, from_upstream

_CONNECT_TRIES = 6
"""So that a broker which restarts is waited for: about fifteen seconds, and nothing is sent yet."""


_LIBRARIES = ("httpx2", "httpx")


def client(route: Route, options: Mapping[str, Any], library: str = "") -> Any:
    """Return a client whose requests to the provider go by way of the broker."""
    found = _library(library)
    return found.Client(**_options(route, options, _transports(found)[0](route)))


def async_client(route: Route, options: Mapping[str, Any], library: str = "") -> Any:
    """Return the same for a running loop."""
    found = _library(library)
    return found.AsyncClient(**_options(route, options, _transports(found)[1](route)))


def _options(route: Route, options: Mapping[str, Any], transport: Any) -> dict[str, Any]:
    mounts = {**dict.fromkeys(route.origins, transport), **(options.get("mounts") or {})}
    return {"base_url": route.base, **options, "mounts": mounts}


def _library(wanted: str) -> Any:
    if wanted and wanted not in _LIBRARIES:
        raise ValetError("usage", what=f"{wanted[:40]} is not known", usage='library="httpx"')
    for name in (wanted,) if wanted else _LIBRARIES:
        with suppress(ImportError):
            return importlib.import_module(name)
    raise ValetError("no_library", library=wanted or _LIBRARIES[0])


@lru_cache(maxsize=2)
def _transports(library: Any) -> tuple[Any, Any]:
    """Return the two transports as classes of `library`."""

    def outgoing(route: Route, request: Any) -> Any:
        headers = request.headers.copy()
        headers.update(route.headers)
        url = library.URL(route.outward(str(request.url)))
        headers["Host"] = url.netloc.decode("ascii")
        return library.Request(
            request.method,
            url,
            headers=headers,
            stream=request.stream,
            extensions=request.extensions,
        )

    def homeward(route: Route, response: Any) -> Any:
        for name in ("location", "link"):
            if name in response.headers:
                response.headers[name] = route.homeward(response.headers[name])
        return response

    def repeatable(request: Any) -> bool:
        return isinstance(request.stream, library.ByteStream)

    class BrokerTransport(library.BaseTransport):  # type: ignore[misc]
        """Sends to the broker, shows the card when it asks for one, and sends again."""

        def __init__(self, route: Route) -> None:
            self._route = route
            self._inner = library.HTTPTransport(trust_env=False, retries=_CONNECT_TRIES)

        def __repr__(self) -> str:
            return f"<BrokerTransport {self._route.provider}>"

        def handle_request(self, request: Any) -> Any:
            """Send one request. Raises `ValetError` for what is no answer of the provider's."""
            for _ in range(asking.ROUNDS):
                response = self._inner.handle_request(outgoing(self._route, request))
                if from_upstream(response.headers):
                    return homeward(self._route, response)
                refusal = self._route.refusal(response.status_code, response.read())
                response.close()
                asking.settle(self._route, refusal, again=repeatable(request))
            raise asking.endless()

        def close(self) -> None:
            """Close the connections."""
            self._inner.close()

    class AsyncBrokerTransport(library.AsyncBaseTransport):  # type: ignore[misc]
        """The same on a running loop."""

        def __init__(self, route: Route) -> None:
            self._route = route
            self._inner = library.AsyncHTTPTransport(trust_env=False, retries=_CONNECT_TRIES)

        def __repr__(self) -> str:
            return f"<AsyncBrokerTransport {self._route.provider}>"

        async def handle_async_request(self, request: Any) -> Any:
            """Send one request. Raises `ValetError` for what is no answer of the provider's."""
            for _ in range(asking.ROUNDS):
                response = await self._inner.handle_async_request(outgoing(self._route, request))
                if from_upstream(response.headers):
                    return homeward(self._route, response)
                refusal = self._route.refusal(response.status_code, await response.aread())
                await response.aclose()
                await asking.settle_async(self._route, refusal, again=repeatable(request))
            raise asking.endless()

        async def aclose(self) -> None:
            """Close the connections."""
            await self._inner.aclose()

    return BrokerTransport, AsyncBrokerTransport
