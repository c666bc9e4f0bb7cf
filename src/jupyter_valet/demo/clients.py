"""The registered clients and their redirect URIs (RFC 6749 §3.1.2, RFC 8252 §7.3)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Client:
    """A public client: it proves itself by PKCE and by where its answers go, not by a secret."""

    client_id: str
    name: str
    redirect_path: str
    """The last part of the redirect URI's path; a Jupyter `base_url` may stand before it."""

    def may_redirect_to(self, uri: str) -> bool:
        """Tell whether `uri` is this client's: its own path on loopback, at any port."""
        try:
            parts = urlsplit(uri)
            parts.port  # noqa: B018  (raises for a port that is none)
        except ValueError:
            return False
        plain = f"{parts.scheme}://{parts.netloc}{parts.path}" == uri and "@" not in parts.netloc
        return (
            plain
            and parts.scheme == "http"
            and parts.hostname in LOOPBACK_HOSTS
            and parts.path.endswith(self.redirect_path)
            and not {".", ".."} & set(parts.path.split("/"))
        )


VALET = Client("jupyter-valet-demo", "Jupyter Valet", "/valet/callback/demo")

CLIENTS = {VALET.client_id: VALET}
