"""`@valet.tool` without a server: what it makes of a function."""

from __future__ import annotations

import datetime

import pytest

import jupyter_valet as valet
from jupyter_valet.kernel.functions.tool import ToolError, ToolFunction, Wanted
from jupyter_valet.wire.errors import ValetError


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.delenv("JUPYTER_VALET_URL", raising=False)
    monkeypatch.delenv("JUPYTER_VALET_CAPABILITY", raising=False)


def test_without_a_server_the_function_is_what_it_was():
    @valet.tool
    def double(n: int) -> int:
        """Double a number."""
        return 2 * n

    assert double(4) == 8
    assert double.__name__ == "double"
    assert double.__doc__ == "Double a number."


def test_the_schema_comes_from_hints_defaults_and_docstring():
    @valet.tool(access="read", name="pick", description="Pick a row.")
    def _pick(row: int, since: datetime.date | None = None, sort: str = "up") -> None:
        """Ignored.

        Args:
            row: the number
        """

    said = _pick.declaration()
    assert (said.name, said.description, said.access) == ("pick", "Pick a row.", "read")
    assert said.input_schema["required"] == ["row"]
    assert said.input_schema["properties"]["row"]["description"] == "the number"
    assert said.input_schema["properties"]["sort"]["default"] == "up"
    assert said.input_schema["additionalProperties"] is False


def test_injected_parameters_are_no_arguments():
    @valet.tool(connections={"github": ["repo"]})
    def issues(repo: str, github, progress: valet.Progress) -> None: ...

    assert list(issues.declaration().input_schema["properties"]) == ["repo"]
    assert issues.declaration().connections == {"github": ["repo"]}


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("def f(a): ...", "a has no type hint"),
        ("def f(a: object): ...", "a is a object"),
        ("def f(*a: int): ...", "a model cannot give"),
        ("def f(**a: int): ...", "a model cannot give"),
        ("def f(a: int, /): ...", "a model cannot give"),
        ("def f(a: 'Nowhere'): ...", "cannot be resolved"),
        ("def Über(a: int): ...", "lower-case letters"),
    ],
)
def test_what_cannot_be_a_tool_is_said_when_the_cell_runs(code, what):
    namespace: dict[str, object] = {}
    exec(code, namespace)
    function = next(v for n, v in namespace.items() if callable(v) and n != "__builtins__")
    with pytest.raises(ValetError, match=what):
        valet.tool(function)  # type: ignore[call-overload]


def test_an_argument_that_means_nothing_is_the_callers_error():
    def on(day: datetime.date) -> None: ...

    with pytest.raises(ToolError, match="day is not what it should be"):
        ToolFunction(on, Wanted()).bound({"day": "soon"}, valet.Progress())


def test_progress_costs_nothing_when_a_person_calls():
    @valet.tool
    def work(progress: valet.Progress) -> str:
        progress(1, 2, "half")
        return "done"

    assert work() == "done"


def test_a_class_is_no_tool():
    with pytest.raises(ValetError, match="it is a class"):
        valet.tool(type("Gauge", (), {}))


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"access": "red"}, 'access is "read" or "write"'),
        ({"connections": ["github"]}, "by provider"),
    ],
)
def test_what_is_said_wrongly_of_a_function_is_named(said, what):
    with pytest.raises(ValetError, match=what):

        @valet.tool(**said)
        def gauge(n: int) -> int:
            """Read a gauge."""
            return n
