"""The page behind a card's link, and the presses on it."""

from __future__ import annotations

from typing import Any

from ...wire import control
from ...wire.control import PageFacts
from ...wire.errors import ValetError
from ...wire.routes import PAGE_CALLBACK, PAGE_CONNECT, PAGE_DONE
from . import binding, navigation
from .base import SIGN_IN, IsolatedPage, isolated
from .press import PostedForm, PressedPage
from .words import ending, may_open

_STEPS = ("level", "consent", "client", "api_key", "code", "use", "grant", "approval", "visit")
"""Each has a template of its name; any other step is the last."""

LOOK_AGAIN_SECONDS = 10
"""How often the page of a code looks whether it was typed."""


class _SignIn(IsolatedPage):
    """A page about one transaction."""

    def unlock_for(self) -> tuple[str, ...]:
        """Return the transaction, so that the person comes back to it from the unlock page."""
        return (self.path_args[0],)


class Connect(_SignIn):
    """Shows what is asked, by facts that the broker knows (BP-03)."""

    @isolated(navigation.shown)
    async def get(self, transaction: str) -> None:
        """Answer with the step that is next."""
        origin = self.public_origin
        principal = await self.person()
        reply = await self.ask(
            control.PAGE_OPEN, transaction=transaction, principal=principal, origin=origin
        )
        facts = PageFacts.from_json(reply)
        if facts.state == "done" and facts.flow == "device":
            return self.see_other(PAGE_DONE, transaction)  # the page that the person looks at again
        if facts.step not in _STEPS:
            return self._final(facts)
        here = self.path_of(PAGE_CONNECT, transaction)
        if facts.step == "code":
            # The header works where a page may run no script, a `meta` element does not (HTML,
            # "shared declarative refresh steps"). It arrives as a page load, never as a press.
            self.set_header("Refresh", f"{LOOK_AGAIN_SECONDS}; url={here}")
        return self.page(
            f"{facts.step}.html",
            forms=facts.step not in ("consent", "code", "use", "visit"),
            facts=facts,
            here=here,
            origin=origin,
        )

    def _final(self, facts: PageFacts) -> None:
        title, words = ending(facts.state, facts.kind, facts.client)
        self.page("done.html", title=title, words=words, facts=facts, account="", missing=[])


class _Pressed(PressedPage, _SignIn):
    def resume_path(self) -> str:
        """After a login the page must be looked at, and pressed, again."""
        return self.path_of(PAGE_CONNECT, self.path_args[0])


class Approve(_Pressed):
    """Begins at the provider: the browser goes there, bound to this sign-in."""

    @isolated(navigation.shown)
    async def get(self, transaction: str) -> None:
        """Answer with the redirect and the binding cookie."""
        press, origin = self.press(), self.public_origin
        principal = await self.person("execute")
        reply = await self.ask(
            control.PAGE_APPROVE,
            transaction=transaction,
            principal=principal,
            origin=origin,
            nonce=press.nonce,
        )
        location = str(reply["location"])
        if not location:  # nobody else is asked
            then = PAGE_CONNECT if reply.get("again") else PAGE_DONE
            return self.see_other(then, transaction)
        if not may_open(location):
            raise ValetError("sign_in_failed", provider="the provider", what="its address is unfit")
        if reply["binding"]:  # a page of an upstream server is not a sign-in of ours
            self._bind(location, str(reply["binding"]))
        return self.redirect(location, status=303)

    def _bind(self, location: str, value: str) -> None:
        self.set_cookie(
            binding.name_for(location, secure=self.secure),
            value,
            path=binding.path_for(location, self.path_of(PAGE_CALLBACK)),
            max_age=binding.SECONDS,
            httponly=True,
            samesite="Lax",
            secure=self.secure,
        )


class Decline(_Pressed):
    """Ends the sign-in because the person said no."""

    @isolated(navigation.shown)
    async def get(self, transaction: str) -> None:
        """Answer with the last page."""
        press = self.press()
        principal = await self.person("execute")
        await self.ask(
            control.PAGE_DECLINE, transaction=transaction, principal=principal, nonce=press.nonce
        )
        self.see_other(PAGE_DONE, transaction)


class _Chosen(_Pressed):
    """A form whose choices are in the address of its press; the broker reads them."""

    method = ""
    then = PAGE_DONE

    @isolated(navigation.shown)
    async def get(self, transaction: str) -> None:
        """Hand the choices over, and go on."""
        press = self.press()
        principal = await self.person("execute")
        await self.ask(
            self.method,
            transaction=transaction,
            principal=principal,
            nonce=press.nonce,
            choices=press.choices,
        )
        self.see_other(self.then, transaction)


class Accept(_Chosen):
    """Agrees to the isolation of the kernel that asks; the question itself comes next."""

    method = control.PAGE_ACCEPT
    then = PAGE_CONNECT


class GrantIt(_Chosen):
    """Lets the notebook use a connection."""

    method = control.PAGE_GRANT


class Allow(_Chosen):
    """Approves one write, or more of them."""

    method = control.PAGE_ALLOW


class ByCode(_Chosen):
    """Asks for a code that the person types at the provider; the page shows it next."""

    method = control.PAGE_CODE
    then = PAGE_CONNECT


class Save(PostedForm, _SignIn):
    """Takes what a person typed: an OAuth app's client id and secret, or an API key.

    The post comes without the login cookie; the nonce in the form, which the broker bound to the
    person when the page was made, is its authority.
    """

    @isolated(navigation.posted)
    async def post(self, transaction: str) -> None:
        """Hand the form to the broker unread, and go to the next step."""
        params: dict[str, Any] = {
            "transaction": transaction,
            "origin": self.public_origin,
            "form": self.form(),
        }
        if self.current_user is not None:
            params["principal"] = await self.person("execute")
        await self.ask(control.PAGE_SAVE, **params)
        self.see_other(PAGE_CONNECT, transaction)


HANDLERS = [
    (rf"{PAGE_CONNECT}/{SIGN_IN}", Connect),
    (rf"{PAGE_CONNECT}/{SIGN_IN}/approve", Approve),
    (rf"{PAGE_CONNECT}/{SIGN_IN}/code", ByCode),
    (rf"{PAGE_CONNECT}/{SIGN_IN}/accept", Accept),
    (rf"{PAGE_CONNECT}/{SIGN_IN}/grant", GrantIt),
    (rf"{PAGE_CONNECT}/{SIGN_IN}/allow", Allow),
    (rf"{PAGE_CONNECT}/{SIGN_IN}/decline", Decline),
    (rf"{PAGE_CONNECT}/{SIGN_IN}/save", Save),
]
