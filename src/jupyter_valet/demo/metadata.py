"""What the demo provider says about itself (RFC 8414 §2, OpenID Connect Discovery 1.0 §3)."""

from __future__ import annotations

from typing import Any

from . import scopes

AUTHORIZE = "/authorize"
TOKEN = "/token"  # noqa: S105  (a path)
REVOKE = "/revoke"
USERINFO = "/userinfo"
JWKS = "/jwks"


def document(issuer: str) -> dict[str, Any]:
    """Return the metadata of the server at `issuer`; it is the same at both well-known paths."""
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZE,
        "token_endpoint": issuer + TOKEN,
        "revocation_endpoint": issuer + REVOKE,
        "userinfo_endpoint": issuer + USERINFO,
        "jwks_uri": issuer + JWKS,
        "scopes_supported": list(scopes.WORDS),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": ["sub", "name", "preferred_username", "email"],
    }
