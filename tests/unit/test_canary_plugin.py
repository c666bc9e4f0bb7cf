"""The search after all tests sees what it is to see, and fails the session for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LEAKING = """
def test_leaks(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "server.log").write_text("Bearer " + {secret!r})
"""


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, code: str) -> pytest.RunResult:
    """Run a session with the plugin, in a process of its own."""
    folders = [TESTS / "plugins", TESTS / "browser", TESTS.parent / "src"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))
    pytester.makeini("[pytest]\nmarkers =\n    plants_secrets: on purpose\n")
    pytester.makepyfile(code)
    return pytester.runpytest_subprocess("-p", "canary", "-p", "no:cacheprovider")


def secret(*, prefix: str) -> str:
    """Return something of the right shape; it is in no file as it stands here."""
    return prefix + "k" * 43


@pytest.mark.plants_secrets
@pytest.mark.parametrize("prefix", ["valet-demo-" + "token-", "jv" + "k_"], ids=["token", "own"])
def test_a_secret_in_a_file_fails_the_session(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """D1, ES-21: and the report names the file, not the secret."""
    token = secret(prefix=prefix)
    result = run(pytester, monkeypatch, LEAKING.format(secret=token))
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*secrets in files*", "*server.log: *"])
    assert token not in result.stdout.str()


def test_a_session_without_secrets_is_as_good_as_before(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "def test_writes(tmp_path):\n    (tmp_path / 'a').write_text('nothing')\n"
    assert run(pytester, monkeypatch, code).ret == pytest.ExitCode.OK


@pytest.mark.plants_secrets
def test_a_test_that_plants_secrets_is_excused(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = LEAKING.format(secret=secret(prefix="jv" + "k_"))
    marked = code.replace("def test", "@pytest.mark.plants_secrets\ndef test")
    result = run(pytester, monkeypatch, f"import pytest\n{marked}")
    assert result.ret == pytest.ExitCode.OK


def test_a_search_that_finds_nothing_of_what_is_planted_fails_the_session(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The positive control."""
    code = "import canary\ndef test_blinds(tmp_path):\n    canary._content = lambda path: b''\n"
    result = run(pytester, monkeypatch, code)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*the search is blind*"])


@pytest.mark.plants_secrets
def test_a_core_beside_the_tests_is_searched(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import pathlib\n"
        "def test_dumps(tmp_path):\n"
        "    pathlib.Path('core.77').write_text('jv' + 'k_' + 'k' * 43)\n"
    )
    result = run(pytester, monkeypatch, code)
    result.stdout.fnmatch_lines(["*core.77: a kernel's capability*"])
