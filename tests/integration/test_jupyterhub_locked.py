"""A JupyterHub as docs/jupyterhub.md wants it: https, the lockdown profile, ordinary rights."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator

import pytest
from hub import Hub, jupyterhub
from hub_person import Kernel, Person
from reverse_proxy import certificate
from wavering_provider import Wavering, wavering_provider

from jupyter_valet.cli.lab import as_lesser_root, profile_folder


@pytest.fixture(scope="module")
def wavering() -> Iterator[Wavering]:
    with wavering_provider() as running:
        yield running


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, wavering: Wavering) -> Iterator[Hub]:
    home = tmp_path_factory.mktemp("hub")
    profile = (
        f"c.Spawner.cmd = [*{as_lesser_root()!r}, *c.Spawner.cmd]\n"
        f"c.Spawner.environment['JUPYTER_CONFIG_PATH'] = {str(profile_folder())!r} + ':'"
        " + c.Spawner.environment['JUPYTER_CONFIG_PATH']\n"
    )
    with jupyterhub(
        home,
        server_config=f"c.ValetExtension.providers = {{'wavering': {wavering.profile()!r}}}\n",
        hub_config=profile,
        certificate=certificate(home, "hub.example"),
    ) as running:
        running.start("jane")
        running.up("jane")
        yield running


@pytest.fixture(scope="module")
def kernel(hub: Hub) -> Iterator[Kernel]:
    token = hub.token_for("jane", "access:servers!server=jane/")
    kernel = Kernel(hub, "user/jane/", token, "tides.ipynb")
    kernel.run("%load_ext jupyter_valet")
    yield kernel
    kernel.end()


def test_kernels_of_a_hub_reach_the_level_of_the_lockdown(kernel: Kernel) -> None:
    assert "L2+: code here may use a connection within its policy" in kernel.run("%valet")


def test_jupyterlab_s_page_has_no_token(hub: Hub) -> None:
    """R79: it works with the login cookie, which no script can read."""
    jane = Person(hub, "jane")
    jane.log_in()
    page = jane.open(f"{hub.url}user/jane/lab").text
    found = re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found
    settings = json.loads(found[1])
    assert (settings["hubUser"], settings["token"]) == ("jane", "")
    told = hub.server_environment("jane")[1]
    assert told["JUPYTERHUB_API_TOKEN"] not in page


def test_behind_the_proxy_s_tls_everything_is_https(hub: Hub, kernel: Kernel) -> None:
    """The proxy says so (`X-Forwarded-Proto`), and JupyterHub has its servers believe it."""
    jane = Person(hub, "jane")
    jane.log_in()
    with kernel.asking("%connect wavering") as cell:
        link = cell.link()
        assert link.startswith(f"{hub.url}user/jane/valet/connect/")
        page = jane.open(link)
        assert f"{hub.url}user/jane/valet/callback/wavering" in html.unescape(page.text)
        there = jane.press(page, "approve")
        [binding] = [c for c in jane.browser.cookies.jar if "valet-binding" in c.name]
        assert binding.name.startswith("__Secure-")
        assert binding.secure
        assert binding.path == "/user/jane/valet/callback/wavering"
        found = re.search(r"href='([^']+)'", there.text)
        assert found
        back = html.unescape(found[1])
        assert back.startswith("https://")
        done = jane.load(back, site="cross-site")
        assert "Connected as <bdi>jane</bdi>" in done.text
        assert cell.text() == ""
