"""`jupyter valet …` in a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from jupyter_valet import cli
from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import open_vault
from jupyter_valet.cli import demo, table

CANARY = "canary-secret-value"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with one connection, one app and one audit event."""
    folder = tmp_path / "valet"
    vault = open_vault(folder, "file")
    meta = {
        "principal": "owner",
        "provider": "demo",
        "account": "amara\x1b[31m",
        "scopes": ["issues:read", "profile"],
        "last_used_at": 0.0,
    }
    vault.put("connection", "c1", meta, Secret(CANARY))
    app = {"issuer": "https://github.com", "client_id": "Iv1.abc", "fingerprint": ""}
    vault.put("oauth_app", "github", app, Secret(CANARY))
    audit = Audit(folder / "audit.jsonl", vault.key("audit"), lambda *_: None)
    audit.record("connection.made", principal="owner", provider="demo", account="amara")
    vault.close()
    return folder


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config"
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(folder))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    return folder


def run(state: Path, *words: str) -> int:
    return cli.main([*words, "--state-dir", str(state), "--key-source", "file"])


def answers(monkeypatch: pytest.MonkeyPatch, client_id: str, secret: str) -> None:
    monkeypatch.setattr("builtins.input", lambda _: client_id)
    monkeypatch.setattr("jupyter_valet.cli.providers.getpass", lambda _: secret)


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([])
    assert "COMMAND" in capsys.readouterr().err


def test_building_the_command_line_loads_nothing_heavy() -> None:
    """`jupyter valet --help` answers at once."""
    import subprocess

    code = (
        "import sys; from jupyter_valet.cli import parser; parser(); "
        "print([m for m in ('mcp', 'aiohttp', 'cryptography', 'jupyter_server') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_connections_are_listed_without_anything_secret(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(state, "connections") == 0
    shown = capsys.readouterr().out
    assert "demo" in shown
    assert "never" in shown
    assert "\x1b" not in shown
    assert CANARY not in shown


def test_connections_as_json(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "connections", "--json") == 0
    assert json.loads(capsys.readouterr().out)["id"] == "c1"


def test_looking_makes_no_vault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = tmp_path / "nowhere"
    assert run(nowhere, "connections") == 1
    assert not nowhere.exists()
    assert f"no vault in {nowhere} yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("connections",),
        ("provider", "list"),
        ("key", "rotate"),
        ("key", "set-aside"),
        ("key", "accept-older"),
        ("audit",),
        ("audit", "--verify"),
    ],
)
def test_without_a_vault_every_command_says_so_and_asks_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert run(tmp_path / "nowhere", *words) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "%connect NAME" in shown.err


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "jupyter_valet_config.json",
            '{"ValetExtension": {"state_dir": %s, "key_source": "file"}}',
        ),
        ("jupyter_server_config.py", "c.ValetExtension.state_dir = %s"),
    ],
)
def test_the_vault_is_the_one_that_the_configuration_names(
    state: Path, own_configuration: Path, capsys: pytest.CaptureFixture[str], file: str, text: str
) -> None:
    """The server and the command line must not mean two vaults."""
    own_configuration.mkdir()
    (own_configuration / file).write_text(text % json.dumps(str(state)))
    assert cli.main(["connections"]) == 0
    assert "demo" in capsys.readouterr().out


def test_the_server_s_file_wins_as_in_the_server(
    own_configuration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_configuration.mkdir()
    for name, folder in (("jupyter_valet_config", "one"), ("jupyter_server_config", "two")):
        section = {"ValetExtension": {"state_dir": str(tmp_path / folder)}}
        (own_configuration / f"{name}.json").write_text(json.dumps(section))
    assert cli.main(["key", "status"]) == 0
    assert str(tmp_path / "two") in capsys.readouterr().out


def test_a_configuration_that_cannot_be_read_is_not_passed_over(
    own_configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the default in its place, another vault would be meant."""
    own_configuration.mkdir()
    (own_configuration / "jupyter_server_config.py").write_text("c.ValetExtension.state_dir =")
    assert cli.main(["key", "status"]) == 1
    assert "jupyter_server_config cannot be read" in capsys.readouterr().err


def test_no_file_of_the_working_folder_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder of notebooks may hold anything."""
    (tmp_path / "jupyter_server_config.py").write_text("raise SystemExit('it was run')")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["key", "status"]) == 0
    assert "not made yet" in capsys.readouterr().out


def test_without_a_terminal_a_question_is_one_line(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert run(state, "key", "set-aside") == 1
    assert (state / "vault.db").exists()
    assert "in a terminal" in capsys.readouterr().err


def test_key_status_names_the_source(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "key", "status") == 0
    assert "file" in capsys.readouterr().out


def test_key_status_of_no_vault_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "nowhere", "key", "status") == 0
    assert "not made yet" in capsys.readouterr().out
    assert not (tmp_path / "nowhere").exists()


def test_key_status_of_a_damaged_vault_says_what_is_wrong(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (state / "vault.db").write_bytes(b"not a database")
    assert run(state, "key", "status") == 1
    assert "problem:" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "status"), [("yes", 0), ("", 1)])
def test_setting_the_vault_aside_asks_first(
    state: Path, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert run(state, "key", "set-aside") == status
    assert (state / "vault.db").exists() is (status == 1)


def test_a_rotated_vault_still_opens(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "key", "rotate") == 0
    assert "version 2" in capsys.readouterr().out
    assert run(state, "connections") == 0


def test_a_damaged_vault_is_one_line_on_stderr(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (state / "vault.db").write_bytes(b"not a database")
    assert run(state, "connections") == 1
    shown = capsys.readouterr().err
    assert shown.startswith("jupyter valet: ")
    assert "Traceback" not in shown


def test_the_audit_is_readable_lines(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "audit") == 0
    assert "connection.made" in capsys.readouterr().out


def test_the_audit_as_json(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "audit", "--json") == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["action"] == "connection.made"


def test_an_untouched_audit_verifies(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "audit", "--verify") == 0


def test_a_changed_audit_does_not(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = state / "audit.jsonl"
    path.write_text(path.read_text().replace("amara", "jonas"))
    assert run(state, "audit", "--verify") == 1


def test_an_app_is_asked_for_and_kept(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, "client-1", CANARY)
    assert run(state, "provider", "add", "google") == 0
    assert "/valet/callback/google" in capsys.readouterr().out
    assert run(state, "provider", "list") == 0
    shown = capsys.readouterr().out
    assert "client-1" in shown
    assert CANARY not in shown


def test_a_client_of_its_own_is_typed_by_its_person_on_their_page(
    state: Path, own_configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """RFC 6749 §4.4: it is no app of the server's, but a credential."""
    own_configuration.mkdir()
    robot = {"issuer": "https://login.example.org", "flow": "client_credentials"}
    settings = {"ValetExtension": {"providers": {"robot": robot}}}
    (own_configuration / "jupyter_valet_config.json").write_text(json.dumps(settings))
    assert run(state, "provider", "add", "robot") == 1
    assert "%connect robot" in capsys.readouterr().err


def test_a_provider_of_ones_own_goes_into_the_configuration(
    state: Path, monkeypatch: pytest.MonkeyPatch, own_configuration: Path
) -> None:
    answers(monkeypatch, "client-1", "")
    assert run(state, "provider", "add", "work", "--issuer", "https://login.example.org") == 0
    written = json.loads((own_configuration / "jupyter_valet_config.json").read_text())
    entry = {"issuer": "https://login.example.org"}
    assert written == {"ValetExtension": {"providers": {"work": entry}}}
    assert run(state, "provider", "add", "work") == 0


def test_an_unknown_provider_needs_an_issuer(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(state, "provider", "add", "nobody") == 1
    assert "provider add nobody --issuer URL" in capsys.readouterr().err


def test_an_empty_client_id_changes_nothing(
    state: Path, monkeypatch: pytest.MonkeyPatch, own_configuration: Path
) -> None:
    answers(monkeypatch, " ", "x")
    assert run(state, "provider", "add", "work", "--issuer", "https://login.example.org") == 1
    assert not own_configuration.exists()


@pytest.mark.parametrize(("name", "issuer"), [("work", "http://evil"), ("W", "https://a.example")])
def test_a_wrong_issuer_or_name_is_said_with_an_example(
    state: Path, capsys: pytest.CaptureFixture[str], name: str, issuer: str
) -> None:
    assert run(state, "provider", "add", name, "--issuer", issuer) == 1
    assert "--issuer https://login.example.org" in capsys.readouterr().err


def test_a_provider_that_the_server_would_not_see_is_not_kept_quiet(
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_configuration: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A dictionary in the server's own file replaces the one that the command writes."""
    own_configuration.mkdir()
    server = own_configuration / "jupyter_server_config.py"
    server.write_text("c.ValetExtension.providers = {'corp': {'issuer': 'https://corp.example'}}")
    answers(monkeypatch, "client-1", "")
    assert run(state, "provider", "add", "work", "--issuer", "https://login.example.org") == 1
    assert "has no effect" in capsys.readouterr().err


def test_an_app_can_be_forgotten_once(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "provider", "remove", "github") == 0
    assert run(state, "provider", "remove", "github") == 1


def test_the_notebooks_are_copied_once_and_then_left_alone(tmp_path: Path) -> None:
    copy = demo.copy_notebooks(tmp_path / "work")
    for name in demo.NOTEBOOKS:
        assert json.loads((copy.parent / name).read_text())["nbformat"] == 4
    copy.write_text("mine")
    assert demo.copy_notebooks(tmp_path / "work").read_text() == "mine"


@pytest.mark.parametrize("name", demo.NOTEBOOKS)
def test_a_shipped_notebook_has_no_outputs(name: str) -> None:
    cells = json.loads(demo.shipped(name).read_text())["cells"]
    assert not [c for c in cells if c.get("outputs") or c.get("execution_count")]


def test_demo_starts_jupyterlab_with_the_demo_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(demo.subprocess, "call", lambda c: started.append(c) or 0)
    assert cli.main(["demo", "--folder", str(tmp_path), "--", "--no-browser"]) == 0
    assert "--ValetExtension.demo=True" in started[0]
    assert started[0][-1] == "--no-browser"


def test_columns_line_up() -> None:
    assert table.table(("a", "b"), [("long", "x")]) == "a     b\nlong  x"
