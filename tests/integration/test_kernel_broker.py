"""The kernel side against a real broker process and the demo provider."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from broker_process import ORIGIN, BrokerProcess, Kernel
from person import Person

from jupyter_valet import tools
from jupyter_valet.kernel import magics, session
from jupyter_valet.kernel.flow import Post
from jupyter_valet.kernel.mcp import Call
from jupyter_valet.wire import capability
from jupyter_valet.wire.errors import ValetError


@pytest.fixture
def kernel(broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """Make this process a kernel of that broker."""
    found = broker.kernel()
    monkeypatch.setenv("JUPYTER_VALET_URL", f"http://127.0.0.1:{found.port}")
    monkeypatch.setenv("JUPYTER_VALET_CAPABILITY", found.token)
    yield found
    session.current().close()


def meanwhile(capsys: pytest.CaptureFixture[str], act: Callable[[str], object]) -> threading.Thread:
    """Wait for the card's address in a thread, then do what the person does."""

    def watch() -> None:
        said, found = "", None
        while found is None:  # what is read may end in the middle of the address
            time.sleep(0.05)
            said += capsys.readouterr().err
            found = re.search(r"/valet/connect/([\w-]+)\s", said)
        act(found[1])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_the_call_that_asked_finishes(
    broker: BrokerProcess, kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 2, the main job, from `tools` to the result; then silently."""
    meanwhile(capsys, lambda id_: Person().sign_in(broker, id_))
    issues = tools.demo.list_issues("tidepool", limit=3)
    assert len(issues) == 3
    assert len(issues.df) == 3
    assert "<table>" in issues._repr_html_()
    assert len(tools.demo.list_issues("tidepool", limit=2)) == 2
    assert [c["account"] for c in magics.connections("")] == ["amara"]


def test_more_rights_are_asked_for_when_they_are_needed(
    broker: BrokerProcess, kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    """Step-up: a second card in the same notebook, a third for the write, which happens once."""
    meanwhile(capsys, lambda id_: Person().sign_in(broker, id_))
    before = len(tools.demo.list_issues("tidepool", limit=100))

    def twice(id_: str) -> None:
        Person().sign_in(broker, id_)
        meanwhile(capsys, lambda write: Person().press(broker, "allow", write, choice="once"))

    meanwhile(capsys, twice)
    made = tools.demo.create_issue("tidepool", title="From a notebook")
    assert made["title"] == "From a notebook"
    assert len(tools.demo.list_issues("tidepool", limit=100)) == before + 1


def test_an_unticked_box_is_one_line(
    broker: BrokerProcess, kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    """Granted scopes are not the scopes that were asked for."""
    meanwhile(capsys, lambda id_: Person().sign_in(broker, id_, untick="issues:read"))
    with pytest.raises(ValetError) as error:
        tools.demo.list_issues("tidepool")
    assert "still needs" in str(error.value)
    assert str(error.value).count("box ticked") == 1


def test_interrupt_ends_the_transaction_at_the_broker(
    broker: BrokerProcess, kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    """EC-10: the page behind the link is over, too."""
    import _thread

    found: list[str] = []

    def interrupt(id_: str) -> None:
        found.append(id_)
        _thread.interrupt_main()

    meanwhile(capsys, interrupt)
    with pytest.raises(KeyboardInterrupt):
        tools.demo.list_issues("tidepool")
    assert session.current().transaction(found[0]).state == "cancelled"


def test_connect_and_disconnect(
    broker: BrokerProcess, kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    """The magics' whole life of a connection."""
    meanwhile(capsys, lambda id_: Person().sign_in(broker, id_))
    magics.connect("demo")
    capsys.readouterr()
    magics.connect("demo")
    assert "signed in as amara" in capsys.readouterr().out
    magics.valet("")
    assert "demo" in capsys.readouterr().out
    magics.disconnect("demo --revoke")
    assert magics.connections("") == []


def test_a_broker_killed_while_the_person_is_away_still_finishes_the_call(
    broker: BrokerProcess, kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    """The socket outlives the process: the kernel's long poll and call only wait."""
    successor: list[BrokerProcess] = []

    def person(id_: str) -> None:
        broker.kill()
        time.sleep(0.3)
        new = BrokerProcess(
            broker.state_dir,
            broker.listener,
            demo_issuer=broker.start_params["demo_issuer"],
            kernels=[facts_of(kernel)],
        )
        successor.append(new.__enter__())
        Person().sign_in(new, id_)

    watching = meanwhile(capsys, person)
    try:
        assert len(tools.demo.list_issues("tidepool", limit=2)) == 2
        watching.join(30)
    finally:
        for each in successor:
            each.__exit__(None, None, None)


def facts_of(kernel: Kernel) -> dict[str, str]:
    """What the supervisor tells a new broker of a kernel that runs already."""
    return {
        "digest": capability.digest(kernel.token),
        "kernel_id": "k1",
        "principal": "owner",
        "notebook": "a.ipynb",
        "origin": ORIGIN,
    }


def test_wrong_arguments_and_unknown_tools_are_one_line(
    broker: BrokerProcess, kernel: Kernel
) -> None:
    """Before the wire where the signature knows it, from the broker where its schema does."""
    with pytest.raises(ValetError) as error:
        tools.demo.list_issues()
    assert error.value.code == "bad_arguments"
    with pytest.raises(ValetError) as error:
        tools.demo.list_issues("tidepool", limit="many")
    assert "limit must be of type integer" in str(error.value)
    with pytest.raises(ValetError):
        session.current().post(Post(Call("tools/call", {"name": "no_such", "arguments": {}})))
