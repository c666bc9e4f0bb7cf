"""Commands, environments, plans and mounts: what a kernel is started with."""

from __future__ import annotations

import marshal
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_valet.sandbox import command, environment, ports
from jupyter_valet.sandbox.backends.base import launcher, unnamed_file
from jupyter_valet.sandbox.backends.bubblewrap import mounts
from jupyter_valet.sandbox.launch.plan import LaunchPlan, Relay
from jupyter_valet.sandbox.policy import Mode, Policy
from jupyter_valet.sandbox.workspace import Workspace

START = str(command.IPYTHON_START)


@pytest.mark.parametrize("module", ["ipykernel_launcher", "ipykernel"])
def test_ipykernel_is_started_from_a_file_and_not_from_the_working_directory(module: str) -> None:
    """R63, R65."""
    argv = ["/env/bin/python3.12", "-Xfrozen_modules=off", "-m", module, "-f", "c.json"]
    assert command.safe(argv) == [
        "/env/bin/python3.12", "-Xfrozen_modules=off", START, "-f", "c.json",
    ]  # fmt: skip


def test_another_module_is_started_isolated() -> None:
    assert command.safe(["python", "-m", "bash_kernel", "-f", "c"]) == [
        "python", "-I", "-m", "bash_kernel", "-f", "c",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["R", "--slave", "-e", "IRkernel::main()"],
        ["/env/bin/python", "kernel.py", "-m", "ipykernel"],
        ["python", "-c", "-m"],
        ["pythonista", "-m", "ipykernel"],
    ],
)
def test_other_commands_are_left_alone(argv: list[str]) -> None:
    assert command.safe(argv) == argv


def test_options_with_values_are_skipped() -> None:
    argv = ["python", "-W", "-m", "-X", "utf8", "-m", "ipykernel_launcher"]
    assert command.safe(argv) == ["python", "-W", "-m", "-X", "utf8", START]


@pytest.mark.parametrize(
    "name",
    ["JUPYTER_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "SSH_AUTH_SOCK",
     "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "LD_PRELOAD", "HF_TOKEN", "PYTORCH_TOKEN",
     "KERNEL_PASSWORD", "LC_SECRET", "DISPLAY", "PYTHONSTARTUP", "DATABASE_URL"],
)  # fmt: skip
def test_a_variable_that_is_not_listed_stays_outside(name: str) -> None:
    """R02, R53."""
    assert environment.for_kernel({name: "x"}) == {}


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LC_ALL", "OMP_NUM_THREADS", "JUPYTER_VALET_CAPABILITY", "TZ"]
)
def test_a_harmless_variable_passes(name: str) -> None:
    assert environment.for_kernel({name: "x"}) == {name: "x"}


def test_what_a_kernelspec_sets_and_a_person_opens_passes() -> None:
    environ = {"SPEC_VALUE": "1", "OPENAI_API_KEY": "2", "OTHER": "3"}
    passed = environment.for_kernel(environ, own=["SPEC_VALUE"], opened=["OPENAI_API_KEY"])
    assert passed == {"SPEC_VALUE": "1", "OPENAI_API_KEY": "2"}


def test_a_proxy_passes_without_a_login_only() -> None:
    environ = {"https_proxy": "http://proxy:3128", "HTTP_PROXY": "http://ann:pw@proxy:3128"}
    assert environment.for_kernel(environ) == {"https_proxy": "http://proxy:3128"}


@pytest.mark.skipif(sys.platform != "linux", reason="there are no such files elsewhere")
def test_a_plan_survives_the_way_to_the_launcher() -> None:
    plan = LaunchPlan(
        paths=[("/", 8)], files=1, own_ports=[6665], program=b"\0\0\0", relay=Relay(1, "/x")
    )
    told = LaunchPlan.from_descriptor(unnamed_file(plan.to_bytes()))
    assert told.relay is not None
    assert vars(told.relay) == {"port": 1, "socket": "/x"}
    assert [tuple(rule) for rule in told.paths] == plan.paths
    assert told.program == plan.program


def test_an_unknown_field_of_a_plan_is_an_error() -> None:
    """A launcher that does not understand a part of its plan must not start a kernel."""
    with pytest.raises(TypeError):
        LaunchPlan.from_bytes(marshal.dumps({"relay": None, "newer": 1}))


def test_kernels_get_addresses_where_nobody_listens() -> None:
    tried: list[str] = []
    address = ports.free_address(lambda a: (tried.append(a), len(tried) == 3)[1])
    assert address == tried[2]
    assert address.startswith("127.")
    assert 64 <= int(address.split(".")[1]) < 192


def test_a_kernel_with_a_whole_network_has_its_own_ports_at_the_first_address() -> None:
    """There another kernel sees that the network is taken."""
    tried: list[str] = []
    address = ports.free_network(lambda a: (tried.append(a), len(tried) == 3)[1])
    assert address == tried[2]
    assert all(address.endswith(".1") for address in tried)


@pytest.mark.parametrize("choose", [ports.free_address, ports.free_network])
def test_a_port_that_is_taken_everywhere_is_an_error(choose: Any) -> None:
    with pytest.raises(OSError, match="6665"):
        choose(lambda address: False)


def test_kernels_listen_where_browsers_refuse_to_go_only() -> None:
    """R80; which ports those are is tried in a real browser."""
    assert {*ports.KERNEL_PORTS, *ports.LOCAL_PORTS} <= ports.BROWSERS_REFUSE
    assert not {*ports.KERNEL_PORTS} & {*ports.LOCAL_PORTS}


def test_bubblewrap_mounts_what_is_deeper_on_top(tmp_path: Path) -> None:
    for name in ("home/.ssh", "home/work/.git/hooks", "ws"):
        (tmp_path / name).mkdir(parents=True)
    home = tmp_path / "home"
    policy = Policy(
        modes={"/": Mode.READ, "/dev": Mode.HIDDEN, str(home / "work"): Mode.WRITE,
               str(home / ".ssh"): Mode.HIDDEN, str(tmp_path / "gone"): Mode.HIDDEN},
        guarded=[str(home / "work/.git/hooks"), str(home / "work/.git/config")],
    )  # fmt: skip
    arguments = mounts(policy, Workspace(tmp_path / "ws"))
    text = " ".join(arguments)
    assert text.startswith("--ro-bind / / --proc /proc --dev /dev")
    assert text.index(f"--bind {home}/work") < text.index(f"--ro-bind {home}/work/.git/hooks")
    assert f"--tmpfs {home}/.ssh" in text
    assert f"--remount-ro {home}/.ssh" in text
    assert "gone" not in text
    assert ".git/config" not in text  # it does not exist


@pytest.mark.skipif(sys.platform != "linux", reason="there is no launcher elsewhere")
def test_a_launcher_that_is_told_nonsense_starts_nothing(tmp_path: Path) -> None:
    """Fail closed: status 70, and the program does not run."""
    import subprocess

    mark = tmp_path / "ran"
    for plan in (b"nonsense", b"{}", b'{"relay": null, "paths": [["/", 1]], "files": -1}'):
        told = unnamed_file(plan)
        command = [*launcher(told), "touch", str(mark)]
        done = subprocess.run(command, capture_output=True, text=True, pass_fds=[told])
        os.close(told)
        assert done.returncode == 70
        assert "was not started" in done.stderr
        assert not mark.exists()
