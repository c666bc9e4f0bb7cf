"""Who may use what: grants, approvals and limits, and the one gate that every use goes through.

The decisions are pure functions of what the server and the vault state; nothing that a kernel said
about itself gets in here, and no secret but the key of the digests.
"""

from .approvals import Approvals
from .digest import Digests
from .grant import Grant, Subject
from .grants import Grants
from .levels import LEVELS, at_least
from .limits import Limits
from .policy import Policy

__all__ = [
    "LEVELS",
    "Approvals",
    "Digests",
    "Grant",
    "Grants",
    "Limits",
    "Policy",
    "Subject",
    "at_least",
]
