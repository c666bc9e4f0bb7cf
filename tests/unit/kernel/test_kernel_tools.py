"""`tools` against a broker in a thread: lookup, calls, sign-ins, both forms."""

from __future__ import annotations

import asyncio
import inspect
import socket
import threading
import time
from typing import Any

import pytest
from kernel_broker import ISSUES, FakeBroker

from jupyter_valet import tools
from jupyter_valet.kernel.tools import Tools
from jupyter_valet.wire.errors import ValetError

BOTH_BODIES = pytest.mark.parametrize("sse", [False, True], ids=["json", "sse"])


def test_completion_knows_toolsets_and_tools(broker: FakeBroker) -> None:
    """`tools.<TAB>`, `tools.demo.<TAB>`, `tools["de<TAB>`; all pages of the list are read."""
    assert dir(tools) == ["call", "demo", "mcp", "other", "to_anthropic", "to_openai"]
    assert dir(tools.demo) == ["create_issue", "list_issues"]
    assert tools._ipython_key_completions_() == ["demo", "other"]
    assert tools["demo.list_issues"].__name__ == "list_issues"
    assert tools["demo"]["create_issue"] is tools.demo.create_issue


def test_tools_have_signatures_and_help(broker: FakeBroker) -> None:
    """`tools.demo.list_issues?` and Shift-Tab."""
    tool = tools.demo.list_issues
    assert list(inspect.signature(tool).parameters) == ["repo", "state", "per_page"]
    assert inspect.signature(tool.aio) == inspect.signature(tool)
    text = inspect.getdoc(tool)
    assert text is not None
    assert "List the issues" in text
    assert "repo: owner/name" in text
    assert "Needs a sign-in with demo" in text


def test_everything_shows_itself(broker: FakeBroker) -> None:
    """A notebook's way of asking what there is."""
    assert "list_issues" in repr(tools)
    assert "list_issues(repo: str" in tools._repr_html_()
    assert "List issues" in repr(tools.demo)
    assert "create_issue(title: str)" in repr(tools.demo.create_issue)


@pytest.mark.parametrize(("name", "hint"), [("dmo", "Did you mean demo?"), ("zzz", "demo, other")])
def test_an_unknown_toolset_names_what_is_close(broker: FakeBroker, name: str, hint: str) -> None:
    """An error with a next step, that is an AttributeError too."""
    with pytest.raises(ValetError) as error:
        getattr(tools, name)
    assert isinstance(error.value, AttributeError)
    assert error.value.code == "unknown_tool"
    assert hint in str(error.value)
    assert not hasattr(tools, name)


def test_an_unknown_tool_names_what_is_close(broker: FakeBroker) -> None:
    """As for toolsets."""
    with pytest.raises(ValetError, match="Did you mean list_issues"):
        _ = tools.demo.list_isues


def test_a_name_that_is_missing_makes_the_list_new(broker: FakeBroker) -> None:
    """A toolset that was added while the notebook ran."""
    demo = tools.demo
    new = {
        **broker.tools[2],
        "name": "demo_new",
        "_meta": {"jupyter-valet/toolset": "demo", "jupyter-valet/tool": "new"},
    }
    broker.tools.append(new)
    assert demo.new.__name__ == "new"


def test_private_names_ask_nobody(broker: FakeBroker) -> None:
    """IPython looks for dozens of them."""
    with pytest.raises(AttributeError):
        _ = tools._repr_png_
    assert broker.requests == []


def test_a_tool_with_invalid_headers_is_dropped(broker: FakeBroker) -> None:
    """MC-06."""
    broker.tools[1]["inputSchema"] = {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}}
    assert dir(tools.demo) == ["list_issues"]


def test_declared_headers_are_sent_with_the_call(broker: FakeBroker) -> None:
    """MC-06."""
    broker.connected = True
    tools.demo.create_issue("New")
    assert broker.last_headers["Mcp-Param-Title"] == "New"  # type: ignore[attr-defined]


@BOTH_BODIES
def test_the_call_that_asked_finishes(
    broker: FakeBroker, sse: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The main flow in a plain script: the URL as text, then every state, then the result."""
    broker.sse = sse
    broker.person("opened", "at_provider", "done")
    assert tools.demo.list_issues("a/b") == ISSUES
    said = capsys.readouterr().err
    assert "/valet/connect/" in said
    for words in ("Waiting for you", "page is open", "at Demo Provider", "Signed in"):
        assert words in said
    legs = [c for c in broker.calls if c["method"] == "tools/call"]
    assert [set(c["params"]) - {"_meta"} for c in legs] == [
        {"name", "arguments"},
        {"name", "arguments", "inputResponses", "requestState"},
    ]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("declined", "declined"),
        ("cancelled", "cancelled"),
        ("expired", "expired"),
        ("failed", "sign_in_failed"),
    ],
)
def test_a_sign_in_that_does_not_happen_is_one_line(
    broker: FakeBroker, state: str, code: str
) -> None:
    """ES-14's other half, over the wire."""
    broker.person(state)
    with pytest.raises(ValetError) as error:
        tools.demo.list_issues("a/b")
    assert error.value.code == code
    assert "\n" not in str(error.value)


@BOTH_BODIES
@pytest.mark.anyio
async def test_awaited_calls_leave_the_loop_free(broker: FakeBroker, sse: bool) -> None:
    """`await tools.demo.list_issues.aio(...)`."""
    broker.sse = sse
    broker.person("done", pause=0.3)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    assert await tools.demo.list_issues.aio("a/b") == ISSUES
    ticking.cancel()
    assert ticks > 10


@pytest.mark.anyio
async def test_cancelling_the_task_cancels_the_sign_in(broker: FakeBroker) -> None:
    """EC-10: nothing is left pending."""
    task = asyncio.create_task(tools.demo.list_issues.aio("a/b"))
    view = await asyncio.to_thread(broker.pending)
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert broker.ended == [(view.id, "cancel")]


@pytest.mark.anyio
async def test_calls_at_once_share_one_card(
    broker: FakeBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    """One transaction, one card, however many calls wait; cancelling one keeps it for the rest."""
    calls = [asyncio.create_task(tools.demo.list_issues.aio("a/b")) for _ in range(5)]
    view = await asyncio.to_thread(broker.pending)
    await asyncio.sleep(0.3)
    calls[0].cancel()
    await asyncio.sleep(0.1)
    assert broker.ended == []
    broker.move(view.id, "done", account="jane")
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [ISSUES] * 4
    assert capsys.readouterr().err.count("/valet/connect/") == 1


def test_a_lost_answer_is_asked_for_again_when_the_tool_reads(broker: FakeBroker) -> None:
    """The broker restarts in the middle of a call."""
    broker.connected = True
    broker.drop = 2
    assert tools.demo.list_issues("a/b") == ISSUES


def test_a_lost_answer_of_a_write_is_not_repeated(broker: FakeBroker) -> None:
    """It may have happened."""
    broker.connected = True
    _ = tools.demo
    broker.drop = 1
    with pytest.raises(ValetError) as error:
        tools.demo.create_issue("x")
    assert error.value.code == "broker_unreachable"
    assert broker.drop == 0
    assert [c for c in broker.calls if c["method"] == "tools/call"] == []


def test_threads_share_the_session(broker: FakeBroker) -> None:
    """Safe from any thread, and MC-03 holds: no id is used twice."""
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(tools.other.echo(value=n)["value"]))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(found) == list(range(20))


def test_an_unknown_kernel_is_told_what_to_do(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The capability was revoked, or another Jupyter runs on the port now."""
    monkeypatch.setenv("JUPYTER_VALET_CAPABILITY", "jvk_" + "x" * 43)
    with pytest.raises(ValetError) as error:
        _ = Tools().demo
    assert error.value.code == "capability_refused"
    assert Tools()._ipython_key_completions_() == []


def test_the_address_is_never_fetched(broker: FakeBroker) -> None:
    """EC-11: no prefetch, no preview; only the person's browser goes there."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.2)
        broker.origin = f"http://127.0.0.1:{canary.getsockname()[1]}/"
        broker.person("opened", "done")
        tools.demo.list_issues("a/b")
        with pytest.raises(TimeoutError):
            canary.accept()


def test_the_long_poll_is_no_busy_loop(broker: FakeBroker) -> None:
    """One request for each change, not more."""
    broker.person("opened", "done", pause=0.4)
    tools.demo.list_issues("a/b")
    looks = [path for path in broker.paths if path.startswith("/transactions/")]
    assert len(looks) <= 3


def test_no_wait_is_added_to_the_sign_in(broker: FakeBroker) -> None:
    """The kernel learns of completion by long poll, at once; a machine may be busy."""

    def signed_in_after() -> float:
        broker.connected = False
        broker.person("done", pause=0.2)
        begin = time.monotonic()
        tools.demo.list_issues("a/b")
        return time.monotonic() - begin

    assert any(signed_in_after() < 0.2 + 0.6 for _ in range(5))
