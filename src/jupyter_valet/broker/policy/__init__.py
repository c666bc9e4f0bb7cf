"""Who may use what: pure decisions over facts that the server and the vault state.

No I/O and no secret in here, and nothing that a kernel said about itself.
"""

from .decide import Allow, Decision, NeedsConnection, NeedsScopes, decide

__all__ = ["Allow", "Decision", "NeedsConnection", "NeedsScopes", "decide"]
