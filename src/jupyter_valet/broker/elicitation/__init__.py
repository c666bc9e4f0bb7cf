"""Pending questions to a person: what a transaction is, how it may change, and who waits for it.

Nothing here shows a page, talks to a provider or speaks MCP; `consent`, `oauth` and `mcp` do.
"""

from .held import Held
from .needs import Needs, NeedsApproval, NeedsAuthorization, NeedsGrant, NeedsVisit
from .question import Question
from .transaction import Transaction
from .transactions import Transactions

__all__ = [
    "Held",
    "Needs",
    "NeedsApproval",
    "NeedsAuthorization",
    "NeedsGrant",
    "NeedsVisit",
    "Question",
    "Transaction",
    "Transactions",
]
