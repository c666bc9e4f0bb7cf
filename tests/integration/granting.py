"""What the gate needs in a test, and a person who has allowed a notebook everything before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.connections import Connection
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.policy import Digests, Grant, Grants, Policy, Subject
from jupyter_valet.broker.vault import Vault


def policy_of(vault: Vault, audit: Audit, *, level: str = "L2", wanted: str = "L0") -> Policy:
    """Return a policy for kernels that are all at `level`."""
    grants = Grants(vault, audit)
    return Policy(audit, grants, Digests(vault), lambda _: (level, "measured"), wanted)


def allow(policy: Policy, caller: Caller, connection: Connection, **grant: Any) -> Grant:
    """Grant the caller's notebook a connection: to read and write, unless told otherwise."""
    given = {"access": "read_write", "level": "L0", **grant}
    subject = Subject.of(caller)
    return policy.grants.give(Grant(subject, connection.id, **given))


def write_too(policy: Policy, caller: Caller) -> None:
    """Let the caller's notebook write with all that it may read with."""
    for grant in policy.grants.of(caller):
        policy.grants.give(replace(grant, access="read_write"))
