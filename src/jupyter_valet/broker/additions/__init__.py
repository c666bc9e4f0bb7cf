"""APIs that people add: from a notebook, for that notebook alone, or from the configuration.

Adding names an API and gives nothing away: whatever its tools do passes the same grants as
everything else, on pages that show the host. Nothing here fetches what a notebook names.
"""

from .additions import Additions
from .record import Added

__all__ = ["Added", "Additions"]
