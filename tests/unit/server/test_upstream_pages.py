"""The pages about upstream servers: what they show, and that it is text."""

from __future__ import annotations

import re
from html import unescape

from jupyter_valet.server.pages.render import render
from jupyter_valet.wire.control import PageFacts

HERE = "/valet/connect/t"


def page(step: str, **more: str) -> str:
    facts = PageFacts(
        step=step,
        transaction="t",
        nonce="n0nce",
        provider="up",
        provider_title="Up (mcp.example.com)",
        provider_host="mcp.example.com",
        reason=more.pop("reason", "The tool up.echo needs it."),
        notebook="a.ipynb",
        redirect_uri="",
        state="opened",
        expires_at=0.0,
        **more,
    )
    return render(f"{step}.html", base="/", facts=facts, here=HERE, origin="http://localhost/")


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_a_program_is_shown_whole_and_called_dangerous() -> None:
    """BP-17: the exact command, untruncated."""
    command = "npx -y @acme/server --root /home/jane " + "x" * 500 + " <script>"
    html = page("use", program=command)
    assert command in text(html)
    assert "<script>" not in html
    assert "with all that you may do there" in text(html)
    assert f"{HERE}/approve?auth=n0nce" in html
    assert f"{HERE}/decline?auth=n0nce" in html


def test_a_server_without_a_sign_in_is_no_program() -> None:
    said = text(page("use"))
    assert "It asks for no sign-in." in said
    assert "program" not in said


def test_a_page_of_another_server_is_shown_and_is_no_link() -> None:
    """EC-13, EC-14, EC-17: the whole address as text; only the press on our own link opens it."""
    target = "https://connect.example.com/start?x=<b>&y=" + "z" * 800
    html = page(
        "visit",
        target=target,
        target_host="connect.example.com",
        reason="Up says: click https://evil.example",
    )
    assert target in text(html)
    assert re.findall(r'href="([^"]*)"', html) == [
        f"{HERE}/approve?auth=n0nce",
        f"{HERE}/decline?auth=n0nce",
    ]
    assert "lookalike" not in html


def test_a_name_in_another_alphabet_is_told() -> None:
    """EC-16."""
    host = "xn--exmple-cua.com"
    assert "lookalike" in page("visit", target=f"https://{host}/", target_host=host)
