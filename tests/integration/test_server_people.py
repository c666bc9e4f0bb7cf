"""Several people on one server, a server behind a TLS proxy, and a locked vault."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_broker import nonce
from jupyter_process import LOADED, POSTED, PRESSED, Server, jupyter_server

PEOPLE = """
from jupyter_server.auth import Authorizer, IdentityProvider, User

class People(IdentityProvider):
    def get_user(self, handler):
        name = handler.request.headers.get("X-Person")
        return User(name) if name else None

class NotEve(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return user.username != "eve"

c.ServerApp.identity_provider_class = People
c.ServerApp.authorizer_class = NotEve
c.ServerApp.disable_check_xsrf = True
c.ServerApp.trust_xheaders = True
c.ServerApp.allow_remote_access = True
"""
HUB = {"JUPYTERHUB_USER": "owner-jane"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server at a JupyterHub-like path that tells people apart."""
    home = tmp_path_factory.mktemp("people")
    with jupyter_server(home, config=PEOPLE, base="/user/jane/", environ=HUB) as running:
        yield running


def test_the_broker_is_told_which_person_it_is(server: Server) -> None:
    """mcp.md 1.5, ES-18."""
    for person in ("jane", "joe"):
        server.get("valet/connect/who", {**LOADED, "X-Person": person})
        assert server.asked("page.open")[-1]["principal"] == f"user:{person}"
        server.api("POST", "api/kernels", {}, **{"X-Person": person})
        assert server.asked("capability.register")[-1]["principal"] == f"user:{person}"


def test_a_restart_by_another_person_does_not_change_whose_kernel_it_is(server: Server) -> None:
    kernel = server.api("POST", "api/kernels", {}, **{"X-Person": "jane"})["id"]
    server.api("POST", f"api/kernels/{kernel}/restart", {}, **{"X-Person": "joe"})
    mine = [p for p in server.asked("capability.register") if p["kernel_id"] == kernel]
    assert [params["principal"] for params in mine] == ["user:jane", "user:jane"]


def test_who_may_not_use_connections_is_told_so(server: Server) -> None:
    """The server's authorizer decides about the resource `valet`."""
    before = len(server.asked("page.open"))
    answer = server.get("valet/connect/who", {**LOADED, "X-Person": "eve"})
    assert answer.status == 403
    assert "You may not use connections" in answer.body
    assert len(server.asked("page.open")) == before


def test_behind_a_tls_proxy_the_origin_is_https_and_the_cookie_secure(server: Server) -> None:
    """The browser sent Sec-Fetch-* to a host that is not this machine: so it was https."""
    proxied = {"Host": "hub.example", "X-Person": "jane"}
    server.get("valet/connect/tls", {**LOADED, **proxied})
    assert server.asked("page.open")[-1]["origin"] == "https://hub.example/user/jane/"
    path = f"valet/connect/tls/approve?auth={nonce('tls')}"
    answer = server.get(path, {**PRESSED, **proxied})
    [cookie] = [m for name, m in answer.cookies.items() if "valet-binding" in name]
    assert cookie.key.startswith("__Secure-")
    assert cookie["secure"]
    assert cookie["path"] == "/user/jane/valet/callback/demo"


def test_over_plain_http_to_another_machine_the_page_says_why_it_refuses(server: Server) -> None:
    """Browsers send no Sec-Fetch-* there, so a person cannot be told from a script."""
    answer = server.get("valet/connect/far", {"Host": "hub.example", "X-Person": "jane"})
    assert answer.status == 403
    assert "over https" in answer.body


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with jupyter_server(tmp_path_factory.mktemp("locked"), state="state-locked") as running:
        yield running


def test_a_locked_vault_is_opened_on_a_page_and_the_person_comes_back(locked: Server) -> None:
    """The passphrase goes to the broker unread; the page's nonce is used once."""
    answer = locked.get("valet/connect/wanted")
    assert answer.location == f"{locked.base}valet/unlock/wanted"
    page = locked.get("valet/unlock/wanted")
    action = re.search(r'action="[^"]*(valet/unlock/wanted\?auth=[\w-]+)"', page.body)
    assert action
    guess = locked.request("POST", "valet/unlock/wanted?auth=guess", POSTED, body="passphrase=x")
    assert guess.location == f"{locked.base}valet/unlock/wanted"
    assert locked.asked("vault.unlock") == []

    form = "passphrase=correct+horse"
    done = locked.request("POST", action[1], POSTED, body=form, login=False)
    assert done.location == f"{locked.base}valet/connect/wanted"
    assert locked.asked("vault.unlock") == [{"form": form}]
    locked.request("POST", action[1], POSTED, body=form, login=False)
    assert len(locked.asked("vault.unlock")) == 1
    assert "The vault is open" in locked.get("valet/unlock").body
    assert "correct" not in locked.log


def test_nothing_of_the_first_start_is_readable_by_others(locked: Server) -> None:
    assert Path(locked.home / "state-locked").stat().st_mode & 0o077 == 0
