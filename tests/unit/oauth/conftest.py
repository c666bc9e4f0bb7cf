"""A profile and a pending authorization for tests that need no server."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.oauth import Pending, Profile
from jupyter_valet.broker.oauth.rfc6749 import state_digest
from jupyter_valet.broker.secret import Secret

STATE = "s" * 43


@pytest.fixture
def profile() -> Profile:
    return Profile(
        name="corp",
        title="Corp",
        issuer="https://login.corp.example",
        origins=(Origin.parse("https://api.corp.example"),),
    )


@pytest.fixture
def pending(profile: Profile) -> Pending:
    return Pending(
        provider="corp",
        issuer=profile.issuer,
        client_id="client",
        redirect_uri="https://hub.example/user/jane/valet/callback/corp",
        scopes=frozenset({"read", "write"}),
        state_digest=state_digest(STATE),
        verifier=Secret("v" * 43),
        created_at=1000.0,
        token_endpoint="https://login.corp.example/token",
    )
