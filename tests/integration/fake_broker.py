"""A scripted broker: speaks the control channel, decides nothing, writes down what it was asked.

Run as `fake_broker.py RECORD PROVIDER`: requests are appended to the file RECORD as JSON lines, and
approving leads to the URL PROVIDER. What it does depends on the transaction's id.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode


def main() -> None:
    """Answer requests until standard input ends."""
    record, provider = Path(sys.argv[1]), sys.argv[2]
    with record.open("a") as file:
        file.write(json.dumps({"method": "environ", "params": dict(os.environ)}) + "\n")
        file.write(json.dumps({"method": "cwd", "params": {"cwd": str(Path.cwd())}}) + "\n")
    broker = FakeBroker(provider)
    for line in sys.stdin:
        request = json.loads(line)
        with record.open("a") as file:
            file.write(json.dumps({**request, "pid": os.getpid()}) + "\n")
        reply = broker.answer(request["method"], request["params"])
        if reply is not None:
            print(json.dumps({"id": request["id"], **reply}), flush=True)


STEPS = ("client", "api_key", "grant", "approval", "level", "final")

PREVIEW = {
    "asker": "The tool demo.create_issue",
    "words": "File an issue",
    "method": "POST",
    "host": "https://demo.example",
    "path": "/api/issues",
    "account": "amara",
    "content_type": "application/json",
    "body": '{\n  "title": "</pre><script>alert(1)</script>\u202e"\n}',
    "note": "",
}


class FakeBroker:
    """One method a page."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.vault = "unlocked"
        self.states: dict[str, str] = {}

    def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        transaction = params.get("transaction", "")
        if transaction == "crash":
            os._exit(7)
        if transaction == "garbage":
            print("this is not JSON", flush=True)
            return None
        if transaction == "slow":
            return None
        name = "on_" + method.replace(".", "_")
        known = getattr(self, name, None)
        return known(params) if known else {"result": {}}

    def on_start(self, params: dict[str, Any]) -> dict[str, Any]:
        print("[W fake-broker] it has started", file=sys.stderr, flush=True)
        fd = params["listen_fd"]
        listener = (
            socket.create_server(("127.0.0.1", 0)) if fd is None else socket.socket(fileno=fd)
        )
        threading.Thread(target=_tell_pid, args=(listener,), daemon=True).start()
        if "locked" in params["state_dir"]:
            self.vault = "locked"
        port = listener.getsockname()[1]
        return {"result": {"port": port, "version": "0", "level": "L0"}}

    def on_status(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"result": {"vault": self.vault}}

    def on_vault_unlock(self, params: dict[str, Any]) -> dict[str, Any]:
        self.vault = "unlocked"
        return {"result": {"vault": self.vault}}

    def on_page_open(self, params: dict[str, Any]) -> dict[str, Any]:
        if self.vault == "locked":
            return _error("vault_locked")
        transaction = params["transaction"]
        if transaction.startswith("theirs"):
            return _error("not_yours", "This sign-in was started by another person.")
        state = self.states.get(transaction, "opened")
        step = "final" if state != "opened" else transaction.partition("-")[0]
        return {
            "result": {
                "step": step if step in STEPS else "consent",
                "kind": step if step in ("grant", "approval") else "sign_in",
                "choices": [{"connection": "c1", "account": "amara"}],
                "preview": PREVIEW if step == "approval" else None,
                "level": "L0",
                "level_words": "no token is in notebooks",
                "low": transaction.endswith("-low"),
                "wanted_level": "L2",
                "transaction": transaction,
                "nonce": nonce(transaction),
                "provider": "demo",
                "provider_title": "Demo",
                "provider_host": "demo.example",
                "reason": "list_issues needs it",
                "notebook": "work/\u202etest.ipynb<script>",
                "redirect_uri": params["origin"] + "valet/callback/demo",
                "state": state,
                "expires_at": time.time() + 600,
                "scopes": [{"name": "issues", "words": "read issues"}],
                "client_id": "",
                "register_url": "javascript:alert(1)",
            }
        }

    def on_page_save(self, params: dict[str, Any]) -> dict[str, Any]:
        form = parse_qs(params["form"])
        if form.get("nonce") != [nonce(params["transaction"])]:
            return _error("page_out_of_date")
        self.states[params["transaction"]] = "done"
        return {"result": {}}

    def on_page_approve(self, params: dict[str, Any]) -> dict[str, Any]:
        transaction = params["transaction"]
        if params["nonce"] != nonce(transaction):
            return _error("page_out_of_date")
        if transaction.startswith("evil"):
            return {"result": {"location": "javascript:alert(1)", "binding": "b"}}
        self.states[transaction] = "approved"
        redirect_uri = params["origin"] + "valet/callback/demo"
        query = urlencode({"state": f"STATE-{transaction}", "redirect_uri": redirect_uri})
        location = f"{self.provider}?{query}"
        return {"result": {"location": location, "binding": binding(transaction)}}

    def on_page_accept(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._pressed(params, "opened")

    def on_page_grant(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._pressed(params, "done")

    def on_page_allow(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._pressed(params, "done")

    def _pressed(self, params: dict[str, Any], state: str) -> dict[str, Any]:
        if params["nonce"] != nonce(params["transaction"]):
            return _error("page_out_of_date")
        self.states[params["transaction"]] = state
        return {"result": {}}

    def on_page_decline(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["nonce"] != nonce(params["transaction"]):
            return _error("page_out_of_date")
        self.states[params["transaction"]] = "declined"
        return {"result": {}}

    def on_oauth_callback(self, params: dict[str, Any]) -> dict[str, Any]:
        state = parse_qs(params["query"]).get("state", [""])[0]
        transaction = state.removeprefix("STATE-")
        if not state.startswith("STATE-"):
            return _error("page_out_of_date")
        if transaction == "nonsense":
            return {"result": {}}
        right = params["binding"] == binding(transaction)
        self.states[transaction] = "done" if right else "failed"
        return {"result": {"transaction": transaction}}

    def on_page_done(self, params: dict[str, Any]) -> dict[str, Any]:
        state = self.states.get(params["transaction"], "opened")
        return {
            "result": {
                "state": state,
                "provider": "demo",
                "provider_title": "Demo",
                "account": "amara" if state == "done" else "",
                "notebook": "test.ipynb",
                "error": "The sign-in did not work." if state == "failed" else "",
            }
        }

    def on_connections_page(self, params: dict[str, Any]) -> dict[str, Any]:
        connection = {
            "id": "c1",
            "provider": "demo",
            "provider_title": "Demo",
            "account_id": "1",
            "account": "amara",
            "scopes": ["issues"],
            "origins": ["https://demo.example"],
            "grants": [
                {
                    "id": "g1",
                    "notebook": "a.ipynb",
                    "folder": "/home/jane",
                    "writes": ["demo_create_issue"],
                    "paths": ["/api/**"],
                    "per_hour": 5,
                }
            ],
        }
        providers = [{"name": "demo", "title": "Demo", "redirect_uri": ""}]
        gone = self.states.get("connections") == "ended"
        return {
            "result": {
                "connections": [] if gone else [connection],
                "providers": providers,
                "nonce": nonce("connections"),
            }
        }

    def on_grants_change(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"result": {}} if params["nonce"] == nonce("connections") else _stale()

    on_grants_end = on_grants_change

    def on_connections_end(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["nonce"] != nonce("connections"):
            return _error("page_out_of_date")
        self.states["connections"] = "ended"
        return {"result": {}}


def nonce(transaction: str) -> str:
    """Return the nonce of a transaction's page: a canary that no script may ever see."""
    return "N0NCE" + hashlib.sha256(transaction.encode()).hexdigest()[:24]


def binding(transaction: str) -> str:
    """Return what the binding cookie of a transaction holds."""
    return "B1ND" + hashlib.sha256(transaction.encode()).hexdigest()[:24]


def _stale() -> dict[str, Any]:
    return _error("page_out_of_date")


def _error(code: str, message: str = "") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "next": ""}}


def _tell_pid(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(str(os.getpid()).encode())


if __name__ == "__main__":
    main()
