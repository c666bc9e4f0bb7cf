"""The person: unlocks the vault and signs in, on the real pages, with what a browser says."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import urlencode, urlsplit

import httpx2
from channel import Kernel
from jupyter_process import LOADED, POSTED, PRESSED, Server

PASSPHRASE = "correct horse battery staple of the red team"

_ASK = """
import json, os, urllib.request
request = urllib.request.Request(
    os.environ["JUPYTER_VALET_URL"] + "/connect",
    json.dumps({"provider": "canary", "scopes": [], "new_account": False}).encode(),
    {"Authorization": "Bearer " + os.environ["JUPYTER_VALET_CAPABILITY"],
     "Content-Type": "application/json"})
with urllib.request.urlopen(request, timeout=60) as answer:
    print(answer.read().decode())
"""


def unlock(server: Server) -> None:
    """Type the passphrase; the first time it is chosen by that."""
    page = server.get("valet/unlock")
    if 'name="passphrase"' not in page.body:
        return
    action = html.unescape(re.search(r'action="([^"]+)"', page.body)[1])  # type: ignore[index]
    path = action.removeprefix(server.base)
    answer = server.request(
        "POST", path, POSTED, body=urlencode({"passphrase": PASSPHRASE}), login=False
    )
    if answer.status != 303:
        raise RuntimeError(f"the vault stays shut: {answer.status} {answer.body[:500]}")


def sign_in(server: Server, kernel: Kernel) -> None:
    """Sign in at the provider `canary`, asked for by `kernel`."""
    printed = kernel.run(_ASK)
    try:
        url = json.loads(printed)["transaction"]["url"]
    except (ValueError, KeyError, TypeError):
        raise RuntimeError(f"no sign-in was asked for: {printed}") from None
    path = urlsplit(url).path.removeprefix(server.base)
    page = server.get(path).body
    found = re.search(r'id="approve"[^>]*href="([^"]+)"', page)
    if found is None:
        raise RuntimeError(f"no consent page: {page[-600:]}")
    press = html.unescape(found[1]).removeprefix(server.base)
    approved = server.get(press, PRESSED)
    cookie = "; ".join(f"{name}={one.value}" for name, one in approved.cookies.items())
    back = at_the_provider(approved.location)
    arrived = {**LOADED, "Sec-Fetch-Site": "cross-site"}
    parts = urlsplit(back)
    path = f"{parts.path}?{parts.query}".removeprefix(server.base)
    done = server.get(path, arrived, cookie=cookie)
    if done.status != 303:
        raise RuntimeError(f"the sign-in failed: {done.status} {done.body[-600:]}")


def at_the_provider(location: str) -> str:
    """Sign in and allow what is asked; return where the browser is sent back to."""
    issuer = "{0.scheme}://{0.netloc}".format(urlsplit(location))
    with httpx2.Client(timeout=20) as browser:
        page = browser.get(location).text
        key = re.search(r'name="request" value="([^"]+)"', page)[1]  # type: ignore[index]
        form = {"request": key, "person": "amara"}
        page = browser.post(f"{issuer}/authorize/person", data=form).text
        scopes = re.findall(r'name="scope" value="([^"]+)"', page)
        consent = {"request": key, "decision": "allow", "scope": scopes}
        answer = browser.post(f"{issuer}/authorize/consent", data=consent)
        return str(answer.headers["location"])
