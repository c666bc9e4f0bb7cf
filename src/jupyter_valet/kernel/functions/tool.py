"""One function as a tool: its description, and how JSON arguments become a call of it."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...wire.errors import ValetError
from ...wire.functions import TOOLSET, Function
from . import docstrings, hints

Function_ = Callable[..., Any]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


class ToolError(Exception):
    """Raise it in a tool to tell whoever calls what is wrong; any other exception tells its type.

    The text reaches the model: nothing secret belongs in it.
    """


class Cancelled(BaseException):
    """Nobody waits for this call any more. It ends a function that reports its progress."""


class Progress:
    """Tells whoever called how far a function is. Calling it ends a call that was given up.

    A parameter with this annotation gets one; it is no argument of the tool.
    """

    def __init__(self, tell: Callable[[float, float | None, str], None] | None = None) -> None:
        self._tell = tell
        self._cancelled = False

    def __call__(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say that `done` of `total` is done. Raises `Cancelled`."""
        if self._cancelled:
            raise Cancelled
        if self._tell is not None:
            self._tell(float(done), None if total is None else float(total), str(message))

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more."""
        return self._cancelled

    def cancel(self) -> None:
        """Let the next report raise."""
        self._cancelled = True


@dataclass(frozen=True)
class Wanted:
    """What the author says of a function besides what its signature says."""

    name: str = ""
    description: str = ""
    toolset: str = TOOLSET
    connections: Mapping[str, Sequence[str]] = field(default_factory=dict)
    access: str = "write"
    timeout: float | None = None
    """Seconds after which whoever called gets an error."""


class ToolFunction:
    """A function that is a tool, too. Calling it calls the function.

    Clients that it declares are made for it when the caller does not give them.
    """

    def __init__(self, function: Function_, wanted: Wanted) -> None:
        self.wanted = wanted
        self.name = wanted.name or function.__name__.lower().strip("_")
        self._function = function
        _check(function, wanted, self.name)
        self._signature = _signature(function, self.name)
        self._hints = _hints(function, self.name)
        self._injected = self._find_injected()
        self._kinds = {p.name: self._kind(p) for p in self._arguments()}
        functools.update_wrapper(self, function)
        if not _NAME.fullmatch(self.name):
            raise _bad(self.name, "its name must be lower-case letters, digits and _")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, as a person does."""
        given = self._signature.bind_partial(*args, **kwargs).arguments
        missing = {n: make() for n, make in self._makers(Progress()).items() if n not in given}
        return self._function(*args, **{**kwargs, **missing})

    def __repr__(self) -> str:
        return f"<tool {self.wanted.toolset}.{self.name}{self._signature}>"

    @property
    def full_name(self) -> str:
        """The name in MCP."""
        return f"{self.wanted.toolset}_{self.name}"

    @property
    def is_async(self) -> bool:
        """Whether calling it returns something to await."""
        return inspect.iscoroutinefunction(self._function)

    def declaration(self) -> Function:
        """Return what the broker is told."""
        said = docstrings.parse(self._function.__doc__)
        description = self.wanted.description or said.description
        return Function(
            name=self.name,
            title=said.summary or self.name.replace("_", " "),
            description=description or self.name.replace("_", " "),
            input_schema=self._schema(said.parameters),
            access=self.wanted.access,
            toolset=self.wanted.toolset,
            connections={p: list(scopes) for p, scopes in self.wanted.connections.items()},
        )

    def bound(self, arguments: Mapping[str, Any], progress: Progress) -> Callable[[], Any]:
        """Return the call with JSON `arguments`, which fit the schema.

        Raises `ToolError` when one does not mean what its hint says (a date that is none).
        """
        given: dict[str, Any] = {}
        for name, value in arguments.items():
            try:
                given[name] = self._kinds[name].convert(value)
            except (KeyError, TypeError, ValueError, ArithmeticError):
                raise ToolError(f"{name} is not what it should be") from None
        call = self._called_async if self.is_async else self._called
        return functools.partial(call, given, progress)

    def _called(self, given: dict[str, Any], progress: Progress) -> Any:
        made = {name: make() for name, make in self._makers(progress).items()}
        try:
            return self._function(**given, **made)
        finally:
            for name in self.wanted.connections.keys() & made.keys():
                made[name].close()

    async def _called_async(self, given: dict[str, Any], progress: Progress) -> Any:
        made = {name: make() for name, make in self._makers(progress).items()}
        try:
            return await self._function(**given, **made)
        finally:
            for name in self.wanted.connections.keys() & made.keys():
                close = getattr(made[name], "aclose", None)
                if close is not None:
                    await close()
                else:
                    made[name].close()

    # From the signature ----------------------------------------------------------------------

    def _schema(self, words: Mapping[str, str]) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        for parameter in self._arguments():
            schema = dict(self._kinds[parameter.name].schema)
            if parameter.name in words:
                schema.setdefault("description", words[parameter.name])
            if isinstance(parameter.default, str | int | float | bool):
                schema.setdefault("default", parameter.default)
            properties[parameter.name] = schema
        needed = [p.name for p in self._arguments() if p.default is p.empty]
        found: dict[str, Any] = {"type": "object", "properties": properties, "required": needed}
        return _lifted({**found, "additionalProperties": False})

    def _arguments(self) -> list[inspect.Parameter]:
        return [p for p in self._signature.parameters.values() if p.name not in self._injected]

    def _kind(self, parameter: inspect.Parameter) -> hints.Kind:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise _bad(self.name, f"a model cannot give {parameter}")
        if parameter.name not in self._hints:
            raise _bad(self.name, f"{parameter.name} has no type hint")
        try:
            return hints.kind(self._hints[parameter.name])
        except hints.Unsupported as unsupported:
            raise _bad(self.name, f"{parameter.name} is a {unsupported}, not JSON") from None

    def _find_injected(self) -> frozenset[str]:
        progress = {n for n, hint in self._hints.items() if hint is Progress}
        return frozenset({*self.wanted.connections, *progress} & {*self._signature.parameters})

    def _makers(self, progress: Progress) -> dict[str, Callable[[], Any]]:
        makers: dict[str, Callable[[], Any]] = {}
        for name in self._injected:
            if name in self.wanted.connections:
                makers[name] = functools.partial(self._client, name)
            else:
                makers[name] = lambda: progress
        return makers

    def _client(self, provider: str) -> Any:
        """Return the client of the form, and of the library, that the annotation names."""
        from .. import clients

        hint = self._hints.get(provider)
        form = getattr(hint, "__name__", "")
        if form == "Session":
            return clients.session(provider)
        named = getattr(hint, "__module__", "").partition(".")[0]
        library = named if named in ("httpx", "httpx2") else ""
        if form == "AsyncClient" or (not form and self.is_async):
            return clients.async_client(provider, library=library)
        return clients.client(provider, library=library)


def _signature(function: Function_, name: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        raise _bad(name, "it has no signature") from None


def _hints(function: Function_, name: str) -> dict[str, Any]:
    try:
        found = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        what = f"a type hint cannot be resolved ({type(error).__name__})"
        raise _bad(name, what) from None
    return {n: hint for n, hint in found.items() if n != "return"}


def _lifted(schema: dict[str, Any]) -> dict[str, Any]:
    """Move the `$defs` that pydantic puts into a parameter up, where its `$ref`s point to."""
    defs: dict[str, Any] = {}
    for inner in schema["properties"].values():
        defs.update(inner.pop("$defs", {}))
    return {**schema, "$defs": defs} if defs else schema


def _check(function: Function_, wanted: Wanted, name: str) -> None:
    if inspect.isclass(function):
        raise _bad(name, "it is a class and not a function")
    if wanted.access not in ("read", "write"):
        raise _bad(name, 'access is "read" or "write"')
    if not isinstance(wanted.connections, Mapping):
        raise _bad(name, 'connections are scopes by provider, such as {"github": ["repo"]}')


def _bad(name: str, what: str) -> ValetError:
    return ValetError("bad_function", name=name or "The function", what=what)
