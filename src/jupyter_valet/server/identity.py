"""Who a person is to the broker: the principal rule, per identity provider (ES-18, ES-30).

A stock server knows one person: whoever holds its token or password. It names each browser at
random (`jupyter_server.auth.identity`), so a user name would refuse the legitimate owner and prove
nothing. Every other identity provider, JupyterHub's above all, says who is who.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_server.auth.identity import (
    IdentityProvider,
    LegacyIdentityProvider,
    PasswordIdentityProvider,
)

from ..wire.control import OWNER
from . import hub


def principal(provider: IdentityProvider, user: Any, environ: Mapping[str, str]) -> str | None:
    """Return the principal of an authenticated `user`, or None when it has no name.

    None must be refused: a nameless principal would share credentials between strangers (L12).
    """
    if user is None:
        return None
    if knows_one_person(provider, environ):
        return OWNER
    return _named(_name(user), _kind(user))


def kernel_principal(
    provider: IdentityProvider, user: Any, environ: Mapping[str, str]
) -> str | None:
    """Return for whom a kernel runs: who started it, else the person the server belongs to.

    `user` is None for a kernel that no request started.
    """
    if user is not None:
        return principal(provider, user, environ)
    if knows_one_person(provider, environ):
        return OWNER
    return _named(environ.get(hub.USER, ""))


def knows_one_person(provider: IdentityProvider, environ: Mapping[str, str]) -> bool:
    """Whether everybody whom `provider` lets in is the same person.

    Exact types: a subclass was written to tell people apart. Under JupyterHub's older single-user
    server the provider is stock, and the Hub decides all the same.
    """
    base_url = getattr(provider.parent, "base_url", environ.get(hub.PREFIX, ""))
    if hub.runs(base_url, environ):
        return False
    if type(provider) is LegacyIdentityProvider:
        return str(provider.login_handler_class.__module__).startswith("jupyter_server.auth.")
    return type(provider) in (IdentityProvider, PasswordIdentityProvider)


def _name(user: Any) -> str:
    name = user.get("name") if isinstance(user, Mapping) else getattr(user, "username", "")
    if isinstance(name, Mapping):  # jupyterhub's mixins wrap the Hub's model into a `User`
        name = name.get("name")
    return name if isinstance(name, str) else ""


def _kind(user: Any) -> str:
    """Return "service" for a service of JupyterHub's: its name may be a person's, too."""
    model = getattr(user, "hub_user", user)
    return "service" if isinstance(model, Mapping) and model.get("kind") == "service" else "user"


def _named(name: str, kind: str = "user") -> str | None:
    return f"{kind}:{name}" if name else None
