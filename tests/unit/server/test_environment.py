"""Which variables reach the broker, and which do not reach a kernel."""

from __future__ import annotations

import pytest

from jupyter_valet.server.environment import WITHHELD, for_broker, for_kernel
from jupyter_valet.wire import env


@pytest.mark.parametrize(
    "name",
    [
        "JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY",
        "OPENAI_API_KEY", "PYTHONPATH", "PYTHONSTARTUP", "PYTHON_KEYRING_BACKEND", "LD_PRELOAD",
        "HTTPS_PROXY", "ALL_PROXY", "SSLKEYLOGFILE", "BASH_ENV", env.CAPABILITY,
    ],
)  # fmt: skip
def test_the_broker_gets_nothing_that_is_secret_or_chooses_code(name: str) -> None:
    """D2, R53: an allow-list."""
    assert for_broker({name: "x", "HOME": "/home/jane"}) == {"HOME": "/home/jane"}


def test_the_broker_gets_what_a_keyring_needs() -> None:
    kept = {
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus",
        "XDG_RUNTIME_DIR": "/run/user/1000",
        "LC_ALL": "C.UTF-8",
    }
    assert for_broker(kept) == kept


def test_a_kernel_does_not_inherit_the_keys_to_its_server() -> None:
    """M01, R53."""
    environ = dict.fromkeys([*WITHHELD, env.URL, env.CAPABILITY], "x")
    assert {"JUPYTER_TOKEN", "JPY_API_TOKEN", "JUPYTERHUB_API_TOKEN"} <= set(environ)
    assert for_kernel({**environ, "PATH": "/bin"}, WITHHELD) == {"PATH": "/bin"}


def test_a_kernel_never_gets_the_capability_of_a_kernel_around_it() -> None:
    """A server that was started from a notebook has one in its environment."""
    assert for_kernel({env.CAPABILITY: "outer", env.URL: "http://outer"}, []) == {}
