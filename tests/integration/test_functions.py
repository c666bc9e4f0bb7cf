"""Functions of a notebook as tools: a real broker process, the kernel's side in this process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from broker_process import BrokerFork, BrokerProcess, Kernel
from person import Person, asked, finish

from jupyter_valet.kernel import session
from jupyter_valet.kernel.functions.runner import Runner
from jupyter_valet.kernel.functions.tool import Progress, ToolError, ToolFunction, Wanted
from jupyter_valet.kernel.session import Session, _transport
from jupyter_valet.wire.errors import ValetError


@pytest.fixture
def kernel(broker: BrokerProcess) -> Kernel:
    return broker.kernel()


@pytest.fixture
def desk(kernel: Kernel) -> Iterator[Runner]:
    session = Session(_transport(f"http://127.0.0.1:{kernel.port}", kernel.token))
    yield Runner(session)
    session.close()


def add(desk: Runner, function: Any, **wanted: Any) -> ToolFunction:
    made = ToolFunction(function, Wanted(**wanted))
    desk.add(made)
    return made


def result(kernel: Kernel, name: str, **arguments: Any) -> dict[str, Any]:
    status, body = kernel.call_tool(name, arguments)
    assert status == 200, body
    return dict(body["result"])


def listed(kernel: Kernel) -> dict[str, Any]:
    session = Session(_transport(f"http://127.0.0.1:{kernel.port}", kernel.token))
    try:
        return {tool["name"]: tool for tool in session.tools()}
    finally:
        session.close()


def test_a_function_is_listed_with_its_schema_and_called(kernel, desk):
    def add_up(numbers: list[int], offset: int = 0) -> int:
        """Add numbers up.

        Args:
            numbers: what to add
        """
        return sum(numbers) + offset

    add(desk, add_up, access="read")
    tool = listed(kernel)["notebook_add_up"]
    assert tool["description"] == "Add numbers up."
    assert tool["inputSchema"]["properties"]["numbers"]["description"] == "what to add"
    assert tool["inputSchema"]["required"] == ["numbers"]
    assert tool["annotations"]["readOnlyHint"] is True
    assert result(kernel, "notebook_add_up", numbers=[1, 2])["structuredContent"] == 3


def test_functions_run_beside_each_other_and_off_the_main_thread(kernel, desk):
    together = threading.Barrier(3, timeout=20)

    def meet() -> str:
        together.wait()
        return threading.current_thread().name

    add(desk, meet)
    answers: list[Any] = []
    callers = [
        threading.Thread(target=lambda: answers.append(result(kernel, "notebook_meet")))
        for _ in range(3)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert len(answers) == 3
    assert all("tool notebook_meet" in a["structuredContent"] for a in answers)


def test_an_asynchronous_function_is_awaited(kernel, desk):
    async def later(word: str) -> dict[str, str]:
        import asyncio

        await asyncio.sleep(0)
        return {"word": word}

    add(desk, later)
    assert result(kernel, "notebook_later", word="hi")["structuredContent"] == {"word": "hi"}


def test_another_kernel_neither_sees_nor_calls_it(broker, desk, kernel):
    def mine() -> int:
        return 1

    add(desk, mine)
    other = broker.kernel("k2", notebook="b.ipynb")
    assert "notebook_mine" not in listed(other)
    _, body = other.call_tool("notebook_mine", {})
    assert body["error"]["message"] == "Unknown tool"


def test_the_model_gets_the_type_of_an_exception_and_the_person_the_traceback(kernel, desk):
    def fails(path: str) -> None:
        raise ValueError(f"the secret of {path}")

    add(desk, fails)
    said = result(kernel, "notebook_fails", path="x")
    assert said["isError"] is True
    assert "it raised ValueError" in said["content"][0]["text"]
    assert "the secret" not in json.dumps(said)
    assert "ValueError: the secret of x" in desk.failures[0].traceback


def test_the_author_may_tell_the_model_what_is_wrong(kernel, desk):
    def picky(n: int) -> None:
        raise ToolError("n must be even")

    add(desk, picky)
    assert "n must be even" in result(kernel, "notebook_picky", n=1)["content"][0]["text"]
    assert not desk.failures


def test_an_argument_that_does_not_fit_is_named_before_anything_runs(kernel, desk):
    ran = []

    def careful(n: int) -> None:
        ran.append(n)

    add(desk, careful)
    said = result(kernel, "notebook_careful", n="three")
    assert "n must be of type integer" in said["content"][0]["text"]
    assert not ran


def test_a_function_that_takes_too_long_is_given_up(kernel, desk):
    def endless(progress: Progress) -> None:
        while True:
            progress(0)
            time.sleep(0.02)

    add(desk, endless, timeout=0.3)
    assert "longer than 0.3 seconds" in result(kernel, "notebook_endless")["content"][0]["text"]


def test_a_caller_that_goes_away_ends_a_function_that_reports_progress(kernel, desk):
    ended = threading.Event()

    def patient(progress: Progress) -> None:
        try:
            while True:
                progress(0)
                time.sleep(0.02)
        finally:
            ended.set()

    add(desk, patient)
    with pytest.raises(TimeoutError):
        kernel.call_tool_for(0.5, "notebook_patient", {})
    assert ended.wait(20)


def test_a_kernel_that_ends_in_the_middle_is_an_error_for_the_caller(broker, kernel, desk):
    started = threading.Event()

    def slow() -> None:
        started.set()
        time.sleep(30)

    add(desk, slow)
    said: list[dict[str, Any]] = []
    caller = threading.Thread(target=lambda: said.append(result(kernel, "notebook_slow")))
    caller.start()
    assert started.wait(20)
    broker.call("capability.revoke", kernel_id="k1")
    caller.join(20)
    assert "ended before the function" in said[0]["content"][0]["text"]


def test_a_function_asks_for_the_connection_that_it_needs(broker, kernel, desk):
    def issues() -> str:
        return "called"

    add(desk, issues, connections={"demo": ["issues:read"]})
    transaction, key, state = asked(kernel.call_tool("notebook_issues", {}))
    Person().sign_in(broker, transaction)
    said = finish(kernel, "notebook_issues", {}, key, state)
    assert said["structuredContent"] == "called"


def test_declarations_come_back_after_the_broker_has(tmp_path, issuer):
    with BrokerFork(tmp_path / "valet", demo_issuer=issuer) as broker:
        kernel = broker.kernel()
        session = Session(_transport(f"http://127.0.0.1:{kernel.port}", kernel.token))
        desk = Runner(session)

        def stays() -> int:
            return 7

        add(desk, stays)
        broker.kill()
        params = {**broker.start_params, "kernels": []}
        with BrokerFork(tmp_path / "valet", broker.listener, **{"demo_issuer": issuer}) as again:
            del params
            from jupyter_valet.wire import capability

            again.call(
                "capability.register",
                digest=capability.digest(kernel.token),
                kernel_id="k1",
                principal="owner",
                notebook="a.ipynb",
                origin="http://127.0.0.1:8888/",
            )
            deadline = time.monotonic() + 40
            while "notebook_stays" not in listed(kernel):
                assert time.monotonic() < deadline
                time.sleep(0.2)
            assert result(kernel, "notebook_stays")["structuredContent"] == 7
        session.close()


@pytest.mark.parametrize(
    "declaration",
    [
        {"name": "../x"},
        {"name": "X"},
        {"name": "a" * 60, "toolset": "notebook"},
        {"toolset": "demo_x"},
        {"input_schema": {"type": "array"}},
        {"input_schema": {"type": "object", "$ref": "https://evil.example/schema"}},
        {"input_schema": {"type": "object", "properties": {"a": {"type": "nonsense"}}}},
        {"connections": {"nobody": []}},
        {"connections": []},
    ],
)
def test_a_declaration_that_no_list_can_take_is_refused(kernel, declaration):
    whole = {"name": "f", "title": "", "description": "", "input_schema": {"type": "object"}}
    status, body = kernel.request("PUT", "/functions", {"functions": [{**whole, **declaration}]})
    assert status in (400, 404), body
    assert body["error"]["code"] in ("bad_function", "unknown_provider")


def test_a_function_cannot_take_the_name_of_another_toolset_s_tool(kernel, desk):
    """A kernel that shadows `demo_list_issues` would get what an agent tells that tool."""

    def list_issues() -> str:
        return "mine"

    add(desk, list_issues, toolset="demo")
    assert listed(kernel)["demo_list_issues"]["description"] != "list issues"


def test_a_result_without_a_form_in_json_is_an_error_that_names_its_type(kernel, desk):
    def odd() -> object:
        return object()

    add(desk, odd)
    said = result(kernel, "notebook_odd")
    assert "it returned a value of type object" in said["content"][0]["text"]


def test_a_picture_comes_as_a_picture(kernel, desk):
    class Picture:
        def _repr_png_(self) -> bytes:
            return b"\x89PNG"

    def draw() -> object:
        return Picture()

    add(desk, draw)
    assert result(kernel, "notebook_draw")["content"][0]["mimeType"] == "image/png"


def test_a_refused_function_leaves_the_one_before_it_in_place(kernel, desk):
    def f() -> int:
        return 1

    add(desk, f)
    with pytest.raises(ValetError, match="no provider named"):
        add(desk, f, connections={"nobody": []})
    assert result(kernel, "notebook_f")["structuredContent"] == 1


def test_a_function_gets_an_authorized_client_and_no_credential(broker, kernel, desk, monkeypatch):
    """What it sends passes the same gate as every other request of its notebook."""
    import httpx2

    monkeypatch.setenv("JUPYTER_VALET_URL", f"http://127.0.0.1:{kernel.port}")
    monkeypatch.setenv("JUPYTER_VALET_CAPABILITY", kernel.token)

    def titles(project: str, demo: httpx2.Client) -> list[str]:
        answer = demo.get(f"/api/projects/{project}/issues")
        answer.raise_for_status()
        return [issue["title"] for issue in answer.json()]

    monkeypatch.setitem(titles.__globals__, "httpx2", httpx2)
    add(desk, titles, connections={"demo": ["issues:read"]}, access="read")
    transaction, key, state = asked(kernel.call_tool("notebook_titles", {"project": "tidepool"}))
    Person().sign_in(broker, transaction)
    said = finish(kernel, "notebook_titles", {"project": "tidepool"}, key, state)
    assert not said.get("isError"), said
    assert len(said["structuredContent"]) > 1
    session.current().close()
