"""What was done with credentials, as an append-only log and as Jupyter events.

Who, what, where and with which outcome, from a fixed list of facts; never a secret, code, state,
header, body or URL. Nothing here decides anything.
"""

from __future__ import annotations

from .audit import Audit
from .reading import read_audit, verify_audit

__all__ = ["Audit", "read_audit", "verify_audit"]
