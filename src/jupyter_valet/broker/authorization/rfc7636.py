"""PKCE, required and by S256 alone (OAuth 2.1 §7.5.2, CL-09 from the other side)."""

from __future__ import annotations

import re
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import CodeChallenge  # type: ignore[import-untyped]

_S256 = re.compile(r"[A-Za-z0-9_-]{43}")


class S256(CodeChallenge):  # type: ignore[misc]
    """Authlib's extension demands a challenge of the token request only; we, of both."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """Refuse a request without a challenge, or with one that is not a SHA-256."""
        data = grant.request.payload.data
        if data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("code_challenge_method must be S256.")
        if not _S256.fullmatch(data.get("code_challenge", "")):
            raise InvalidRequestError("code_challenge must be a SHA-256, base64url-encoded.")
        super().validate_code_challenge(grant, redirect_uri)
