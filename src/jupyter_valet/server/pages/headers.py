"""The response headers of an isolated page. docs/pages.md says what each of them stops."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

STYLE = Path(__file__).parent / "templates" / "style.css"


def security_headers(
    *, forms: bool = False, form_target: str = "", sandboxed: bool = True
) -> dict[str, str]:
    """Return the headers; `forms` for a page that holds a form.

    `form_target` is a source expression of where the answer to a form may redirect to, besides:
    browsers apply `form-action` to each hop (CSP 3, §6.4.1).

    `sandboxed=False` is for the bounce alone: its reload must come from this site.
    """
    return {
        "Content-Security-Policy": _policy(
            forms=forms, form_target=form_target, sandboxed=sandboxed
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex",
    }


def _policy(*, forms: bool, form_target: str, sandboxed: bool) -> str:
    target = f" {form_target}" if form_target else ""
    directives = [
        "default-src 'none'",
        f"style-src '{style_hash()}'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        # Links are not forms: a consent page, which has links only, may post nothing anywhere.
        f"form-action 'self'{target}" if forms else "form-action 'none'",
    ]
    if sandboxed:
        directives.insert(0, "sandbox allow-forms" if forms else "sandbox")
    return "; ".join(directives)


@cache
def style() -> str:
    """Return the one style sheet, which every page carries inline."""
    return STYLE.read_text(encoding="utf-8")


@cache
def style_hash() -> str:
    """Return the style sheet's hash for the policy: no other style can get in (CSP 3, §6.7.4.1)."""
    digest = hashlib.sha256(style().encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
