"""A data scientist's day behind each wall: what must work in a sandboxed kernel."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandboxed import SUBJECTS, Kernel, kernel, listener, unavailable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with listener() as number:
        yield number


@pytest.fixture(
    scope="module",
    params=SUBJECTS,
    ids=lambda param: f"{param[0]}-{param[1] or 'me'}",
)
def walled(request: pytest.FixtureRequest, port: int) -> Iterator[Kernel]:
    wall, user = request.param
    if reason := unavailable(user):
        pytest.skip(reason)
    with kernel(wall, user, TEST_BROKER_PORT=str(port)) as running:
        running.wall = wall  # type: ignore[attr-defined]
        yield running


def test_pandas_reads_data_in_the_home_folder_and_writes_into_the_project(walled: Kernel) -> None:
    code = (
        "import pandas, pathlib\n"
        "table = pandas.read_csv(pathlib.Path.home() / 'data' / 'table.csv')\n"
        "table.assign(c=table.a + table.b).to_csv('out.csv', index=False)\n"
        "print(pandas.read_csv('out.csv').c.sum())"
    )
    assert walled.does(code) == "10"
    assert (walled.project / "out.csv").is_file()


def test_matplotlib_draws_into_the_notebook_and_into_a_file(walled: Kernel) -> None:
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "import matplotlib.pyplot as plt\n"
        "plt.plot([1, 2, 3]); plt.savefig('plot.png'); plt.show()"
    )
    assert "image/png" in walled.does(code)
    assert (walled.project / "plot.png").stat().st_size > 1000


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_process_pools_of_every_kind(walled: Kernel, method: str) -> None:
    code = (
        "import math, multiprocessing, concurrent.futures as futures\n"
        f"context = multiprocessing.get_context({method!r})\n"
        "with context.Pool(2) as pool: print(pool.map(math.sqrt, [4, 9]))\n"
        "with futures.ProcessPoolExecutor(2, mp_context=context) as pool:\n"
        "    print(list(pool.map(math.sqrt, [16, 25])))"
    )
    assert walled.does(code) == "[2.0, 3.0]\n[4.0, 5.0]"


def test_managers_and_shared_memory(walled: Kernel) -> None:
    code = (
        "import multiprocessing\n"
        "from multiprocessing import shared_memory\n"
        "with multiprocessing.Manager() as manager:\n"
        "    shared = manager.dict(); shared['a'] = 1; print(dict(shared))\n"
        "block = shared_memory.SharedMemory(create=True, size=64)\n"
        "block.buf[0] = 7; print(block.buf[0]); block.close(); block.unlink()"
    )
    assert walled.does(code) == "{'a': 1}\n7"


def test_descriptors_travel_between_processes_as_data_loaders_send_them(walled: Kernel) -> None:
    """PyTorch's workers hand over tensors by `multiprocessing.reduction.DupFd`."""
    code = (
        "import multiprocessing, os\n"
        "from multiprocessing.reduction import DupFd\n"
        "def work(queue):\n"
        "    read, write = os.pipe(); os.write(write, b'tensor')\n"
        "    queue.put(DupFd(read)); done.wait()\n"
        "context = multiprocessing.get_context('fork')\n"
        "queue, done = context.Queue(), context.Event()\n"
        "worker = context.Process(target=work, args=(queue,)); worker.start()\n"
        "fd = queue.get(timeout=20).detach(); print(os.read(fd, 9)); done.set(); worker.join()"
    )
    assert walled.does(code) == "b'tensor'"


def test_joblib_runs_in_parallel(walled: Kernel) -> None:
    code = (
        "import joblib, math\n"
        "print(joblib.Parallel(n_jobs=2)(joblib.delayed(math.sqrt)(n) for n in (4, 9)))"
    )
    assert walled.does(code) == "[2.0, 3.0]"


def test_what_a_forked_child_prints_reaches_the_notebook(walled: Kernel) -> None:
    code = (
        "import multiprocessing\n"
        "context = multiprocessing.get_context('fork')\n"
        "child = context.Process(target=print, args=('from the child',))\n"
        "child.start(); child.join(); import time; time.sleep(2)"
    )
    assert "from the child" in walled.does(code)


def test_threads_and_subprocesses(walled: Kernel) -> None:
    code = (
        "import asyncio, subprocess, sys, concurrent.futures as futures\n"
        "with futures.ThreadPoolExecutor() as pool: print(sum(pool.map(abs, [-1, -2])))\n"
        "print(subprocess.check_output(['echo', 'one'], text=True).strip())\n"
        "process = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1)\n"
        "print((await process.communicate(b'two'))[0])"
    )
    assert walled.does(code) == "3\none\nb'two'"


def test_shell_commands_show_their_output(walled: Kernel) -> None:
    assert walled.does("!echo one; echo two").split() == ["one", "two"]
    assert walled.does("files = !echo three\nprint(files)") == "['three']"
    assert walled.does("%%bash\necho four") == "four"


def test_the_output_of_a_shell_command_is_there_when_it_has_ended(walled: Kernel) -> None:
    """Not only some time later, when whoever runs the notebook has gone on."""
    code = (
        "import contextlib, io\n"
        "name, shown = 'två', io.StringIO()\n"
        "with contextlib.redirect_stdout(shown):\n"
        "    !echo {name}; echo three >&2; head -c 300000 /dev/zero | tr '\\0' x; exit 4\n"
        "text = shown.getvalue().replace('\\r', '')  # a terminal's\n"
        "print(text[:10].split(), len(text), _exit_code)"
    )
    assert walled.does(code) == "['två', 'three'] 300010 4"


def test_pip_installs_into_an_overlay_that_the_server_never_imports(walled: Kernel) -> None:
    wheel = _wheel(walled.project)
    before = set(sys.path)
    out = walled.does(f"%pip install --no-index --quiet {wheel}")
    assert "rror" not in out, out
    assert walled.does("import valet_test_wheel as w; print(w.VALUE)") == "41"
    where = walled.does("print(w.__file__)")
    assert "/overlay/" in where
    assert not any(where.startswith(path + "/") for path in before if path)
    walled.ask("restart")
    assert walled.does("import valet_test_wheel as w; print(w.VALUE)") == "41"
    # and so do programs that the kernel starts
    code = "import sys, subprocess; print(subprocess.check_output([sys.executable, '-c', "
    assert "41" in walled.does(code + "'import valet_test_wheel as w; print(w.VALUE)']))")


def test_git_works_in_the_project(walled: Kernel) -> None:
    code = (
        "%%bash\nset -e\nexport HOME=$TMPDIR\ngit init -q .\ngit config user.email a@b.c\n"
        "git config user.name Ann\necho hello > file.txt\ngit add file.txt\n"
        "git commit -q -m first\ngit status --short -- file.txt\ngit log --format=%s"
    )
    if (walled.project / ".git").exists():
        pytest.skip("made by an earlier test")
    assert walled.does(code) == "first"


def test_temporary_files_are_the_kernel_s_own(walled: Kernel) -> None:
    code = (
        "import tempfile\n"
        "with tempfile.NamedTemporaryFile('w') as file: file.write('x'); print(file.name)"
    )
    assert walled.does(code).startswith("/tmp/")


def test_http_to_a_server_elsewhere(walled: Kernel) -> None:
    """bubblewrap has no network, by design."""
    with listener() as elsewhere:
        url = f"http://127.0.0.1:{elsewhere}/"
        code = f"import urllib.request as u; print(u.urlopen('{url}', timeout=5).read())"
        if walled.wall == "bubblewrap":  # type: ignore[attr-defined]
            assert "Connection refused" in walled.run(code).value
        else:
            assert walled.does(code) == "b'hello'"


def test_the_broker_is_reached(walled: Kernel, port: int) -> None:
    """Also from a network of its own, where it is the only thing that is."""
    code = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/').read())"
    if walled.wall == "bubblewrap":  # type: ignore[attr-defined]
        assert "hello" in walled.does(code)


def test_local_servers_and_their_clients(walled: Kernel) -> None:
    code = (
        "import http.server, threading, urllib.request\n"
        "class Quiet(http.server.SimpleHTTPRequestHandler):\n"
        "    def log_message(self, *words): pass\n"
        "server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Quiet)\n"
        "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
        "url = 'http://127.0.0.1:%d/' % server.server_port\n"
        "print(urllib.request.urlopen(url).status); server.shutdown()"
    )
    assert walled.does(code) == "200"


def test_interrupt_reaches_the_cell(walled: Kernel) -> None:
    began = time.monotonic()
    result = walled.run("import time; time.sleep(60)", interrupt_after=1)
    assert result.error == "KeyboardInterrupt"
    assert time.monotonic() - began < 20
    assert walled.does("print('alive')") == "alive"


def test_interrupt_reaches_a_program_that_the_cell_runs(walled: Kernel) -> None:
    result = walled.run("import subprocess; subprocess.run(['sleep', '60'])", interrupt_after=1)
    assert result.error == "KeyboardInterrupt"


def test_a_restart_gives_a_fresh_kernel_behind_the_same_wall(walled: Kernel) -> None:
    walled.does("kept = 1")
    walled.ask("restart")
    assert walled.run("kept").error == "NameError"
    walled.refuses("open(__import__('os').path.expanduser('~/.ssh/id_ed25519')).read()")


def test_widgets_are_made(walled: Kernel) -> None:
    code = "import ipywidgets; display(ipywidgets.IntSlider(value=3))"
    assert "widget-view" in walled.does(code)


def test_the_debugger_attaches(walled: Kernel) -> None:
    arguments = {
        "clientID": "t",
        "adapterID": "",
        "pathFormat": "path",
        "supportsRunInTerminal": False,
    }
    reply = walled.ask(
        "control",
        kind="debug_request",
        content={"type": "request", "seq": 1, "command": "initialize", "arguments": arguments},
    )
    assert reply.get("success") is True, reply
    assert reply["body"]["supportsConfigurationDoneRequest"] is True


def test_history_and_configuration_of_ipython(walled: Kernel) -> None:
    assert "history" in walled.does("%history -n -l 1\nprint('history')")
    assert walled.does("print(get_ipython().profile_dir.startup_dir.endswith('startup'))") == "True"


def test_large_results_are_not_slowed_down(walled: Kernel) -> None:
    assert walled.does("print(len('x' * 10_000_000))") == "10000000"


def _wheel(folder: Path) -> Path:
    """Make a tiny wheel by hand."""
    path = folder / "valet_test_wheel-1.0-py3-none-any.whl"
    files = {
        "valet_test_wheel.py": "VALUE = 41\n",
        "valet_test_wheel-1.0.dist-info/METADATA": (
            "Metadata-Version: 2.1\nName: valet-test-wheel\nVersion: 1.0\n"
        ),
        "valet_test_wheel-1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items())
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(
            "valet_test_wheel-1.0.dist-info/RECORD",
            record + "valet_test_wheel-1.0.dist-info/RECORD,,\n",
        )
    os.chmod(path, 0o644)  # noqa: PTH101
    return path


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
