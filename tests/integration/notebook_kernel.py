"""A kernel of a real server, spoken to as a notebook does: over its own channels."""

from __future__ import annotations

from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_process import Server

ASK = """
import http.client as _http, os as _os, urllib.parse as _parse
def ask(token=_os.environ["JUPYTER_VALET_CAPABILITY"], path="/status"):
    where = _parse.urlsplit(_os.environ["JUPYTER_VALET_URL"])
    connection = _http.HTTPConnection(where.hostname, where.port, timeout=30)
    connection.request("GET", path, headers={"Authorization": "Bearer " + token})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return f"{answer.status} {body}"
"""


class Kernel:
    """A kernel of the server, spoken to as a notebook does."""

    def __init__(self, server: Server, notebook: str = "") -> None:
        self.server = server
        if notebook:
            asked = {
                "path": notebook,
                "name": "",
                "type": "notebook",
                "kernel": {"name": "python3"},
            }
            self.id = str(server.api("POST", "api/sessions", asked)["kernel"]["id"])
        else:
            self.id = str(server.api("POST", "api/kernels", {})["id"])
        self.connect()

    def connect(self) -> None:
        self.client = BlockingKernelClient()
        self.client.load_connection_file(str(self.server.home / f"runtime/kernel-{self.id}.json"))
        # Not `wait_for_ready`: a busy machine's first missed heartbeat is a dead kernel to it.
        self.client.start_channels(hb=False)
        self.client.kernel_info(reply=True, timeout=60)
        while not self.client.iopub_channel.msg_ready():
            self.client.kernel_info(reply=True, timeout=60)
        self.run(ASK)

    def run(self, code: str) -> str:
        """Return what the cell prints; it must not fail."""
        printed: list[str] = []

        def collect(message: dict[str, Any]) -> None:
            content = message["content"]
            printed.append(content.get("text", "") or "\n".join(content.get("traceback", [])))

        reply = self.client.execute_interactive(
            code, output_hook=collect, timeout=60, store_history=False
        )
        assert reply["content"]["status"] == "ok", "".join(printed)
        return "".join(printed).strip()

    @property
    def capability(self) -> str:
        return self.run("print(_os.environ['JUPYTER_VALET_CAPABILITY'])")

    def restart(self) -> None:
        self.client.stop_channels()
        self.server.api("POST", f"api/kernels/{self.id}/restart", {})
        self.connect()

    def end(self) -> None:
        self.client.stop_channels()
        self.server.call("DELETE", f"api/kernels/{self.id}")
