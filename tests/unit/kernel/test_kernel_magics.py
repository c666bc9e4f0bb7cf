"""The extension in a real IPython shell, and what loading it costs."""

from __future__ import annotations

import atexit
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from kernel_broker import FakeBroker
from traitlets.config import Config

from jupyter_valet import load_ipython_extension, tools, unload_ipython_extension
from jupyter_valet.wire.errors import ValetError

HEAVY = {"mcp", "httpx", "httpx2", "pydantic", "anyio", "aiohttp", "authlib"}
HEAVY |= {"ipywidgets", "pandas", "IPython", "traitlets"}
CONNECTION = {
    "id": "c1",
    "provider": "demo",
    "provider_title": "Demo Provider",
    "account_id": "1",
    "account": "jane",
    "scopes": ["read"],
    "last_used_at": 1_700_000_000.0,
}


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell without a history file, alone in this process."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell.clear_instance()
    found = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    yield found
    atexit.unregister(found.atexit_operations)  # its folder is gone by then
    InteractiveShell.clear_instance()


@pytest.fixture
def loaded(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> InteractiveShell:
    load_ipython_extension(shell)
    capsys.readouterr()
    return shell


def magic(shell: InteractiveShell, line: str) -> Any:
    name, _, rest = line.partition(" ")
    return shell.run_line_magic(name, rest)


def test_loading_says_one_line_and_binds_tools(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line of output."""
    load_ipython_extension(shell)
    assert shell.user_ns["tools"] is tools
    assert capsys.readouterr().out.count("\n") == 1


def test_a_name_of_the_person_is_left_alone(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """`tools` may be anything already."""
    shell.user_ns["tools"] = "mine"
    load_ipython_extension(shell)
    assert shell.user_ns["tools"] == "mine"
    said = capsys.readouterr().out
    assert "from jupyter_valet import tools" in said
    assert said.count("\n") == 1
    unload_ipython_extension(shell)
    assert shell.user_ns["tools"] == "mine"


def test_unloading_takes_everything_back(loaded: InteractiveShell) -> None:
    """`%unload_ext`."""
    unload_ipython_extension(loaded)
    assert "tools" not in loaded.user_ns
    for name in ("connect", "connections", "disconnect", "valet"):
        assert name not in loaded.magics_manager.magics["line"]
    assert completions(loaded, "%connect ") == completions(loaded, "%nothing ")


@pytest.mark.usefixtures("broker")
def test_the_reload_of_the_extension_is_quiet(loaded: InteractiveShell) -> None:
    """`%reload_ext`."""
    unload_ipython_extension(loaded)
    load_ipython_extension(loaded)
    assert loaded.user_ns["tools"] is tools


def test_connect_shows_the_card_and_waits(
    broker: FakeBroker, loaded: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """`%connect demo`."""
    broker.person("done")
    magic(loaded, "connect demo")
    assert broker.connected
    assert "Signed in to Demo Provider as jane" in capsys.readouterr().err


def test_connect_is_quick_when_it_is_done_already(
    broker: FakeBroker, loaded: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Idempotent."""
    broker.connected = True
    magic(loaded, "connect demo")
    assert capsys.readouterr().out == "Demo Provider: already signed in as jane.\n"


def test_connect_takes_scopes_and_a_new_account(
    broker: FakeBroker, loaded: InteractiveShell
) -> None:
    """`--scopes a,b --new-account`."""
    broker.connected = True
    broker.person("done")
    magic(loaded, "connect demo --scopes read,write --new-account")
    assert len(broker.transactions) == 1


def test_connect_raises_what_went_wrong(broker: FakeBroker, loaded: InteractiveShell) -> None:
    """*Run all* must stop here."""
    broker.person("declined")
    with pytest.raises(ValetError) as error:
        magic(loaded, "connect demo")
    assert error.value.code == "declined"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("connect", "usage"),
        ("connect demo --nonsense", "usage"),
        ("connect 'demo", "usage"),
        ("connect nowhere", "unknown_provider"),
        ("connections x", "usage"),
        ("disconnect", "usage"),
        ("disconnect nowhere", "not_found"),
        ("valet x", "usage"),
    ],
)
def test_a_mistake_is_one_line(
    broker: FakeBroker, loaded: InteractiveShell, line: str, code: str
) -> None:
    """Never a traceback, never the end of the process."""
    with pytest.raises(ValetError) as error:
        magic(loaded, line)
    assert error.value.code == code
    assert len(error.value._render_traceback_()) == 1


def test_connections_are_a_table(broker: FakeBroker, loaded: InteractiveShell) -> None:
    """`%connections`, with `.df`."""
    broker.connections = [CONNECTION]
    found = magic(loaded, "connections")
    assert found[0]["account"] == "jane"
    assert found[0]["scopes"] == "read"
    assert found[0]["last used"].startswith("2023-11-1")
    assert "<table>" in found._repr_html_()


def completions(shell: InteractiveShell, line: str) -> list[str]:
    """Return what Tab offers at the end of `line`, as a kernel asks for it."""
    with provisionalcompleter():
        return [found.text for found in shell.Completer.completions(line, len(line))]


def test_connect_completes_the_providers(broker: FakeBroker, loaded: InteractiveShell) -> None:
    """The names are the broker's, so they need not be known by heart."""
    assert completions(loaded, "%connect ") == ["demo", "github"]
    assert completions(loaded, "%connect demo gi") == ["github"]
    assert completions(loaded, "%connect --n") == ["--new-account"]


def test_disconnect_completes_what_is_signed_in(
    broker: FakeBroker, loaded: InteractiveShell
) -> None:
    """A name from elsewhere that could not be typed is left out."""
    broker.connections = [CONNECTION, {**CONNECTION, "id": "c2", "account": "a b\x1b[31m"}]
    assert completions(loaded, "%disconnect ") == ["demo", "demo/jane"]
    assert completions(loaded, "%disconnect --r") == ["--revoke"]


def test_without_a_broker_nothing_is_offered(
    loaded: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tab never raises."""
    monkeypatch.delenv("JUPYTER_VALET_URL", raising=False)
    assert not {"demo", "github"} & set(completions(loaded, "%connect "))


@pytest.mark.usefixtures("broker")
def test_no_connection_is_a_sentence(loaded: InteractiveShell) -> None:
    """`[]` says nothing about what to do."""
    found = magic(loaded, "connections")
    assert found == []
    assert repr(found).splitlines()[0] == "This notebook may use no account. Type %connect NAME."


@pytest.mark.usefixtures("broker")
def test_the_accounts_stand_above_what_their_safety_rests_on(loaded: InteractiveShell) -> None:
    """D4: the level is shown where connections are."""
    assert repr(magic(loaded, "connections")).endswith("Isolation L1: no passive reading")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("connect", "%connect: the following arguments are required: NAME. Type %connect NAME ["),
        ("connect 'x", "%connect: a quotation mark is missing. Type %connect NAME ["),
        ("valet x", "%valet knows doctor, errors, add, remove. Type %valet"),
    ],
)
@pytest.mark.usefixtures("broker")
def test_a_mistake_says_what_to_type(loaded: InteractiveShell, line: str, said: str) -> None:
    with pytest.raises(ValetError) as error:
        magic(loaded, line)
    assert error.value._render_traceback_()[0].startswith(f"ValetError: {said}")


@pytest.mark.parametrize("name", ["demo", "jane", "demo/jane", "c1"])
@pytest.mark.parametrize("revoke", [False, True])
def test_disconnect_forgets_what_is_named(
    broker: FakeBroker, loaded: InteractiveShell, name: str, revoke: bool
) -> None:
    """`%disconnect NAME [--revoke]`."""
    broker.connections = [CONNECTION]
    magic(loaded, f"disconnect {name}{' --revoke' if revoke else ''}")
    assert broker.ended == [("c1", "revoke=true" if revoke else "")]


def test_disconnect_asks_which_when_there_are_several(
    broker: FakeBroker, loaded: InteractiveShell
) -> None:
    """Two accounts of one provider."""
    broker.connections = [CONNECTION, {**CONNECTION, "id": "c2", "account": "bob"}]
    with pytest.raises(ValetError, match="demo/jane or demo/bob"):
        magic(loaded, "disconnect demo")
    assert broker.ended == []
    magic(loaded, "disconnect demo --all")
    assert [id_ for id_, _ in broker.ended] == ["c1", "c2"]


def test_valet_tells_the_level_and_what_can_be_typed(
    broker: FakeBroker, loaded: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """`%valet`; members of a newer broker are ignored."""
    magic(loaded, "valet")
    said = capsys.readouterr().out
    for words in ("L1", "unlocked", "demo, github", "%connect NAME"):
        assert words in said


def test_valet_helps_without_a_broker(
    loaded: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What to do next, and the help all the same."""
    monkeypatch.delenv("JUPYTER_VALET_URL", raising=False)
    magic(loaded, "valet")
    said = capsys.readouterr().out
    assert "jupyter-valet[server]" in said
    assert "%connect NAME" in said


def test_loading_imports_nothing_heavy() -> None:
    """The standard library alone, and little of it, until a card is shown."""
    code = f"""
import sys
class Magics: magics = {{"line": {{}}}}
class Shell:
    user_ns, user_ns_hidden, magics_manager = {{}}, {{}}, Magics
    def register_magic_function(self, function, kind, name): pass
import jupyter_valet, typing  # every IPython has imported `typing`
before = set(sys.modules)
jupyter_valet.load_ipython_extension(Shell())
print(*sorted(set(sys.modules) - before), file=sys.stderr)
from jupyter_valet.kernel import catalogue, magics
from jupyter_valet.kernel.cards import notebook, terminal
heavy = {HEAVY!r} & set(sys.modules)
assert not heavy, heavy
third = {{m.split(".")[0] for m in sys.modules}} - set(sys.stdlib_module_names)
assert third <= {{"jupyter_valet", "__main__"}} | {{m for m in third if m.startswith("_")}}, third
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {_SOURCE!r})\n{code}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.split()) <= 6, done.stderr


_SOURCE = str(Path(__import__("jupyter_valet").__file__).parent.parent)
