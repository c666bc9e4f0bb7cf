"""google-api-python-client's HTTP object: httplib2, sent to the broker's listener."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from . import asking
from .imports import imported
from .route import Route, from_upstream


def http(route: Route) -> Any:
    """Return an `httplib2.Http` whose requests to the provider go by way of the broker."""
    return _class(imported("httplib2", "google-api-python-client"))(route)


@lru_cache(maxsize=1)
def _class(httplib2: Any) -> Any:
    class BrokerHttp(httplib2.Http):  # type: ignore[misc]
        """Sends to the broker, shows the card when it asks for one, and sends again."""

        def __init__(self, route: Route) -> None:
            super().__init__(proxy_info=None)
            self._route = route
            self.follow_redirects = False

        def __repr__(self) -> str:
            return f"<BrokerHttp {self._route.provider}>"

        def request(
            self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **other: Any
        ) -> tuple[Any, bytes]:
            """Send one request; as `httplib2.Http.request`, but that no redirect is followed.

            The broker follows those that stay on their host. Raises `ValetError`.
            """
            sent = {**(headers or {}), **self._route.headers}
            for _ in range(asking.ROUNDS):
                answer, content = super().request(
                    self._route.outward(uri), method, body, sent, **other
                )
                if from_upstream(_Names(answer)):
                    return _homeward(self._route, answer), content
                again = body is None or isinstance(body, str | bytes)
                refusal = self._route.refusal(int(answer.status), content)
                asking.settle(self._route, refusal, again=again)
            raise asking.endless()

    return BrokerHttp


class _Names(dict[str, str]):
    """httplib2 writes header names in lower case."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())


def _homeward(route: Route, answer: Any) -> Any:
    for name in ("location", "content-location", "link"):
        if name in answer:
            answer[name] = route.homeward(answer[name])
    return answer
