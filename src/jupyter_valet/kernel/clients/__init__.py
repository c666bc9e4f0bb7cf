"""HTTP clients of a provider for people and libraries: they hold a capability, never a credential.

Nothing heavy is imported before a client is made; nothing here knows what a credential looks like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import libraries

if TYPE_CHECKING:
    from .environment import Environment

__all__ = ["async_client", "client", "env", "libraries", "session"]


def client(provider: str, *, library: str = "", **options: Any) -> Any:
    """Return an `httpx2.Client` (`httpx.Client` where that is what is installed) of `provider`.

    It is used as any other, with the provider's own URLs or with paths alone; the credential is
    added behind the wall. `library` says which of the two it shall be, `options` are the client's
    own. Requests to other hosts are made directly and carry nothing. Raises `ValetError`, and so
    does every request that the person or the broker refuses.
    """
    from . import httpx_forms
    from .route import route

    return httpx_forms.client(route(provider), options, library)


def async_client(provider: str, *, library: str = "", **options: Any) -> Any:
    """Return the same as an `AsyncClient`."""
    from . import httpx_forms
    from .route import route

    return httpx_forms.async_client(route(provider), options, library)


def session(provider: str) -> Any:
    """Return a `requests.Session` of `provider`, as `client` does."""
    from . import requests_form
    from .route import route

    return requests_form.session(route(provider))


def env(provider: str) -> Environment:
    """Return the environment variables that send a program's requests through the broker.

    A dictionary for `subprocess.run(..., env={**os.environ, **valet.env("huggingface")})`, and a
    context manager that sets them in this process. The token in it is this kernel's capability: it
    is good at this machine's broker alone, and in this kernel's own processes. Raises `ValetError`
    for a provider whose programs take no address.
    """
    from .environment import environment
    from .route import route

    return environment(route(provider))
