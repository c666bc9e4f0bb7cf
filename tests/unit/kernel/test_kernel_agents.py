"""`tools.mcp` and `tools.call`: what agents of any framework are given, and who shows the card."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import threading
import time
from typing import Any

import pytest
from IPython.lib.pretty import pretty
from kernel_broker import FakeBroker

from jupyter_valet import tools
from jupyter_valet.kernel.agents import watch
from jupyter_valet.kernel.agents.endpoint import FRAMEWORKS, Endpoint
from jupyter_valet.kernel.desk import desk
from jupyter_valet.wire.errors import ValetError
from jupyter_valet.wire.held import PATIENCE

EVERY = pytest.mark.parametrize("framework", [f for f in FRAMEWORKS if f != "anthropic"])

IMPATIENT = {
    "openai_agents": "client_session_timeout_seconds",  # 5 seconds by default
    "smolagents": "client_session_timeout_seconds",  # 5
    "llama_index": "timeout",  # 30
    "pydantic_ai": "read_timeout",  # 300
    "adk": "sse_read_timeout",  # 300
    "langchain": "sse_read_timeout",  # 300
}
"""Frameworks that give up before a person has signed in, and how they are told to wait."""


def values(data: Any, name: str) -> list[Any]:
    """Return every value of `name`, at whatever depth."""
    if not isinstance(data, dict):
        return []
    found = [data[name]] if name in data else []
    return found + [v for value in data.values() for v in values(value, name)]


def test_a_client_of_mcp_needs_an_address_and_a_header(broker: FakeBroker) -> None:
    assert tools.mcp.url == f"{broker.url}/mcp"
    assert tools.mcp.headers == {"Authorization": f"Bearer {broker.token}"}


@EVERY
def test_every_framework_is_given_the_address_and_the_capability(
    broker: FakeBroker, framework: str
) -> None:
    text = json.dumps(getattr(tools.mcp, framework)())
    if framework == "sdk":
        assert broker.token in text  # the address is an argument of the transport
    elif framework == "claude_code":
        assert "${JUPYTER_VALET_URL}/mcp" in text
        assert "Bearer ${JUPYTER_VALET_CAPABILITY}" in text
        assert broker.token not in text  # it is written into a file
    else:
        assert f"{broker.url}/mcp" in text
        assert broker.token in text


@EVERY
def test_no_cell_shows_the_capability(broker: FakeBroker, framework: str) -> None:
    """What a cell ends with is saved in the notebook."""
    snippet = getattr(tools.mcp, framework)()
    plain = dict(snippet)
    for shown in (snippet, plain, *values(plain, "headers"), tools.mcp, tools.mcp.headers, tools):
        for text in (repr(shown), str(shown), pretty(shown), f"{shown}"):
            assert broker.token not in text


@EVERY
def test_a_snippet_shows_the_lines_to_type(broker: FakeBroker, framework: str) -> None:
    shown = repr(getattr(tools.mcp, framework)())
    assert f"tools.mcp.{framework}()" in shown
    assert shown in repr(tools.mcp)
    for line in shown.splitlines():
        assert len(line) <= 100
    compile(shown, framework, "exec", flags=0x2000)  # with top-level await, as cells have it


def test_every_method_is_listed() -> None:
    methods = [name for name in vars(Endpoint) if not name.startswith("_")]
    assert sorted(FRAMEWORKS) == sorted(set(methods) - {"url", "headers"})


@EVERY
def test_the_endpoint_is_told_how_long_the_client_waits(broker: FakeBroker, framework: str) -> None:
    """Less than the client does, so that the model reads words instead of a time-out."""
    snippet = getattr(tools.mcp, framework)()
    [patience] = values(snippet, PATIENCE)
    option = IMPATIENT.get(framework)
    if option is not None:
        [seconds] = values(snippet, option)
        assert 4 < int(patience) < seconds
    if framework in ("json", "claude_code"):
        assert int(patience) < 60  # what the SDK for TypeScript waits


def test_where_nobody_is_nobody_is_waited_for(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "attended", lambda: False)
    assert values(tools.mcp.langchain(), PATIENCE) == ["0"]


def test_the_hidden_header_is_a_string_like_any_other(broker: FakeBroker) -> None:
    header = tools.mcp.headers["Authorization"]
    expected = f"Bearer {broker.token}"
    assert isinstance(header, str)
    for same in (copy.deepcopy(header), pickle.loads(pickle.dumps(header)), header[:]):
        assert same == expected
        assert same.encode() == expected.encode()
    assert broker.token not in repr(copy.deepcopy(header))


def test_without_a_server_there_is_nothing_to_hand_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTER_VALET_URL", raising=False)
    for ask in (lambda: tools.mcp.url, lambda: tools.mcp.headers, tools.mcp.adk):
        with pytest.raises(ValetError) as error:
            ask()
        assert error.value.code == "no_server"


def test_tools_are_described_to_openai(broker: FakeBroker) -> None:
    chat = tools.to_openai("demo.list_issues")
    [described] = chat
    assert described["type"] == "function"
    function = described["function"]
    assert function["name"] == "demo_list_issues"
    assert function["description"].startswith("List")
    assert function["parameters"]["required"] == ["repo"]
    [flat] = tools.to_openai("demo_list_issues", api="responses")
    assert (flat["type"], flat["name"]) == ("function", "demo_list_issues")
    assert flat["parameters"] == function["parameters"]
    with pytest.raises(ValetError, match="api="):
        tools.to_openai(api="completions")


def test_tools_are_described_to_anthropic(broker: FakeBroker) -> None:
    described = tools.to_anthropic("demo", "other.echo")
    assert [tool["name"] for tool in described] == [
        "demo_list_issues",
        "demo_create_issue",
        "other_echo",
    ]
    assert set(described[0]) == {"name", "description", "input_schema"}


def test_without_names_a_model_is_told_what_agents_are_shown(broker: FakeBroker) -> None:
    """And not everything there is: a large API would fill its context."""
    assert len(tools.to_openai()) == 3
    assert "jupyter-valet/list" not in broker.calls[-1]["params"]["_meta"]


def test_an_unknown_name_says_which_there_are(broker: FakeBroker) -> None:
    with pytest.raises(ValetError, match="There are demo, other"):
        tools.to_anthropic("gihub")


def test_a_models_call_is_made(broker: FakeBroker) -> None:
    """With arguments as SDKs give them, and with what a model is given for an answer."""
    broker.connected = True
    for arguments in ('{"repo": "a/b"}', {"repo": "a/b"}):
        answer = tools.call("demo_list_issues", arguments)
        assert "First" in answer
        assert not answer.is_error
    assert asyncio.run(tools.call.aio("demo_list_issues", {"repo": "a/b"})) == answer
    assert "jupyter-valet/whole" not in broker.calls[-1]["params"]["_meta"]
    assert json.dumps({"content": answer})


def test_a_models_call_sends_the_headers_that_its_tool_declares(broker: FakeBroker) -> None:
    """MC-06."""
    broker.connected = True
    tools.call("demo_create_issue", {"title": "A gap"})
    assert broker.last_headers["Mcp-Param-Title"] == "A gap"  # type: ignore[attr-defined]


def test_a_models_call_waits_for_the_person(broker: FakeBroker) -> None:
    broker.person("opened", "done")
    assert "First" in tools.call("demo_list_issues", {"repo": "a/b"})


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("demo_list_issues", "not JSON", "bad_arguments"),
        ("demo_list_issues", "[1]", "bad_arguments"),
        ("demo_lst_issues", "{}", "unknown_tool"),
    ],
)
def test_what_a_model_did_wrong_is_its_answer(
    broker: FakeBroker, name: str, arguments: str, code: str
) -> None:
    answer = tools.call(name, arguments)
    assert answer.startswith(f"{code}: ")
    assert answer.is_error


def test_what_a_person_declined_is_an_answer(broker: FakeBroker) -> None:
    broker.person("declined")
    answer = tools.call("demo_list_issues", {"repo": "a/b"})
    assert answer.is_error
    assert answer.startswith("declined: ")


def test_a_call_that_is_held_gets_its_card(
    broker: FakeBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    """The call is the framework's; only the broker knows that it waits."""
    assert tools.mcp.url
    view = broker.ask()
    broker.hold(view)
    shown = ""
    for _ in range(2000):
        shown += capsys.readouterr().err
        if view.url in shown:
            break
        time.sleep(0.01)
    assert view.url in shown
    broker.move(view.id, "done", account="jane")
    for _ in range(2000):
        shown += capsys.readouterr().err
        if "as jane" in shown:
            break
        time.sleep(0.01)
    assert "as jane" in shown


def test_where_nobody_is_no_card_is_shown(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the question stays on the page of connections."""
    asked: list[bool] = []

    def attended() -> bool:
        asked.append(True)
        return False

    monkeypatch.setattr(desk, "attended", attended)
    assert tools.mcp.url
    view = broker.ask()
    broker.hold(view)
    for _ in range(2000):
        if asked:
            break
        time.sleep(0.01)
    assert asked
    assert view.url not in capsys.readouterr().err
    assert broker.ended == []


def test_an_interrupted_cell_gives_up_what_it_asked_for(
    broker: FakeBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    """After any other end of the cell, the card stays for whoever comes back to it."""
    assert tools.mcp.url
    view = broker.ask()
    broker.hold(view)
    [watching] = watch._watches.values()
    for _ in range(2000):
        if view.id in watching._shown:
            break
        time.sleep(0.01)

    class Result:
        error_in_exec: BaseException | None = None

    watching._ended(Result())
    assert broker.ended == []
    Result.error_in_exec = KeyboardInterrupt()
    watching._ended(Result())
    assert broker.ended == [(view.id, "cancel")]


def test_the_loop_of_a_cell_that_waits_is_woken() -> None:
    """ipykernel's Interrupt cancels the cell's task and wakes no loop."""
    woken, over = threading.Event(), threading.Event()

    class Loop:
        def call_soon_threadsafe(self, callback: Any) -> None:
            callback()
            woken.set()

    stirring = threading.Thread(target=watch._stir, args=(Loop(), over))
    stirring.start()
    assert woken.wait(5)
    over.set()
    stirring.join(5)
    assert not stirring.is_alive()


def test_a_loop_that_was_closed_is_let_alone() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    watch._stir(loop, threading.Event())
