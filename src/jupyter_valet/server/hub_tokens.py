"""Keeps JupyterHub's tokens out of the pages of this server, where a notebook's scripts read them.

JupyterLab's page holds the token of the person's login, and every error page that of the server
itself (`data-jupyter-api-token` in jupyter_server's `page.html`). A script that hands one to a
kernel makes it a program that is logged in, and that reaches this server through the Hub's public
address. Front ends do without: they have the login cookie, which no script can read.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.serverapp import ServerApp

_HOOK = "page_config_hook"
_TOKEN = "token"  # noqa: S105 - a name


def keep_out_of_pages(server: ServerApp) -> None:
    """Take the tokens out of what pages are made of, where JupyterHub identifies people.

    What asks the Hub has its token elsewhere (`hub_auth`). The token is also missing in the file
    that the server writes for programs of its own user; in a terminal it is in the environment.
    """
    provider = server.identity_provider
    if not hasattr(provider, "hub_auth"):
        return
    settings = server.web_app.settings
    provider.__class__ = _without_token(type(provider))
    settings[_TOKEN] = ""
    if _HOOK in settings:  # JupyterHub sets it before or after this extension is initialized
        settings[_HOOK] = provider.page_config_hook  # type: ignore[attr-defined]


def in_pages(server: ServerApp) -> bool:
    """Tell whether JupyterHub identifies people here, and its tokens were left in pages."""
    provider = server.identity_provider
    return hasattr(provider, "hub_auth") and bool(provider.token)


def _without_token(base: type[Any]) -> type[Any]:
    """Return `base` with no token to show."""

    def page_config_hook(self: Any, handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = base.page_config_hook(self, handler, page_config)
        return {**shown, _TOKEN: ""}

    return type(base.__name__, (base,), {_TOKEN: "", _HOOK: page_config_hook})
