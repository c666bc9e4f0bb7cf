"""`python -I -m jupyter_valet.broker`: the broker process, started by the Jupyter extension.

Order matters: harden, then take the channel, then open the vault, then listen, and only then load
the heavy parts, so that a kernel may start as soon as nothing can be read from here any more.
"""

from __future__ import annotations

import logging
import sys

import anyio

from .control import Control
from .hardening import harden

UVLOOP = sys.platform != "win32"
"""With uvloop a call takes the broker a sixth less processor time; it has no Windows."""


def main() -> None:
    """Run until the server closes the control channel."""
    hardening = harden()
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="[%(levelname).1s valet-broker] %(message)s"
    )
    # They write URLs with their query at INFO, which may hold a code, and the ids of sessions.
    for name in ("httpx2", "httpcore2", "authlib", "mcp", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    control = Control.over_stdio()
    from .process import Broker

    anyio.run(Broker(control, hardening).run, backend_options={"use_uvloop": UVLOOP})


if __name__ == "__main__":
    main()
