"""Kernels of other environments: a server starts them, and a person answers their cards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_client import BlockingKernelClient
from jupyter_process import PRESSED, Server
from person import Person

CARD = re.compile(r"http://\S+/valet/connect/[\w-]+")
"""The address on a card."""


def add_kernel(home: Path, name: str, python: Path) -> str:
    """Write the specification of a kernel; return what its sandbox needs in the configuration."""
    spec = home / "data" / "kernels" / name / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": name, "env": {"PYTHONPATH": ""}}))
    # Kernels have a /tmp of their own, and there pytest keeps its environments.
    return f"read:{python.parents[1]}"


class Kernel:
    """A kernel that the server started, spoken to as its front end does."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.id = server.api("POST", "api/kernels", {"name": name})["id"]
        file = server.home / "runtime" / f"kernel-{self.id}.json"
        self.client = BlockingKernelClient(connection_file=str(file))
        self.client.load_connection_file()
        # Not `wait_for_ready`: a busy machine's first missed heartbeat is a dead kernel to it.
        self.client.start_channels(hb=False)
        self.client.kernel_info(reply=True, timeout=60)
        while not self.client.iopub_channel.msg_ready():
            self.client.kernel_info(reply=True, timeout=60)

    def run(
        self,
        code: str,
        on_card: Callable[[str], object] | None = None,
        *,
        attended: bool = True,
        patience: float = 60,
    ) -> str:
        """Run a cell and return what it shows; `on_card` gets the address of a card, once."""
        shown: list[str] = []
        begun = self.client.execute(code, allow_stdin=attended)
        while True:
            message = self.client.get_iopub_msg(timeout=patience)
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != begun:
                continue
            if kind == "status" and content["execution_state"] == "idle":
                return "".join(shown)
            shown.append(_text(kind, content))
            address = CARD.search(shown[-1])
            if address and on_card:
                on_card(address[0])
                on_card = None

    def end(self) -> None:
        self.client.stop_channels()
        self.server.api("DELETE", f"api/kernels/{self.id}")


def _text(kind: str, content: Mapping[str, Any]) -> str:
    match kind:
        case "stream":
            return str(content["text"])
        case "error":
            return f"{content['ename']}: {content['evalue']}\n"
        case "display_data" | "execute_result" | "update_display_data":
            return str(content["data"].get("text/plain", ""))
    return ""


def walk(server: Server, address: str) -> None:
    """Open the card's address in the browser of the person, approve, and sign in at the demo."""
    path = address.partition(server.base)[2]
    page = server.get(path)
    approve = re.search(r'id="approve"[^>]* href="([^"]+)"', page.body)
    assert approve, page.body
    pressed = server.get(unescape(approve[1]).removeprefix(server.base), PRESSED)
    binding = "; ".join(f"{n}={m.coded_value}" for n, m in pressed.cookies.items())
    query = Person().at_demo(pressed.location)
    back = server.get(f"valet/callback/demo?{query}", PRESSED, cookie=binding)
    done = server.get(urlsplit(back.location).path.removeprefix(server.base))
    assert "Connected as" in done.body
