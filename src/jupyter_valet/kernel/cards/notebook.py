"""The card in a notebook: a widget where there are widgets, HTML and text in the same output.

Callbacks of widgets run in whatever thread the kernel picks, so they set a flag and nothing else;
everything that is shown is sent by the thread of the cell.
"""

from __future__ import annotations

import threading
import uuid
from typing import Any

from ...wire.views import TransactionView
from ..attendance import buttons_arrive
from . import markup
from .face import Face, face

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


class NotebookCard:
    """One card, shown once and updated in place."""

    def __init__(self, view: TransactionView, message: str) -> None:
        self._view, self._message = view, message
        self._declined, self._again = threading.Event(), threading.Event()
        self._display_id = f"jupyter-valet-{uuid.uuid4().hex}"
        now = face(view, message)
        # The question of a program outside is declined on its page: it is not this kernel's.
        button = self._declined if buttons_arrive() and not view.client else None
        self._parts = _widgets(now, button)
        self._publish(now, update=False)
        if self._parts is not None:
            self._parts.listen()

    def show(self, view: TransactionView) -> None:
        """Show the transaction as it is now."""
        self._view = view
        now = face(view, self._message)
        if now.live and self._parts is not None:
            self._parts.update(now)
        elif now.live:
            self._publish(now, update=True)

    def declined(self) -> bool:
        """Tell whether *Decline* was pressed."""
        return self._declined.is_set()

    def again(self) -> bool:
        """Tell whether *Try again* was pressed."""
        return self._again.is_set()

    def offer_again(self) -> bool:
        """Show *Try again* on an expired card, where a click can arrive. False: it cannot."""
        if self._parts is None or not buttons_arrive():
            return False
        self._parts.offer_again(face(self._view, self._message), self._again)
        return True

    def close(self) -> None:
        """Leave the last word in the output, and nothing to press.

        The widget goes first loses its link, then its place in the output, then its model: the
        saved notebook has the link in none of the three.
        """
        last = face(self._view, self._message, closed=True)
        if self._parts is not None:
            self._parts.blank()
        parts, self._parts = self._parts, None
        self._publish(last, update=True)
        if parts is not None:
            parts.close()

    def _publish(self, now: Face, *, update: bool) -> None:
        from IPython.display import display

        bundle: dict[str, Any] = {"text/plain": markup.text(now), "text/html": markup.page(now)}
        if self._parts is not None:
            bundle[WIDGET_MIME] = self._parts.reference()
        display(  # type: ignore[no-untyped-call, unused-ignore]
            bundle, raw=True, display_id=self._display_id, update=update
        )


class _Widgets:
    """The widgets of one card."""

    def __init__(self, kit: Any, now: Face, declined: threading.Event | None) -> None:
        self._kit = kit
        self._title = now.title
        # One layout and one style for all of them: each is a message to the front end.
        self._layout = kit.Layout()
        self._hint = markup.hint(button=declined is not None)
        self._facts = kit.HTML(markup.facts(now), layout=self._layout)
        self._sign_in = self._html(markup.sign_in(now))
        self._status = self._html(markup.status(now) + self._hint)
        self._buttons: list[Any] = []
        if declined is not None:
            self._buttons.append(self._button("Decline", declined))
        self._actions = self._group(kit.HBox, [self._sign_in, *self._buttons], "jv-actions")
        parts = [self._facts, self._actions, self._status]
        self._box = self._group(kit.VBox, parts, "jv-card")

    def reference(self) -> dict[str, Any]:
        """Return the widget's entry in the output."""
        return {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}

    def listen(self) -> None:
        """Let clicks reach the kernel while the cell blocks it.

        ipykernel 7.4.0 sends a comm's messages to the shell that last published on it, which is
        the blocked one, instead of the subshell that the front end chose. Forgetting that shell
        restores the choice, as long as nothing is published on the button again.
        """
        for button in self._buttons:
            vars(button.comm).pop("_reply_subshell_id", None)

    def update(self, now: Face) -> None:
        """Change the status line, and it alone: the focus stays where it is.

        But for a question that has become another one, whose facts and button are others.
        """
        self._status.value = markup.status(now) + self._hint
        if now.title != self._title:
            self._title = now.title
            self._facts.value = markup.facts(now)
            self._sign_in.value = markup.sign_in(now)

    def offer_again(self, now: Face, again: threading.Event) -> None:
        """Replace the link by *Try again*."""
        self._facts.value = markup.facts(now)
        self._status.value = markup.status(now)
        self._sign_in.value = ""
        button = self._button("Try again", again)
        self._buttons.append(button)
        self._actions.children = [button]
        self.listen()

    def blank(self) -> None:
        """Take the link and the address out of the widgets' state."""
        for part in (self._facts, self._sign_in, self._status):
            part.value = ""

    def close(self) -> None:
        """Close the models, so that no state of them is saved."""
        views = [self._facts, self._sign_in, self._status, *self._buttons]
        styles = [self._facts.style, *(button.style for button in self._buttons)]
        for widget in (*views, self._actions, self._box, *styles, self._layout):
            widget.close()

    def _html(self, value: str) -> Any:
        return self._kit.HTML(value, layout=self._layout, style=self._facts.style)

    def _group(self, kind: Any, children: list[Any], name: str) -> Any:
        return kind(children, layout=self._layout, _dom_classes=(name,))

    def _button(self, label: str, flag: threading.Event) -> Any:
        button = self._kit.Button(description=label, tooltip=label, layout=self._layout)
        button.on_click(lambda _button: flag.set())
        return button


def _widgets(now: Face, declined: threading.Event | None) -> _Widgets | None:
    """Return the widgets, or None where ipywidgets is missing or does not work."""
    try:
        import ipywidgets  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        return None
    return _Widgets(ipywidgets, now, declined)
