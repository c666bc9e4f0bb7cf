"""The embedded demo provider, known by its issuer URL like any other."""

from __future__ import annotations

from ...egress.origin import split_url
from ..profile import DeviceFlow, Profile


def demo(issuer: str) -> Profile:
    """Return the profile of the demo provider that listens at `issuer`.

    Raises `ValueError` when that is not a loopback URL.
    """
    origin, _ = split_url(issuer)
    if not origin.loopback:
        raise ValueError("the demo provider lives on loopback")
    return Profile(
        name="demo",
        title="Demo",
        issuer=issuer,
        origins=(origin,),
        identity_scopes=("openid", "profile"),
        default_scopes=("openid", "profile", "issues:read"),
        scope_words={
            "openid": "Know who you are",
            "profile": "See your name and email address",
            "issues:read": "Read projects and issues",
            "issues:write": "Create and change issues in your name",
        },
        token_auth="none",  # noqa: S106 - the name of a method
        public_client_id="jupyter-valet-demo",
        device=DeviceFlow(absent=True),
        loopback=True,
    )
