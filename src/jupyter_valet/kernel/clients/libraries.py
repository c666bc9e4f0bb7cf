"""Well-known libraries, pointed at the broker: each in the way that the library itself offers.

Where a library takes a token, it is given this kernel's capability, which is good at this machine's
broker alone. `provider` may be one of your own configuration (GitHub Enterprise, a private hub).
"""

from __future__ import annotations

import threading
from typing import Any

from .imports import imported
from .route import Route, route

_injecting = threading.Lock()


def pygithub(provider: str = "github", **options: Any) -> Any:
    """Return a `github.Github` (PyGithub) whose requests carry the person's credential.

    `options` are those of `Github`, but for `auth`. Raises `ValetError`.
    """
    github = imported("github", "PyGithub")
    requester = imported("github.Requester")
    found = route(provider)
    http, https = _connections(requester, found)
    # PyGithub has no way to hand over a session; what it has was made for tests, is for all
    # instances that are made meanwhile, and each keeps what it was made with.
    with _injecting:
        requester.Requester.injectConnectionClasses(http, https)
        try:
            return github.Github(**{"base_url": found.base, **options})
        finally:
            requester.Requester.resetConnectionClasses()


def _connections(requester: Any, found: Route) -> tuple[Any, Any]:
    class Http(requester.HTTPRequestsConnectionClass):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            _authorize(self.session, found)

    class Https(requester.HTTPSRequestsConnectionClass):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            _authorize(self.session, found)

    return Http, Https


def _authorize(session: Any, found: Route) -> None:
    from . import requests_form

    shared = requests_form.adapter(found)
    for origin in found.origins:
        session.mount(f"{origin}/", shared)
        if origin.count(":") == 1:  # PyGithub writes the usual port, too
            session.mount(f"{origin}:{443 if origin.startswith('https') else 80}/", shared)


def google_http(provider: str = "google") -> Any:
    """Return an `httplib2.Http` for google-api-python-client: `build("drive", "v3", http=…)`.

    Raises `ValetError`.
    """
    from .google_form import http

    return http(route(provider))


def huggingface_hub(provider: str = "huggingface") -> dict[str, Any]:
    """Return the arguments of `HfApi`, and of every function that takes them: endpoint and token.

    Turns off Xet in this process, which would fetch a credential of its own (R112). Raises
    `ValetError`.
    """
    constants = imported("huggingface_hub.constants", "huggingface_hub")
    found = route(provider)
    constants.HF_HUB_DISABLE_XET = True
    return _Arguments(endpoint=found.endpoint(), token=found.capability)


def slack_sdk(provider: str = "slack") -> dict[str, Any]:
    """Return the arguments of slack_sdk's `WebClient` and `AsyncWebClient`. Raises `ValetError`."""
    found = route(provider)
    return _Arguments(base_url=f"{found.endpoint()}/api/", token=found.capability)


class _Arguments(dict[str, Any]):
    """Arguments that do not show the token when a cell ends with them."""

    def __repr__(self) -> str:
        return f"<arguments: {', '.join(self)}>"

    __str__ = __repr__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))
