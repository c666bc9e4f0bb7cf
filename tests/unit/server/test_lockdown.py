"""L2+ is claimed only where nothing of the server's lockdown is missing (D6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_valet.sandbox.policy import Policy
from jupyter_valet.sandbox.probe import Finding, Report, Verdict
from jupyter_valet.server.isolation import apart, around, behind
from jupyter_valet.server.lockdown import Facts, missing

LOCKED = Facts(kernels_apart=True, argv=("jupyter", "lab"), secrets=("s3cret", ""))


def test_a_server_that_lacks_nothing_is_locked_down() -> None:
    assert missing(LOCKED) == []


@pytest.mark.parametrize(
    ("weak", "said"),
    [
        (replace(LOCKED, terminals=True), "R22"),
        (replace(LOCKED, nbconvert=True, templates=("/project",)), "R90"),
        (replace(LOCKED, installs_extensions=True), "R91"),
        (replace(LOCKED, language_servers=True), "R66"),
        (replace(LOCKED, proxy=True), "R54"),
        (replace(LOCKED, kernels_apart=False), "R34"),
        (replace(LOCKED, cwd="/project"), "R62"),
        (replace(LOCKED, code=("/project",)), "R28"),
        (replace(LOCKED, hub_tokens=True), "X04"),
        (replace(LOCKED, argv=("jupyter", "--IdentityProvider.token=s3cret")), "R18"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_thing_that_is_missing_is_named_with_its_row(weak: Facts, said: str) -> None:
    words = missing(weak)
    assert len(words) == 1
    assert said in words[0]


def test_a_pinned_nbconvert_is_no_weakness() -> None:
    assert missing(replace(LOCKED, nbconvert=True)) == []


def test_no_secret_is_in_the_words() -> None:
    words = missing(replace(LOCKED, argv=("--IdentityProvider.token=s3cret",)))
    assert "s3cret" not in str(words)


def test_a_kernel_of_another_manager_has_no_wall() -> None:
    """Fail closed: an object that is no walled kernel manager says nothing."""
    assert not around(None, object()).walled  # type: ignore[arg-type]


def test_what_the_probe_saw_is_what_is_sent() -> None:
    report = Report(
        "landlock",
        (
            Finding("R01 read a hidden file", Verdict.STOPPED),
            Finding("R38 change the mode of a hidden file", Verdict.WORKS),
            Finding("R46 the system's keyring", Verdict.UNPROVEN),
        ),
    )
    told = behind(report, Policy({}, listen=frozenset({8050})), ["terminals are on"])
    assert (told.wall, told.stopped, told.ports) == ("landlock", 1, [8050])
    assert told.passed == ["R38 change the mode of a hidden file"]
    assert told.unlocked == ["terminals are on"]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [([Verdict.STOPPED], True), ([Verdict.STOPPED, Verdict.WORKS], False), ([], False)],
)
def test_kernels_are_apart_only_when_that_was_seen(verdicts: list[Verdict], expected: bool) -> None:
    """R34."""
    findings = (Finding(f"R34 way {n}", verdict) for n, verdict in enumerate(verdicts))
    assert apart(Report("landlock", tuple(findings))) is expected
