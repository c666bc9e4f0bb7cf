"""A whole broker with the tools of the official suite in its catalogue, as a `broker_command`.

It is the product's broker in all but the class of its MCP endpoint; a Jupyter server starts it and
forwards to it as to any broker.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from suite_server import SuiteEndpoint

from jupyter_valet.broker import __main__ as broker
from jupyter_valet.broker import services
from jupyter_valet.broker.calls import Calls


class _Endpoint(SuiteEndpoint):
    """Puts the suite's tools before the product's when it is made."""

    def __init__(self, calls: Calls, *parts: Any, **more: Any) -> None:
        super().__init__(calls, *parts, **more)
        self.offer(calls.catalogue)


if __name__ == "__main__":
    services.Endpoint = _Endpoint  # type: ignore[misc]
    broker.main()
