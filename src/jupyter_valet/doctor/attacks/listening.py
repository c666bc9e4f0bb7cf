"""A listener of the kernel's own: a browser shows it the Jupyter cookie (R80)."""

import os
import socket
from pathlib import Path


def listen(t):
    """R80: whoever measures stands where a browser does, and comes to the port that is written."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(6)
        Path(t["ready"]).write_text(str(server.getsockname()[1]))
        try:
            server.accept()[0].close()
        finally:
            os.unlink(t["ready"])
    return "CONTROL a browser can connect"
