"""What this server is as an OAuth client, for authorization servers to read (CL-06).

draft-ietf-oauth-client-id-metadata-document: the client id is the URL of this document. One for
each provider, so that an answer meant for one cannot be sent to another's callback, and nobody
learns from one which others there are. There is nothing in it that its reader did not ask with.
"""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import allow_unauthenticated

from ...wire.routes import CLIENT_DOCUMENT, CLIENT_NAME, PAGE_CALLBACK
from .base import IsolatedPage
from .navigation import Refusal

_SECONDS = 3600
"""How long a reader may keep it: it changes with this server's address only."""


class ClientDocument(IsolatedPage):
    """The document. Its readers are servers, without a login and without a browser's headers."""

    @allow_unauthenticated
    def get(self, provider: str) -> None:
        """Answer with the document, where this server has an https address."""
        if not self.secure:
            self.refuse(Refusal(404, "There is no such page", "Check the address."))
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", f"max-age={_SECONDS}")
        self.finish(json.dumps(document(self.public_origin, provider)))


def document(origin: str, provider: str) -> dict[str, object]:
    """Return the metadata of the client for `provider`; `origin` ends with `base_url`."""
    return {
        "client_id": f"{origin}{CLIENT_DOCUMENT}/{provider}.json",
        "client_name": CLIENT_NAME,
        "client_uri": origin,
        "redirect_uris": [f"{origin}{PAGE_CALLBACK}/{provider}"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
    }


HANDLERS = [(rf"{CLIENT_DOCUMENT}/([a-z][a-z0-9_]{{0,31}})\.json", ClientDocument)]
