"""What the person does after something was planted: the next start, the next `git status`.

Each returns what it saw; a payload that ran has left its mark. In the control level the step is
taken without its defence.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import own_environment
import websocket
from jupyter_process import TOKEN
from signing_person import at_the_provider
from victim import SYSTEM_PYTHON, World


def _environ(world: World, **more: str) -> dict[str, str]:
    home = world.home
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "PYTHON", "DBUS"))
    }
    site = os.pathsep.join(filter(None, [str(home / "site"), os.environ.get("PYTHONPATH", "")]))
    return {
        **kept,
        **world.desktop.environ,
        "HOME": str(home),
        "PYTHONPATH": site,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime2"),
        "IPYTHONDIR": str(home / "ipython"),
        **world.level.environ(),
        **more,
    }


def _run(world: World, command: list[str], cwd: Path | None = None, **environ: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd or world.home,
        env=_environ(world, **environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
    )
    return (done.stdout + done.stderr)[-300:]


def wait(mark: Path, seconds: float) -> None:
    """Wait for a file, and not longer than so many seconds."""
    deadline = time.monotonic() + seconds
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.1)


def _next_server(world: World, mark: Path, command: list[str], **environ: str) -> str:
    """Start the server again, as this level's documentation says, until it listens."""
    (world.home / "runtime2").mkdir(exist_ok=True)
    log = world.home / "next.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--no-browser", "--allow-root", "--ServerApp.port=0"],
            cwd=world.level.start_in(world.home),
            env=_environ(world, **environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and process.poll() is None and not mark.exists():
        if "is running at" in log.read_text(errors="replace"):
            time.sleep(0.5)
            break
        time.sleep(0.1)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(15)
    process.kill()
    return "the server started again: " + log.read_text(errors="replace")[-200:]


def next_server(world: World, mark: Path) -> str:
    """R30, R60, R61, R62."""
    return _next_server(world, mark, world.level.start_command(world.root))


def next_server_by_script(world: World, mark: Path) -> str:
    """R71, R72: by the console script, in the project's folder."""
    script = str(Path(sys.executable).with_name("jupyter-server"))
    root = str(world.root)
    weak = {"JUPYTER_CONFIG_PATH": root, "PYTHONPATH": root} if world.level.straw else {}
    return _next_server(world, mark, [script], **weak)


def ipython(world: World, mark: Path) -> str:
    """R31, R69."""
    return _run(world, [sys.executable, "-m", "IPython", "-c", "pass"])


def shell(world: World, mark: Path) -> str:
    """R32."""
    return _run(world, ["bash", "-ic", "true"])


def system_python(world: World, mark: Path) -> str:
    """R29, R70."""
    return _run(world, [SYSTEM_PYTHON, "-c", "pass"], PYTHONPATH="")


def launcher(world: World, mark: Path) -> str:
    """R64: the sandbox's launcher; in the control it is started as it must not be, with `-m`."""
    if world.level.straw:
        module = [sys.executable, "-m", "jupyter_valet.sandbox"]
        return _run(world, module, world.root / "notes")
    return next_kernel(world, mark)


def next_kernel(world: World, mark: Path) -> str:
    """R63, R65: the next kernel in that folder."""
    body = {"path": "notes/next.ipynb", "name": "next", "type": "notebook", "kernel": {}}
    answer = world.server.call("POST", "api/sessions", body)
    wait(mark, 8)
    with contextlib.suppress(ValueError, KeyError):
        kernel = json.loads(answer.body)["kernel"]["id"]
        world.server.call("DELETE", f"api/kernels/{kernel}")
    return f"POST api/sessions: {answer.status}"


def next_starts(world: World, mark: Path) -> str:
    """X08: another notebook's kernel, then the server."""
    kernel = next_kernel(world, mark)
    return kernel if mark.exists() else f"{kernel} {next_server(world, mark)}"


def language_server(world: World, mark: Path) -> str:
    """R66: what any output's script can open."""
    url = f"ws://127.0.0.1:{world.server.port}{world.server.base}lsp/ws/pyright"
    try:
        opened = websocket.create_connection(
            url, header=[f"Authorization: token {TOKEN}"], timeout=10
        )
    except (websocket.WebSocketException, OSError) as error:
        return f"lsp: {error}"[:200]
    wait(mark, 10)
    opened.close()
    return "the language server was asked for"


def git_status(world: World, mark: Path) -> str:
    """R67."""
    return _run(world, ["git", "status"], world.root / "repository")


def nbconvert(world: World, mark: Path) -> str:
    """R68."""
    share = str(Path(sys.prefix, "share", "jupyter"))
    return _run(world, own_environment.nbconvert(world), world.root, JUPYTER_PATH=share)


def notary(world: World, mark: Path) -> str:
    """R36: does the person's own notary trust the hostile notebook?"""
    import nbformat
    from nbformat.sign import NotebookNotary

    notebook = nbformat.read(world.root / "hostile.ipynb", 4)
    judge = NotebookNotary(data_dir=str(world.home / "data"))
    trusted = judge.check_signature(notebook)
    judge.store.close()
    return "CONTROL the hostile notebook is trusted" if trusted else "not trusted"


def browser_comes_back(world: World, mark: Path) -> str:
    """R20: the page polls the server, login cookie and all."""
    caught = world.root / "thief.out"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not caught.exists():
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            world.server.get("api/status")
        time.sleep(0.3)
    if not caught.exists():
        return "the server is still there" if world.server.process.poll() is None else "nobody"
    said = caught.read_text(errors="replace")
    return "CONTROL the login cookie arrived" if world.server.cookie in said else said


_ASK_KEYRING = """
from jupyter_valet.broker.vault.key_sources.os_keyring import KeyringSource
KeyringSource().load("nobody")
"""


def keyring_is_asked(world: World, mark: Path) -> str:
    """R55: the broker starts again, and its keyring source is asked, as it is run: isolated."""
    if world.level.straw:
        return _run(world, [sys.executable, "-c", "import keyring; keyring.get_keyring()"])
    if world.level.key_source == "keyring":
        before = world.broker()
        os.kill(before, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while world.broker() in (0, before) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(3)
    return _run(world, [sys.executable, "-I", "-c", _ASK_KEYRING])


def person_follows(world: World, mark: Path) -> str:
    """R161: the browser goes where it is sent, and the provider sends it back to the kernel."""
    url = (world.root / "own-url").read_text()
    back = at_the_provider(url)
    with contextlib.suppress(OSError), urllib.request.urlopen(back, timeout=15):
        pass
    got = world.root / "own-tokens"
    return "tokens: " + (got.read_text() if got.exists() else "none")
