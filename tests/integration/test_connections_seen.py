"""A connection that another process made or ended is seen by the next call, however it looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp_world import SCOPES, Upstream, world

from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.connections import Connections
from jupyter_valet.broker.oauth import Account, OAuthClient, TokenSet
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import open_vault

pytestmark = pytest.mark.anyio


async def test_what_another_process_did_is_seen_at_once(tmp_path: Path) -> None:
    """The grants are looked up first, and what the vault said then is not asked for again."""
    async with Upstream().running() as upstream, world(tmp_path, upstream) as here:
        here.kernel()
        [caller] = here.callers
        elsewhere = open_vault(tmp_path / "state", "file")
        oauth = OAuthClient()
        audit = Audit(tmp_path / "other.jsonl", elsewhere.key("audit"), lambda *_: None)
        theirs = Connections(elsewhere, oauth, here.known, audit)

        def found() -> list[str]:
            here.policy.usable(caller)
            seen = here.policy.grants.seen
            return [c.id for c in here.connections.find("jane", "demo", seen)]

        assert found() == []
        tokens = TokenSet(Secret("t" * 20), None, None, SCOPES)
        made = theirs.store("jane", here.known["demo"], tokens, Account("amara", "Amara"))
        assert found() == [made.id]
        await theirs.end("jane", made.id, revoke=False)
        assert found() == []

        # What another vault said is no word about this one.
        here.connections.find("jane", "demo")
        theirs.store("jane", here.known["demo"], tokens, Account("amara", "Amara"))
        known = (elsewhere, here.vault.data_version() - 1)
        assert [c.id for c in here.connections.find("jane", "demo", known)] == [made.id]
        await oauth.close()
        elsewhere.close()
