"""A capability in the wrong hands."""

import json
import os
import urllib.request


def replay(t):
    """R59: another kernel's capability, known by whatever way."""
    token = t["sibling_capability"]
    request = urllib.request.Request(
        os.environ["JUPYTER_VALET_URL"] + "/connections",
        headers={"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return "USE as the other kernel: " + json.dumps(json.load(answer))[:200]
