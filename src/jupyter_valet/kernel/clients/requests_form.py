"""requests: a session whose adapters for the provider's hosts send to the broker's listener."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urljoin

from . import asking
from .imports import imported
from .route import Route, from_upstream


def session(route: Route) -> Any:
    """Return a `requests.Session` whose requests to the provider go by way of the broker."""
    return _session_class(imported("requests"))(route)


def adapter(route: Route) -> Any:
    """Return the adapter alone, for a session of somebody else's."""
    return _adapter_class(imported("requests"), imported("urllib3"))(route)


@lru_cache(maxsize=1)
def _session_class(requests: Any) -> Any:
    class BrokerSession(requests.Session):  # type: ignore[misc]
        """A session with a base URL: the provider's API."""

        def __init__(self, route: Route) -> None:
            super().__init__()
            self._base = f"{route.base}/"
            self.auth = _no_auth  # else requests adds what is in ~/.netrc
            shared = adapter(route)
            for origin in route.origins:
                self.mount(f"{origin}/", shared)

        def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
            """Send a request to `url`, which may be a path of the provider's API."""
            whole = urljoin(self._base, str(url).lstrip("/") if _relative(str(url)) else str(url))
            return super().request(method, whole, *args, **kwargs)

    return BrokerSession


@lru_cache(maxsize=1)
def _adapter_class(requests: Any, urllib3: Any) -> Any:
    class QuietConnection(urllib3.connection.HTTPConnection):  # type: ignore[misc]
        """Prints no headers, whatever `http.client.HTTPConnection.debuglevel` says."""

        debuglevel = 0

    class QuietPool(urllib3.HTTPConnectionPool):  # type: ignore[misc]
        ConnectionCls = QuietConnection

    class BrokerAdapter(requests.adapters.HTTPAdapter):  # type: ignore[misc]
        """Sends to the broker, shows the card when it asks for one, and sends again."""

        def __init__(self, route: Route) -> None:
            self._route = route
            # A broker that restarts is waited for, as long as nothing is sent.
            super().__init__(
                max_retries=urllib3.Retry(0, connect=6, backoff_factor=0.25, read=False)
            )

        def __repr__(self) -> str:
            return f"<BrokerAdapter {self._route.provider}>"

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"http": QuietPool}

        def send(
            self, request: Any, stream: bool = False, timeout: Any = None, **other: Any
        ) -> Any:
            """Send one request. Raises `ValetError` for what is no answer of the provider's."""
            for _ in range(asking.ROUNDS):
                response = super().send(
                    _outgoing(self._route, request), stream=True, timeout=timeout, proxies={}
                )
                if from_upstream(response.headers):
                    return _homeward(self._route, request, response, stream=stream)
                refusal = self._route.refusal(response.status_code, response.content)
                response.close()
                asking.settle(self._route, refusal, again=_repeatable(request))
            raise asking.endless()

    return BrokerAdapter


def _outgoing(route: Route, request: Any) -> Any:
    sent = request.copy()
    sent.url = route.outward(request.url)
    sent.headers.update(route.headers)
    return sent


def _homeward(route: Route, request: Any, response: Any, *, stream: bool) -> Any:
    response.request, response.url = request, request.url
    for name in ("location", "link"):
        if name in response.headers:
            response.headers[name] = route.homeward(response.headers[name])
    if not stream:
        response.content  # noqa: B018 - as requests does itself: reads it
    return response


def _repeatable(request: Any) -> bool:
    return request.body is None or isinstance(request.body, str | bytes)


def _relative(url: str) -> bool:
    return "://" not in url.partition("?")[0]


def _no_auth(request: Any) -> Any:
    return request
