"""Kernels that a real Jupyter server starts: what the broker is told, what the kernel gets."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_process import TOKEN, Server, jupyter_server
from notebook_kernel import Kernel

from jupyter_valet.wire import capability
from jupyter_valet.wire.isolation import Isolation
from jupyter_valet.wire.processes import Peer

SECRETS = {
    "JUPYTERHUB_API_TOKEN": "CANARY-hub",
    "JPY_API_TOKEN": "CANARY-jpy",
    "GITHUB_TOKEN": "CANARY-github",
    "JUPYTER_VALET_CAPABILITY": "CANARY-outer",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with jupyter_server(tmp_path_factory.mktemp("kernels"), environ=SECRETS) as running:
        yield running


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def kernel_environment(server: Server, kernel_id: str) -> dict[str, str]:
    """Read the environment of the kernel's process."""

    def read() -> dict[str, str] | None:
        for pid in children(server.process.pid):
            if kernel_id in Path(f"/proc/{pid}/cmdline").read_text():
                pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
                return dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        return None

    return dict(until(read))


def start(server: Server, notebook: str = "", **headers: str) -> str:
    """Start a kernel, with a session when it belongs to a notebook; return its id."""
    if not notebook:
        return str(server.api("POST", "api/kernels", {}, **headers)["id"])
    body = {"path": notebook, "name": Path(notebook).name, "type": "notebook", "kernel": {}}
    return str(server.api("POST", "api/sessions", body, **headers)["kernel"]["id"])


def registered(server: Server, kernel_id: str) -> list[dict[str, Any]]:
    asked = server.asked("capability.register")
    return [params for params in asked if params["kernel_id"] == kernel_id]


@pytest.fixture
def kernel(server: Server) -> Iterator[str]:
    (server.home / "work" / "notes").mkdir(exist_ok=True)
    kernel_id = start(server, "notes/one.ipynb", Origin=f"http://127.0.0.1:{server.port}")
    yield kernel_id
    # jupyter_client 8.10 fails to shut down a kernel that is just being restarted
    until(lambda: server.call("DELETE", f"api/kernels/{kernel_id}").status in (204, 404))


def test_the_broker_runs_before_the_first_kernel(server: Server, kernel: str) -> None:
    """D2."""
    lines = [json.loads(line) for line in server.record.read_text().splitlines()]
    assert [line["method"] for line in lines if line["method"] in ("start", "capability.register")][
        :2
    ] == ["start", "capability.register"]


def test_the_broker_gets_facts_that_only_the_server_knows(server: Server, kernel: str) -> None:
    [facts] = registered(server, kernel)
    token = kernel_environment(server, kernel)["JUPYTER_VALET_CAPABILITY"]
    isolation = Isolation.from_json(facts.pop("isolation"))
    assert isolation.walled or isolation.trouble
    assert isolation.unlocked
    assert facts == {
        "digest": capability.digest(token),
        "kernel_id": kernel,
        "principal": "owner",
        "notebook": "notes/one.ipynb",
        "root": str(server.home / "work"),
        "origin": server.url,
        "peer": Peer(awaited=True).to_json(),
    }
    assert token not in server.record.read_text()  # the broker keeps no bearer in clear


def test_a_kernel_gets_the_broker_s_address_and_no_token_of_the_server_s(
    server: Server, kernel: str
) -> None:
    """M01, R53."""
    environ = kernel_environment(server, kernel)
    assert environ["JUPYTER_VALET_URL"].startswith("http://127.0.0.1:")
    assert capability.looks_like_one(environ["JUPYTER_VALET_CAPABILITY"])
    assert "CANARY" not in str(environ)
    assert TOKEN not in str(environ)


def test_a_restart_gives_a_new_capability_and_takes_the_old_one_back(
    server: Server, kernel: str
) -> None:
    old = kernel_environment(server, kernel)["JUPYTER_VALET_CAPABILITY"]
    server.api("POST", f"api/kernels/{kernel}/restart", {})
    new = until(
        lambda: (
            (token := kernel_environment(server, kernel)["JUPYTER_VALET_CAPABILITY"]) != old
            and token
        )
    )
    first, second = registered(server, kernel)
    assert (first["digest"], second["digest"]) == (capability.digest(old), capability.digest(new))
    assert {**first, "digest": ""} == {**second, "digest": ""}
    assert {"kernel_id": kernel} in server.asked("capability.revoke")


def test_a_kernel_that_dies_and_comes_back_gets_a_new_capability(
    server: Server, kernel: str
) -> None:
    kernel_environment(server, kernel)
    for pid in children(server.process.pid):
        if kernel in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)
    until(lambda: len(registered(server, kernel)) == 2)


def test_a_renamed_notebook_is_known_by_its_new_name_after_a_restart(
    server: Server, kernel: str
) -> None:
    """The kernel's own environment keeps the old one."""
    [session] = [
        model for model in server.api("GET", "api/sessions") if model["kernel"]["id"] == kernel
    ]
    server.api("PATCH", f"api/sessions/{session['id']}", {"path": "notes/two.ipynb"})
    server.api("POST", f"api/kernels/{kernel}/restart", {})
    assert registered(server, kernel)[-1]["notebook"] == "notes/two.ipynb"


def test_shutting_a_kernel_down_takes_its_capability_back(server: Server) -> None:
    kernel = start(server)
    assert registered(server, kernel)[0]["notebook"] == ""
    before = server.asked("capability.revoke").count({"kernel_id": kernel})
    server.api("DELETE", f"api/kernels/{kernel}")
    assert server.asked("capability.revoke").count({"kernel_id": kernel}) == before + 1


def test_a_foreign_host_and_origin_do_not_get_into_a_card(server: Server) -> None:
    """L20: a client that holds the token may write what it likes into its headers."""
    kernel = start(server, Origin="https://evil.example")
    assert registered(server, kernel)[0]["origin"] == server.url
    server.api("DELETE", f"api/kernels/{kernel}")


def test_a_live_kernel_is_registered_with_the_next_broker(server: Server, kernel: str) -> None:
    assert server.get("valet/connect/crash").status == 503

    def told_at_the_start() -> list[dict[str, Any]]:
        known = server.asked("start")[-1]["kernels"]
        return [facts for facts in known if facts["kernel_id"] == kernel]

    [known] = until(told_at_the_start)
    [facts] = registered(server, kernel)
    [bound] = [told for told in server.asked("capability.bind") if told["kernel_id"] == kernel]
    assert known == {**facts, "peer": bound["peer"]}
    assert bound["peer"]["pid"] in children(server.process.pid)


def test_a_kernel_starts_without_a_broker(tmp_path: Path) -> None:
    """One line in the log; the kernel's tools then say what to do."""
    config = "c.ValetExtension.broker_command = ['/nonexistent/broker']\n"
    with jupyter_server(tmp_path, config=config, environ=SECRETS, fake=False) as server:
        kernel = start(server)
        environ = kernel_environment(server, kernel)
        assert "JUPYTER_VALET_URL" not in environ
        assert "CANARY" not in str(environ)
        assert server.log.count("starts without jupyter-valet: The broker does not answer") == 1


def test_an_administrator_s_own_provisioner_stays(tmp_path: Path) -> None:
    config = (
        "c.KernelProvisionerFactory.default_provisioner_name = 'local-provisioner'\n"
        "c.ValetExtension.sandbox = 'off'\n"
    )
    with jupyter_server(tmp_path, config=config, environ=SECRETS) as server:
        environ = kernel_environment(server, start(server))
        assert environ["GITHUB_TOKEN"] == "CANARY-github"
        assert not server.record.exists()


def test_an_environment_variable_chooses_the_provisioner_too(tmp_path: Path) -> None:
    chosen = {"JUPYTER_DEFAULT_PROVISIONER_NAME": "local-provisioner"}
    with jupyter_server(tmp_path, environ=chosen) as server:
        assert "JUPYTER_VALET_URL" not in kernel_environment(server, start(server))


def test_the_broker_ends_with_its_server(tmp_path: Path) -> None:
    """Also when the server is killed: the channel's end is the broker's."""
    with jupyter_server(tmp_path) as server:
        server.get("valet/connect/any")
        [start_line] = [
            line
            for line in map(json.loads, server.record.read_text().splitlines())
            if line["method"] == "start"
        ]
        server.process.kill()
        server.process.wait()
        until(lambda: not Path(f"/proc/{start_line['pid']}").exists())


def test_a_server_without_the_extra_stays_a_server(tmp_path: Path) -> None:
    """One line says what to type; pages and provisioner are left out."""
    config = (
        "import jupyter_valet.server.app as app\napp._NEEDED = ('a_library_that_is_not_there',)\n"
    )
    with jupyter_server(tmp_path, config=config) as server:
        assert server.log.count("pip install 'jupyter-valet[server]'") == 1
        assert server.get("valet/connections").status == 404
        assert "JUPYTER_VALET_URL" not in kernel_environment(server, start(server))


def test_the_real_broker_and_the_demo_provider_answer(tmp_path: Path) -> None:
    """The whole of it once: a kernel's capability is good at the broker's own port."""
    with jupyter_server(tmp_path, fake=False, config="c.ValetExtension.demo = True\n") as server:
        kernel = Kernel(server)
        status, _, body = kernel.run("print(ask())").partition(" ")
        assert status == "200"
        assert "demo" in json.loads(body)["providers"]
        assert kernel.run("print(ask(''))").startswith("401")
        kernel.end()
        assert "Demo" in server.get("valet/connections").body
