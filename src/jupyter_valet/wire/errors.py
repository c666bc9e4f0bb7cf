"""The errors that cross the wall: a code, what happened, what to do next. One line each.

The texts are fixed here, so no secret, code, state or upstream body can get into one. On the
broker's listener an error is `{"error": {"code", "message", "next"}}` with the HTTP status below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ErrorKind:
    """One kind of error. `message` and `next` may hold `{name}` fields for harmless names."""

    code: str
    status: int
    message: str
    next: str


_KINDS = [
    ErrorKind(
        "capability_refused",
        401,
        "The broker does not know this kernel.",
        "Restart the kernel; if that does not help, restart Jupyter.",
    ),
    ErrorKind(
        "token_required",
        401,
        "This endpoint wants a token.",
        "Make an API key on Jupyter's page `valet/connections`, or sign in with Jupyter.",
    ),
    ErrorKind(
        "token_refused",
        401,
        "This token is not good here, or not any more.",
        "Make an API key on Jupyter's page `valet/connections`, or sign in with Jupyter again.",
    ),
    ErrorKind(
        "not_admitted",
        403,
        "This token is of somebody who may not use this server.",
        "Use one of your own server, or ask who runs this one for access.",
    ),
    ErrorKind(
        "issuer_unreachable",
        503,
        "The issuer of this token does not answer, so nobody can tell whether it is good.",
        "Try again in a minute.",
    ),
    ErrorKind(
        "scope_required",
        403,
        "This token is not for that tool.",
        "Use one that holds the scope which the `WWW-Authenticate` header names.",
    ),
    ErrorKind(
        "no_jupyter",
        503,
        "No Jupyter server of yours runs here{wanted}.",
        "Start one (`jupyter lab`), and try again.",
    ),
    ErrorKind(
        "several_servers",
        400,
        "Several Jupyter servers of yours run here: {urls}.",
        "Say which one with --server URL.",
    ),
    ErrorKind(
        "no_token",
        401,
        "The server at {url} has a password and no token.",
        "Make an API key on its page `valet/connections` and set JUPYTER_VALET_KEY to it.",
    ),
    ErrorKind(
        "unknown_program",
        400,
        "This server does not know the program that sent you here.",
        "Let the program forget its sign-in, and start it there once more.",
    ),
    ErrorKind(
        "program_page_out_of_date",
        409,
        "This page is out of date.",
        "Start the sign-in once more, in the program that sent you here.",
    ),
    ErrorKind(
        "redirect_refused",
        400,
        "The program wants the answer sent to an address that it has not registered.",
        "Nothing was sent there. Let the program forget its sign-in, and start it there once more.",
    ),
    ErrorKind(
        "redirect_comes_back",
        400,
        "The program wants the answer sent to this very server, where notebooks could read it.",
        "Nothing was sent. A program that is not part of a notebook has an address of its own.",
    ),
    ErrorKind(
        "client_document_refused",
        400,
        "What the program says of itself cannot be used: {what}.",
        "Ask whoever makes the program; nothing was allowed.",
    ),
    ErrorKind(
        "client_document_unreachable",
        502,
        "The program describes itself at {host}, which this server cannot reach.",
        "Nothing was allowed. On a server without internet, set "
        "`c.ValetExtension.client_documents = False`: then programs register themselves.",
    ),
    ErrorKind(
        "too_many_programs",
        429,
        "Too many programs have come to this server.",
        "Wait a minute; on the page `valet/connections` you can sign programs out.",
    ),
    ErrorKind(
        "capability_elsewhere",
        403,
        "This capability belongs to another kernel, or to a program that its kernel did not start.",
        "Use it in the kernel that it was given to, and in what that kernel starts.",
    ),
    ErrorKind(
        "server_silent",
        503,
        "The Jupyter server does not tell the broker what it has to know.",
        "Try again; if that does not help, restart Jupyter.",
    ),
    ErrorKind(
        "not_yours",
        403,
        "This sign-in was started by another person.",
        "Sign in to Jupyter as the person whose notebook asks.",
    ),
    ErrorKind(
        "other_server",
        409,
        "Another Jupyter server of yours asks this.",
        "Open {url}.",
    ),
    ErrorKind(
        "other_browser",
        403,
        "The sign-in came back in another browser than it was started in.",
        "Open the link again and finish in the same browser.",
    ),
    ErrorKind(
        "page_out_of_date",
        409,
        "This page is out of date.",
        "Go back to the notebook and open the link once more.",
    ),
    ErrorKind(
        "not_found", 404, "There is no such {what}.", "Run %connections to see what is there."
    ),
    ErrorKind("bad_request", 400, "The request is not valid: {what}.", "Run %valet for help."),
    ErrorKind("usage", 400, "{what}.", "Type {usage}."),
    ErrorKind(
        "unknown_provider",
        404,
        "There is no provider named {provider}.",
        "Run %valet to see the names, or `jupyter valet provider add {provider} --issuer URL`.",
    ),
    ErrorKind(
        "doctor_failed",
        500,
        "The doctor could not measure: {what}.",
        "Run it where `jupyter lab` starts, and with the same environment.",
    ),
    ErrorKind(
        "no_vault",
        404,
        "There is no vault in {where} yet.",
        "Sign in in a notebook first, with %connect NAME, or name the folder with --state-dir.",
    ),
    ErrorKind(
        "bad_configuration",
        400,
        "A configuration file of Jupyter is in the way: {what}.",
        "`jupyter --paths` lists the folders; repair the file and try again.",
    ),
    ErrorKind(
        "authorization_required",
        403,
        "{provider} is not signed in.",
        "The person must sign in in the notebook: run %connect {provider}. Do not retry.",
    ),
    ErrorKind(
        "unattended",
        403,
        "{provider} needs a sign-in, and nobody is here to press the button.",
        "Open a notebook on this server, run %connect {provider}, then start this run again.",
    ),
    ErrorKind(
        "grant_required",
        403,
        "The person has not allowed this notebook to use {provider}.",
        "They can do so in the notebook, with %connect {name}. Do not retry before.",
    ),
    ErrorKind(
        "approval_required",
        403,
        "This write to {provider} waits for the person's approval.",
        "They find it on their connections page. Call again with the same arguments after that.",
    ),
    ErrorKind(
        "answer_required",
        403,
        "{question} waits for the person.",
        "They find it in Jupyter, on its page `valet/connections`. Call again once they answered.",
    ),
    ErrorKind(
        "unattended_grant",
        403,
        "This notebook has no grant for {provider}, and nobody is here to give one.",
        "Open it on this server and run %connect {name} in it, then start this run again.",
    ),
    ErrorKind(
        "unattended_approval",
        403,
        "This write to {provider} needs an approval, and nobody is here to give one.",
        "Allow this notebook to write beforehand, on the page that %valet names.",
    ),
    ErrorKind(
        "limit_reached",
        403,
        "This notebook's grant for {provider} does not allow it: {what}.",
        "The person can change the grant at {url}.",
    ),
    ErrorKind(
        "level_not_accepted",
        403,
        "The box about this kernel's isolation was not ticked.",
        "Open the link in the notebook again; tick the box, or decline.",
    ),
    ErrorKind(
        "not_by_code",
        409,
        "{provider} does not allow this by a code: {scopes}.",
        "Open the link in the notebook again, in a browser that can come back to this server.",
    ),
    ErrorKind(
        "declined",
        403,
        "{question} was declined.",
        "Call the tool again to be asked again.",
    ),
    ErrorKind(
        "cancelled",
        409,
        "{question} was cancelled.",
        "Call the tool again to be asked again.",
    ),
    ErrorKind(
        "expired",
        410,
        "{question} was not finished in time.",
        "Call the tool again to get a fresh link.",
    ),
    ErrorKind(
        "sign_in_failed",
        502,
        "The sign-in to {provider} did not work: {what}.",
        "Call the tool again to try once more.",
    ),
    ErrorKind(
        "scope_missing",
        403,
        "This tool still needs {scopes} at {provider}.",
        "Call it again and leave that box ticked when you sign in.",
    ),
    ErrorKind(
        "provider_unreachable",
        502,
        "{provider} did not answer.",
        "Check the network and call the tool again.",
    ),
    ErrorKind(
        "address_refused",
        502,
        "{host} does not have a public address.",
        "A provider on this machine needs `loopback` in its profile; see docs/providers.md.",
    ),
    ErrorKind(
        "upstream_error",
        502,
        "{provider} answered with status {status}.",
        "The tool's result says more.",
    ),
    ErrorKind(
        "provider_busy",
        503,
        "{provider} has had too many calls and asks to wait {seconds} seconds.",
        "Wait that long, then call again with the same arguments.",
    ),
    ErrorKind(
        "program_failed",
        502,
        "The program of {provider} ended soon after its start.",
        "What it said is in {log}; it may be started again in {seconds} seconds.",
    ),
    ErrorKind(
        "upstream_tool_failed",
        502,
        "The tool of {provider} says that it failed.",
        "What it says is in the result; change the arguments, or try again.",
    ),
    ErrorKind(
        "upstream_refused",
        502,
        "{provider} refused the call (MCP error {number}).",
        "What it says is in the result; change the arguments, or try again.",
    ),
    ErrorKind(
        "upstream_protocol",
        502,
        "{provider} does not speak MCP as it should: {what}.",
        "Ask who runs the server; docs/upstream.md says what is spoken.",
    ),
    ErrorKind(
        "response_withheld",
        502,
        "The answer of {provider} contained the credential and was withheld.",
        "Do not call this endpoint again; see docs/threat-model.md.",
    ),
    ErrorKind(
        "reflection_refused",
        502,
        "{host} sends back the credential that it is sent, so none is given to it.",
        "Ask who runs it; docs/egress.md says what `accepts_reflection` in its settings means.",
    ),
    ErrorKind(
        "endpoint_denied",
        403,
        "This endpoint of {provider} hands out credentials, so it is not called.",
        "Do it on the provider's own site; docs/egress.md lists these endpoints.",
    ),
    ErrorKind(
        "key_refused",
        400,
        "What was typed cannot be used: {what}.",
        "Open the link in the notebook again and type it once more.",
    ),
    ErrorKind(
        "response_too_large",
        502,
        "The answer of {provider} is larger than {limit}.",
        "Ask for less, for example with paging.",
    ),
    ErrorKind("vault_locked", 423, "The vault is locked.", "Open {url} and type the passphrase."),
    ErrorKind(
        "vault_damaged",
        503,
        "The vault cannot be used: {what}.",
        "Run `jupyter valet key status`; docs/vault.md says how to recover.",
    ),
    ErrorKind(
        "passphrase_refused",
        403,
        "The passphrase is refused: {what}.",
        "Type it again; docs/vault.md says what can be done when it is lost.",
    ),
    ErrorKind(
        "key_unavailable",
        503,
        "The key of the vault is not available: {what}.",
        "Run `jupyter valet key status`; docs/vault.md says what each key source needs.",
    ),
    ErrorKind(
        "vault_unwritable",
        507,
        "The vault could not be written: {what}.",
        "Make room or repair the disk and try again; what was stored before is intact.",
    ),
    ErrorKind(
        "vault_unreachable",
        503,
        "The vault's database cannot be reached: {what}.",
        "Try again; if it stays so, docs/scaling.md says what whoever runs it looks at.",
    ),
    ErrorKind(
        "vault_unsure",
        503,
        "The connection to the vault's database was lost while it stored something, and it cannot"
        " say whether that happened.",
        "Look at %connections before you do it again.",
    ),
    ErrorKind(
        "database_refused",
        500,
        "The address of the vault's database cannot be used: {what}.",
        "docs/scaling.md says what it may look like.",
    ),
    ErrorKind(
        "audit_unwritable",
        507,
        "The audit log could not be written: {what}.",
        "Make room or repair the file; nothing is done that cannot be recorded.",
    ),
    ErrorKind(
        "audit_damaged",
        503,
        "The audit log was changed: {what}.",
        "Keep a copy of the file; docs/vault.md says what this means.",
    ),
    ErrorKind(
        "broker_unreachable",
        503,
        "The broker does not answer.",
        "Wait a moment and try again; if that does not help, restart Jupyter.",
    ),
    ErrorKind(
        "no_server",
        503,
        "This kernel was not started by a Jupyter server with jupyter-valet.",
        "Install jupyter-valet[server] where JupyterLab runs, then restart the kernel.",
    ),
    ErrorKind(
        "unknown_tool",
        404,
        "There is no {what} named {name}.",
        "{hint}",
    ),
    ErrorKind(
        "bad_arguments",
        400,
        "{tool}: {what}.",
        "Its schema says what it takes; in a notebook, put a ? behind the tool.",
    ),
    ErrorKind(
        "bad_document",
        400,
        "This API document cannot be used: {what}.",
        "docs/tools.md says which formats there are; check the address, or load it from a file.",
    ),
    ErrorKind(
        "no_provider",
        400,
        "There is no way to sign in for {name}: {what}.",
        "Configure a provider for its host (docs/providers.md), and name it when you add the API.",
    ),
    ErrorKind(
        "name_taken",
        409,
        "The name {name} is taken, by {other}.",
        "Choose another name for it.",
    ),
    ErrorKind(
        "too_many_toolsets",
        429,
        "A notebook may add {count} APIs and servers.",
        "Take one away with %valet remove NAME.",
    ),
    ErrorKind(
        "bad_overrides",
        400,
        "The settings of this toolset are not valid: {what}.",
        "docs/tools.md lists what can be set.",
    ),
    ErrorKind(
        "tool_failed",
        502,
        "The tool failed: {what}.",
        "Change the arguments, or try again.",
    ),
    ErrorKind(
        "function_failed",
        502,
        "The function {name} failed: {what}.",
        "The person finds the traceback with %valet errors; change the arguments or ask them.",
    ),
    ErrorKind(
        "function_lost",
        502,
        "The kernel ended before the function {name} was done.",
        "It may have had an effect; look before calling it again.",
    ),
    ErrorKind(
        "function_busy",
        429,
        "The notebook has {count} calls of its functions under way already.",
        "Wait for some of them, then try again.",
    ),
    ErrorKind(
        "bad_function",
        400,
        "{name} cannot be a tool: {what}.",
        "Run %valet for help; docs/functions.md says what a tool may take and return.",
    ),
    ErrorKind(
        "protocol_error",
        502,
        "The broker's answer is not what this kernel understands: {what}.",
        "Install the same version of jupyter-valet here and where Jupyter runs.",
    ),
    ErrorKind(
        "no_pandas",
        501,
        "A DataFrame needs pandas, and pandas is not installed in this environment.",
        "Run %pip install pandas.",
    ),
    ErrorKind(
        "not_flat",
        422,
        "This result is not a table: {what}.",
        "Pick the list of records in it, for example result['items'].",
    ),
    ErrorKind(
        "too_many_sign_ins",
        429,
        "This kernel waits for {count} sign-ins already.",
        "Finish or decline some of them, or restart the kernel.",
    ),
    ErrorKind(
        "too_many_requests",
        429,
        "This kernel has {count} requests under way already.",
        "Wait for some of them, then try again.",
    ),
    ErrorKind(
        "too_many_clients",
        429,
        "Programs outside of the notebooks have {count} requests under way already.",
        "Close those that you do not need, then try again.",
    ),
    ErrorKind(
        "send_again",
        503,
        "The sign-in to {provider} was renewed while the body was being sent.",
        "Send the same request again.",
    ),
    ErrorKind(
        "foreign_host",
        403,
        "{host} is not a host of {provider}, so its credential does not go there.",
        "Ask without valet, or see docs/providers.md for how to add a host.",
    ),
    ErrorKind(
        "capability_outbound",
        400,
        "The request to {provider} holds a capability of a kernel, so it was not sent.",
        "Leave tokens out of the request: the broker adds the credential.",
    ),
    ErrorKind(
        "request_too_large",
        413,
        "The body of the request is larger than {limit}.",
        "Send less, or raise `ValetExtension.egress_limits`; see docs/clients.md.",
    ),
    ErrorKind(
        "approval_too_large",
        403,
        "This write to {provider} needs an approval, and more than {limit} cannot be shown for it.",
        "Allow this notebook to read and write at {url}, or send less at a time.",
    ),
    ErrorKind(
        "no_library",
        501,
        "{library} is not installed in this environment.",
        "Run %pip install {library}.",
    ),
    ErrorKind(
        "no_environment",
        404,
        "No program is known that reaches {provider} by environment variables alone.",
        'Use valet.client("{provider}"), or a library of docs/clients.md.',
    ),
    ErrorKind(
        "internal",
        500,
        "Something went wrong in the broker.",
        "The Jupyter server's log says what; please report it.",
    ),
]

KINDS: dict[str, ErrorKind] = {kind.code: kind for kind in _KINDS}


class ValetError(Exception):
    """An error a person or a model may read: fixed text, and what to do next.

    `fields` fill the text: names of providers, scopes, statuses; never anything secret and never
    text from upstream. `result` is what the API said along with the error, in a kernel; it is data
    and never part of the text.
    """

    result: Any = None

    def __init__(self, code: str, **fields: object) -> None:
        self.kind = KINDS[code]
        self.fields = {name: str(value) for name, value in fields.items()}
        super().__init__(f"{self.message} {self.next}")

    @property
    def code(self) -> str:
        """The error's stable name."""
        return self.kind.code

    @property
    def message(self) -> str:
        """What happened."""
        return self.kind.message.format_map(_Blank(self.fields))

    @property
    def next(self) -> str:
        """What to do next."""
        return self.kind.next.format_map(_Blank(self.fields))

    def to_json(self) -> dict[str, Any]:
        """Return the body that the broker's listener sends."""
        return {"error": {"code": self.code, "message": self.message, "next": self.next}}

    def _render_traceback_(self) -> list[str]:
        """Show one line in a notebook instead of a traceback (IPython's hook).

        One name for all: which subclass it is tells a person nothing.
        """
        told = self.result is not None and self.code == "upstream_error"
        where = " Its whole answer: `import sys; sys.last_value.result`." if told else ""
        return [f"ValetError: {self}{where}"]


class RemoteError(ValetError):
    """A `ValetError` that came over the wire: the text is the broker's."""

    def __init__(self, body: dict[str, Any]) -> None:
        error = body.get("error") if isinstance(body, dict) else None
        known = error if isinstance(error, dict) else {}
        code = known.get("code")
        kind = KINDS[code if code in KINDS else "internal"]
        self._message = str(known.get("message") or kind.message)
        self._next = str(known.get("next") or kind.next)
        super().__init__(kind.code)

    @property
    def message(self) -> str:
        """What happened, in the broker's words."""
        return self._message

    @property
    def next(self) -> str:
        """What to do next, in the broker's words."""
        return self._next


class _Blank(dict[str, str]):
    """Fields nobody filled read as "it", so that an error text never fails by itself."""

    def __missing__(self, key: str) -> str:
        return "it"
