"""What a single-user server takes from the environment that JupyterHub gave it."""

from __future__ import annotations

import pytest

from jupyter_valet.server import hub

JANE = "/user/jane/"
TOLD = {
    "JUPYTERHUB_SERVICE_PREFIX": JANE,
    "JUPYTERHUB_PUBLIC_URL": "https://hub.example/user/jane/",
}


def test_the_hub_runs_the_server_at_its_prefix_and_no_other() -> None:
    """A server that a person starts in a terminal inherits the variables."""
    assert hub.runs(JANE, TOLD)
    assert not hub.runs("/", TOLD)
    assert not hub.runs("", {})


def test_only_the_hub_s_own_server_is_at_the_public_url() -> None:
    assert hub.public_url(JANE, TOLD) == "https://hub.example/user/jane/"
    assert hub.public_url("/", TOLD) == ""
    assert hub.public_url(JANE, {**TOLD, "JUPYTERHUB_PUBLIC_URL": ""}) == ""


@pytest.mark.parametrize(
    ("api", "closed"),
    [
        ("http://127.0.0.1:8081/hub/api", {8081, 8001}),
        ("http://[::1]:9000/hub/api", {9000, 8001}),
        ("http://hub:8081/hub/api", {8081}),
        ("https://hub.example/hub/api", set()),
        ("https://hub.example:443/hub/api", set()),
        ("http://hub:port/hub/api", set()),
        ("", set()),
    ],
)
def test_the_ports_of_the_hub_are_closed_unless_the_web_needs_them(
    api: str, closed: set[int]
) -> None:
    """The proxy's own is known where the Hub is on this machine, and is its default."""
    assert hub.ports({"JUPYTERHUB_API_URL": api}) == closed


def test_the_key_by_which_a_server_proves_itself_is_hidden() -> None:
    told = {"JUPYTERHUB_SSL_KEYFILE": "/srv/certs/jane.key"}
    assert hub.keys(told) == ["/srv/certs/jane.key"]
    assert hub.keys({"JUPYTERHUB_SSL_KEYFILE": ""}) == []
