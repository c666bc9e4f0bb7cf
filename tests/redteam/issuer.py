"""A provider whose tokens can be recognised wherever they turn up."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import Iterator
from types import SimpleNamespace

from jupyter_valet.demo import app, clients, grants

PREFIX = "vltcanary"
PATTERN = PREFIX + "[0-9a-f]{32}"
CLIENT = "jupyter-valet-demo"


def canary() -> str:
    """Return a new secret of the kind that the attacks look for."""
    return PREFIX + secrets.token_hex(16)


class Issuer:
    """The demo provider in a thread of the harness; `issued` are all its tokens and codes."""

    def __init__(self) -> None:
        self.url = ""
        self.issued: list[str] = []

    def _issue(self, _: int = 0) -> str:
        self.issued.append(canary())
        return self.issued[-1]

    @property
    def provider(self) -> dict[str, object]:
        """Its entry in `ValetExtension.providers`."""
        return {
            "issuer": self.url,
            "title": "Canary",
            "client_id": CLIENT,
            "token_auth": "none",
            "loopback": True,
            "scopes": ["openid", "profile", "issues:read"],
        }


@contextlib.contextmanager
def issuer() -> Iterator[Issuer]:
    """Run the provider until the block ends."""
    here = Issuer()
    kept = grants.secrets, dict(clients.CLIENTS)
    grants.secrets = SimpleNamespace(token_urlsafe=here._issue)  # type: ignore[assignment]
    clients.CLIENTS[CLIENT] = clients.Client(CLIENT, "Jupyter Valet", "/valet/callback/canary")
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with app.serve(0, access_seconds=86400) as demo:
            here.url = demo.issuer
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    ready.wait(20)
    try:
        yield here
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()
        grants.secrets, registered = kept
        clients.CLIENTS.update(registered)
