"""What a kernel left in a project's folder is not run by the commands that a person types there.

R68. Each attack is seen to work first, in an environment without the lockdown.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest

CALL = "open({mark!r}, 'a').write('{what} ')\n"
TEMPLATE = "{{{{ cycler.__init__.__globals__.os.popen('echo template >> {mark}').read() }}}}"


class Person:
    """Somebody with an environment of their own, in a folder that kernels wrote to."""

    def __init__(self, home: Path) -> None:
        self.home, self.folder, self.mark = home, home / "project", home / "mark"
        venv.EnvBuilder(symlinks=True, with_pip=False).create(home / "env")
        self.python = home / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
        self.packages = Path(
            sysconfig.get_path("purelib", vars={"base": str(home / "env")}, scheme="venv")
        )
        # The packages of the tests' environment, behind this one's own.
        behind = [path for path in sys.path if path and path != sys.path[0]]
        (self.packages / "behind.pth").write_text("\n".join(behind) + "\n")
        self._plant()

    def _plant(self) -> None:
        (self.folder / "lab").mkdir(parents=True)
        for name in ("argcomplete", "random", "jupyter_nbconvert_config", "jupyter_config"):
            code = CALL.format(mark=str(self.mark), what=name) + "raise ImportError\n"
            (self.folder / f"{name}.py").write_text(code)
        (self.folder / "lab" / "index.html.j2").write_text(TEMPLATE.format(mark=self.mark))
        nbformat.write(nbformat.v4.new_notebook(), self.folder / "plain.ipynb")

    def runs(self, *words: str, **environ: str) -> tuple[set[str], str]:
        """Run Python in the folder; return what of it was run, and what was printed."""
        self.mark.unlink(missing_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHON"))}
        done = subprocess.run(
            [self.python, *words],
            cwd=self.folder,
            env={
                **kept,
                "HOME": str(self.home),
                "JUPYTER_PATH": str(Path(sys.prefix, "share", "jupyter")),
                **environ,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        ran = set(self.mark.read_text().split()) if self.mark.exists() else set()
        return ran, done.stdout + done.stderr

    def lockdown(self, *words: str) -> str:
        return self.runs("-I", "-m", "jupyter_valet.cli", "lockdown", *words)[1]


NBCONVERT = (
    str(Path(sysconfig.get_path("scripts"), "jupyter-nbconvert")),
    *("--to", "html", "plain.ipynb"),
)
MODULE = ("-m", "nbconvert", *NBCONVERT[1:])


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Person:
    return Person(tmp_path_factory.mktemp("person"))


def test_without_it_each_of_these_works(person: Person) -> None:
    """The control. Jupyter itself reads no configuration from there (CVE-2022-39286)."""
    assert person.runs(*NBCONVERT)[0] == {"argcomplete", "template"}
    assert person.runs(*MODULE)[0] == {"random"}


def test_with_it_none_does_until_it_is_removed(person: Person) -> None:
    """R68: modules, also with `python -m`, and templates; the notebook is converted."""
    assert "is on" in person.lockdown("--install")
    (person.folder / "plain.html").unlink(missing_ok=True)
    for command in (NBCONVERT, MODULE):
        ran, said = person.runs(*command)
        assert ran == set()
        assert "lab/index.html.j2 is a template of this folder and is not used" in said
        assert (person.folder / "plain.html").exists()
    assert "is off" in person.lockdown("--remove")
    assert person.runs(*NBCONVERT)[0] == {"argcomplete", "template"}


def test_a_folder_that_is_trusted_is_named(person: Person) -> None:
    person.lockdown("--install")
    try:
        option = "--TemplateExporter.extra_template_basedirs=."
        ran, said = person.runs(*NBCONVERT, option)
        assert ran == {"template"}
        assert "not used" not in said
        assert person.runs(*NBCONVERT, PYTHONPATH=str(person.folder))[0] == {"random"}
    finally:
        person.lockdown("--remove")


def test_kernels_and_scripts_are_left_alone(person: Person) -> None:
    person.lockdown("--install")
    try:
        for words in (["-c", "import argcomplete"], ["argcomplete.py"], ["-m", "argcomplete"]):
            assert person.runs(*words)[0] == {"argcomplete"}
    finally:
        person.lockdown("--remove")
