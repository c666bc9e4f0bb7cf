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


def in_a_browser(user: Any, *, by_token: bool) -> bool:
    """Whether a person is logged in with a browser, as far as JupyterHub tells; else yes.

    A program with a token of theirs is not them: what it says of how it came here may be made up.
    The Hub's logins have a session, tokens that people make have none; and JupyterHub lets whoever
    shows a token twice, in the header and in the URL, have the cookie of a login.
    """
    model = _hub_model(user)
    return model is None or (not by_token and bool(model.get("session_id")))


def _hub_model(user: Any) -> Mapping[str, Any] | None:
    """Return what the Hub says of a user; None for those of other identity providers."""
    model = getattr(user, "hub_user", user)
    return model if isinstance(model, Mapping) and "kind" in model else None


def _name(user: Any) -> str:
    name = user.get("name") if isinstance(user, Mapping) else getattr(user, "username", "")
    if isinstance(name, Mapping):  # jupyterhub's mixins wrap the Hub's model into a `User`
        name = name.get("name")
    return name if isinstance(name, str) else ""


def _kind(user: Any) -> str:
    """Return "service" for a service of JupyterHub's: its name may be a person's, too."""
    model = _hub_model(user)
    return "service" if model is not None and model["kind"] == "service" else "user"


def _named(name: str, kind: str = "user") -> str | None:
    return f"{kind}:{name}" if name else None
