"""Every kernel of a real Jupyter server is behind the wall, or is not started and says why (D4)."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from jupyter_process import Server, jupyter_server

from jupyter_valet.sandbox.backends import Landlock
from jupyter_valet.sandbox.gate import enforce
from jupyter_valet.sandbox.kernel_manager import Refused, Walled
from jupyter_valet.sandbox.policy import standard
from jupyter_valet.sandbox.wall import Wall

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")

HIJACK = "open({mark!r}, 'w').close()\nraise SystemExit(1)\n"
ESCAPE = """
import os, subprocess
from jupyter_client.provisioning import LocalProvisioner

class Escape(LocalProvisioner):
    async def pre_launch(self, **kwargs):
        kwargs = await super().pre_launch(**kwargs)
        spec = [*self.kernel_spec.argv]
        file = os.path.realpath(self.parent.connection_file)
        kwargs["cmd"] = [word.replace("{connection_file}", file) for word in spec]
        return kwargs
"""


@pytest.fixture(scope="module", params=["landlock", "bubblewrap"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("walled")
    _plant(home)
    config = f"c.ValetExtension.sandbox = {request.param!r}\n"
    more = {"PYTHONPATH": os.pathsep.join([str(home / "site"), *_inherited()])}
    with jupyter_server(home, config=config, environ=more) as running:
        _plant_modules(home / "work")
        yield running


def _inherited() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def _plant(home: Path) -> None:
    """Make kernelspecs that try to get round the wall."""
    python = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    stock: dict[str, Any] = {"argv": python, "language": "python", "display_name": "x"}
    escape = {"kernel_provisioner": {"provisioner_name": "escape-provisioner"}}
    local = {"kernel_provisioner": {"provisioner_name": "local-provisioner"}}
    for name, metadata in (("escape", escape), ("local", local)):
        folder = home / "data" / "kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps({**stock, "metadata": metadata}))
    distribution = home / "site" / "escape-1.dist-info"
    distribution.mkdir(parents=True)
    (home / "site" / "escape_module.py").write_text(ESCAPE)
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: escape\nVersion: 1\n")
    (distribution / "entry_points.txt").write_text(
        "[jupyter_client.kernel_provisioners]\nescape-provisioner = escape_module:Escape\n"
    )


MODULES = ("ipykernel_launcher.py", "random.py", "ipykernel.py")


def _plant_modules(work: Path, names: Sequence[str] = MODULES) -> None:
    """Later than the server's start, which is the person's own (R62)."""
    for name in names:
        (work / name).write_text(HIJACK.format(mark=str(work / "hijacked")))


def _until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def _launchers(server: Server) -> list[str]:
    """Return the kernels' command lines; while one becomes another program, it has none."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in children.read_text().split()]
    return [command for command in commands if "ipykernel" in command or "launcher.py" in command]


def _start(server: Server, name: str = "") -> str:
    return str(server.api("POST", "api/kernels", {"name": name} if name else {})["id"])


def _end(server: Server, kernel: str) -> None:
    _until(lambda: server.call("DELETE", f"api/kernels/{kernel}").status in (204, 404))


@pytest.mark.parametrize("spec", ["", "local"])
def test_a_kernel_is_started_by_the_launcher_whatever_its_kernelspec_says(
    server: Server, spec: str
) -> None:
    """R24, R25, R57; the absolute path and the flags: R64."""
    kernel = _start(server, spec)
    try:
        [command] = _until(lambda: _launchers(server))
        python, *words = command.split("\0")
        if python == "bwrap":  # what the launcher is by now, with another to start inside
            python, *words = words[words.index("--") + 1 :]
        assert python == sys.executable
        assert words[:3] == ["-I", "-S", "-E"]
        assert words[3].endswith("/sandbox/launch/launcher.py")
        assert Path(words[3]).is_absolute()
    finally:
        _end(server, kernel)


def test_no_file_of_the_notebook_s_folder_runs_in_place_of_the_kernel(server: Server) -> None:
    """R63, R65: `./ipykernel_launcher.py` is there, and is not run."""
    kernel = _start(server)
    try:
        _until(lambda: _idle(server, kernel))
        assert not (server.home / "work" / "hijacked").exists()
    finally:
        _end(server, kernel)


def _idle(server: Server, kernel: str) -> bool:
    return bool(server.api("GET", f"api/kernels/{kernel}")["execution_state"] != "dead") and bool(
        f"{kernel}.json" in "".join(_launchers(server))
    )


def test_a_provisioner_that_goes_round_the_wall_starts_nothing(server: Server) -> None:
    """D4: what did not come through `format_kernel_cmd` is refused at the launch."""
    before = _launchers(server)
    answer = server.call("POST", "api/kernels", {"name": "escape"})
    assert answer.status == 503
    assert "was not started" in json.loads(answer.body)["message"]
    assert _launchers(server) == before


def test_without_a_wall_both_of_these_work(tmp_path: Path) -> None:
    """The positive controls of the two tests above."""
    _plant(tmp_path)
    more = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), *_inherited()])}
    off = "c.ValetExtension.sandbox = 'off'\n"
    with jupyter_server(tmp_path, environ=more, config=off) as server:
        assert server.call("POST", "api/kernels", {"name": "escape"}).status == 201
        _plant_modules(tmp_path / "work", MODULES[:1])  # more of it, and the server itself falls
        server.call("POST", "api/kernels", {})
        _until((tmp_path / "work" / "hijacked").exists)


def test_a_restarted_kernel_has_a_new_capability_and_the_same_wall(server: Server) -> None:
    kernel = _start(server)
    try:
        first = _until(lambda: _capability(server))
        server.api("POST", f"api/kernels/{kernel}/restart", {})
        _until(lambda: _capability(server) not in ("", first))
        [command] = _until(lambda: _launchers(server))
        assert "launcher.py" in command
    finally:
        _end(server, kernel)


def _capability(server: Server) -> str:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    for pid in children.read_text().split():
        text = Path(f"/proc/{pid}/environ").read_text()
        if "JUPYTER_VALET_CAPABILITY=" in text:
            return text.split("JUPYTER_VALET_CAPABILITY=")[1].split("\0")[0]
    return ""


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("c.ValetExtension.sandbox_open = ['everything']", "'everything' is not read:PATH"),
        ("import os; os.environ['PATH'] = '/nonexistent'", "bwrap is not installed"),
    ],
)
def test_a_wall_that_cannot_be_had_means_no_kernel(tmp_path: Path, config: str, says: str) -> None:
    """No silent fallback: the person reads the reason in the notebook."""
    config += "\nc.ValetExtension.sandbox = 'bubblewrap'\n"
    with jupyter_server(tmp_path, config=config) as server:
        answer = server.call("POST", "api/kernels", {})
        assert answer.status == 503
        assert says in json.loads(answer.body)["message"]
        assert _launchers(server) == []


@pytest.fixture
def enforced(tmp_path: Path) -> Iterator[Wall]:
    code = [sys.prefix, *filter(os.path.isdir, sys.path)]
    wall = Wall(Landlock(), standard(home=tmp_path, project=tmp_path, protected=code))
    undo = enforce(lambda: wall)
    yield wall
    undo()
    wall.close()


@pytest.mark.anyio
async def test_kernel_managers_of_others_are_walled_too(enforced: Wall, tmp_path: Path) -> None:
    """Voilà and nbconvert make their own, in the server's process."""
    manager = AsyncKernelManager(connection_file=str(tmp_path / "k.json"))
    await manager.start_kernel(cwd=str(tmp_path))
    try:
        assert isinstance(manager, Walled)
        assert manager.behind
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        client.stop_channels()
        await manager.restart_kernel(now=True)
        assert manager.behind
    finally:
        await manager.shutdown_kernel(now=True)


@pytest.mark.anyio
async def test_a_manager_that_goes_its_own_way_starts_nothing(
    enforced: Wall, tmp_path: Path
) -> None:
    class Own(AsyncKernelManager):
        async def _async_pre_start_kernel(self, **kw: Any) -> Any:
            return [sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"], kw

    manager = Own(connection_file=str(tmp_path / "k.json"))
    with pytest.raises(Refused, match="outside the sandbox"):
        await manager.start_kernel()
    await manager.shutdown_kernel(now=True)
    assert not (tmp_path / "ran").exists()


def test_nbconvert_executes_a_notebook_behind_the_wall(enforced: Wall, tmp_path: Path) -> None:
    """Its client makes a kernel manager of its own, and a loop of its own."""
    cell = "import os; print(os.environ['TMPDIR'])"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    done = nbclient.execute(notebook, cwd=str(tmp_path), timeout=60)
    assert "jupyter-valet-" in done.cells[0].outputs[0]["text"]
