"""What an approval of an upstream server's tool holds for."""

from __future__ import annotations

from pathlib import Path

from jupyter_valet.broker.catalogue import Call
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.upstream import settings
from jupyter_valet.broker.upstream.program import Programs, Restarts
from jupyter_valet.broker.upstream.reach import Reach
from jupyter_valet.broker.upstream.tools import Described, UpstreamTool, offers

JANE = Caller("jane", "k1", "a.ipynb", "http://127.0.0.1:8888/")
SERVER = settings.server("up", {"url": "https://up.example/mcp"})


def used(description: str, *, changed: bool) -> str:
    schema = {"type": "object"}
    (offer,) = offers("up", [Described("send", "", description, schema)]).tools
    tool = UpstreamTool(SERVER, offer, "up", changed)
    reach = Reach(Programs(Path("nowhere"), Restarts()))
    return reach.use(SERVER, tool, Call(JANE, tool, {})).tool


def test_an_approval_for_good_is_not_for_what_the_tool_became() -> None:
    """ "Rug pull": nothing that the person said of the first goes for the next."""
    first = used("Sends a note.", changed=False)
    assert first == "up_send"
    second, third = (used(words, changed=True) for words in ("Sends files.", "Sends keys."))
    assert len({first, second, third}) == 3
    assert used("Sends files.", changed=True) == second
