"""On a real JupyterHub: whose sign-in it is, what a kernel cannot reach, and the ends of sessions.

One Hub with its proxy for all of them: jane and joe have a server each, and guest may use jane's.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode, urljoin, urlsplit

import anyio
import anyio.to_thread
import httpx2
import psutil
import pytest
from dance import REDIRECT, Program
from hub import PLAIN, Hub, jupyterhub
from hub_person import Kernel, Person
from hub_person import field as hidden
from jupyter_process import Server
from leaks import in_vault, must_not_leak
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult
from program import INITIALIZE
from wavering_provider import Wavering, wavering_provider

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
CALL = "tools.demo.list_issues('tidepool')"
PROBE = """
import os, socket
def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError as error:
        return type(error).__name__
    return "connected"
def reads(path):
    try:
        return len(open(path, "rb").read())
    except OSError as error:
        return type(error).__name__
"""


@pytest.fixture(scope="module")
def wavering() -> Iterator[Wavering]:
    with wavering_provider() as running:
        yield running


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, wavering: Wavering) -> Iterator[Hub]:
    home = tmp_path_factory.mktemp("hub")
    config = (
        f"{PLAIN}c.ValetExtension.demo = True\n"
        f"c.ValetExtension.providers = {{'wavering': {wavering.profile()!r}}}\n"
    )
    with jupyterhub(home, server_config=config) as running:
        for name in ("jane", "joe"):
            running.start(name)
        running.start("jane", "lab2")
        for name in ("jane", "joe"):
            running.up(name)
        yield running
    for name in ("jane", "joe"):
        must_not_leak(home / "people", running.state_of(name), wavering.issued)
        assert not [secret for secret in in_vault(running.state_of(name)) if secret in running.log]


def logged_in(hub: Hub, name: str) -> Person:
    person = Person(hub, name)
    person.log_in()
    return person


@pytest.fixture(scope="module")
def jane(hub: Hub) -> Person:
    return logged_in(hub, "jane")


@pytest.fixture(scope="module")
def joe(hub: Hub) -> Person:
    return logged_in(hub, "joe")


@pytest.fixture(scope="module")
def guest(hub: Hub) -> Person:
    """Somebody whom the Hub lets use jane's server, too."""
    return logged_in(hub, "guest")


@pytest.fixture(scope="module")
def kernel(hub: Hub) -> Iterator[Kernel]:
    token = hub.token_for("jane", "access:servers!server=jane/")
    kernel = Kernel(hub, "user/jane/", token, "tides.ipynb")
    kernel.run("%load_ext jupyter_valet")
    yield kernel
    kernel.end()


def title(page: httpx2.Response) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page.text, re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", found[1])) if found else page.text


def link_to(page: httpx2.Response, element: str) -> str:
    found = re.search(rf'id="{element}"[^>]*href="([^"]+)"', page.text)
    assert found, page.text
    return urljoin(str(page.url), html.unescape(found[1]))


def answer_of(page: httpx2.Response) -> str:
    """Return where the provider sends the browser back to."""
    found = re.search(r"href='([^']+)'", page.text)
    assert found, page.text
    return html.unescape(found[1])


def post(hub: Hub, token: str, message: Any = LIST, name: str = "jane") -> httpx2.Response:
    headers = {"Accept": "application/json, text/event-stream"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return hub.client().post(mcp_url(hub, name), json=message, headers=headers)


# The main flow -----------------------------------------------------------------------------------


def test_the_call_that_asked_is_the_call_that_finishes(
    hub: Hub, jane: Person, kernel: Kernel
) -> None:
    """Card, page, redirect URI and callback are at the Hub's public origin, below jane's path."""
    with kernel.asking(f"print(len({CALL}))") as cell:
        link = cell.link()
        assert link.startswith(f"{hub.url}user/jane/valet/connect/")
        page = jane.load(link, headers={"X-Forwarded-Host": "evil.example"})
        assert (page.status_code, title(page)) == (200, "Connect Demo?")
        assert "evil.example" not in page.text
        assert f"{hub.url}user/jane/" in page.text
        assert f"{hub.url}user/jane/valet/callback/demo" in page.text
        done = jane.at_demo(jane.press(page, "approve"))
        assert title(done) == "Connected as amara"
        assert str(done.url).startswith(f"{hub.url}user/jane/valet/done/")
        assert int(cell.text()) > 0


def test_the_page_is_behind_the_hub_s_login_and_comes_back_after_it(
    hub: Hub, kernel: Kernel
) -> None:
    """A browser that is not logged in goes to the Hub with the address, and no secret."""
    with kernel.asking("%connect wavering") as cell:
        link = cell.link()
        nobody = Person(hub, "jane")
        page = nobody.open(link)
        assert page.status_code == 200
        assert urlsplit(str(page.url)).path == "/hub/login"
        nobody.log_in()
        page = nobody.open(link)
        assert title(page) == "Connect Wavering?"
        nobody.press(page, "decline")
        assert "declined" in cell.text()


# Who is who --------------------------------------------------------------------------------------


def test_nobody_else_sees_opens_approves_or_declines_it(
    hub: Hub, kernel: Kernel, jane: Person, joe: Person, guest: Person
) -> None:
    """ES-30: joe may not come in; guest may, and is guest there, whatever is known of the page."""
    with kernel.asking("%connect wavering") as cell:
        link = cell.link()
        page = jane.open(link)
        approve, decline = link_to(page, "approve"), link_to(page, "decline")
        for address in (link, approve, decline):
            assert joe.load(address, site="cross-site").status_code == 403
            assert "/hub/" in joe.url, "the Hub turned joe away before our server knew of him"
        assert joe.open(link.replace("/user/jane/", "/user/joe/")).status_code == 404

        assert "another person" in title(guest.open(link))
        for address in (approve, decline):
            answer = guest.load(address, site="cross-site")
            assert (answer.status_code, "another person" in title(answer)) == (403, True)
        connections = guest.open(f"{hub.url}user/jane/valet/connections")
        assert connections.status_code == 200
        assert "Waiting for you" not in connections.text
        assert "amara" not in connections.text
        assert "Waiting for you" in jane.open(f"{hub.url}user/jane/valet/connections").text

        jane.press(jane.open(link), "decline")
        assert "declined" in cell.text()


def test_nobody_else_finishes_it(
    hub: Hub, kernel: Kernel, jane: Person, joe: Person, guest: Person, wavering: Wavering
) -> None:
    """ES-31, BP-04, also with the binding cookie: no code is redeemed, and the state is spent."""
    with kernel.asking("%connect wavering") as cell:
        page = jane.press(jane.open(cell.link()), "approve")
        back = answer_of(page)
        binding = {c.name: c.value for c in jane.browser.cookies.jar if "binding" in c.name}
        assert len(binding) == 1
        assert joe.load(back, site="cross-site").status_code == 403
        for other in (joe, guest):
            other.browser.cookies.update(binding)
        assert joe.load(back, site="cross-site").status_code == 403
        assert "another person" in title(guest.load(back, site="cross-site"))
        assert "another person" in cell.text()
        assert jane.load(back, site="cross-site").status_code == 409
        assert wavering.forms("/token") == []


def test_a_sign_in_ends_where_it_began(kernel: Kernel, jane: Person, wavering: Wavering) -> None:
    """The redirect URI that jane registered is that of her server at the public origin."""
    with kernel.asking("%connect wavering") as cell:
        page = jane.press(jane.open(cell.link()), "approve")
        assert title(jane.load(answer_of(page), site="cross-site")) == "Connected as jane"
        assert cell.text() == ""
    assert "'account': 'jane'" in kernel.run("%connections")
    [sent] = wavering.forms("/token")
    assert sent["redirect_uri"] == f"{kernel.server}valet/callback/wavering"


def test_a_guest_s_kernel_is_the_guest_s(hub: Hub, guest: Person) -> None:
    """The same server, another person: nothing of jane's is there for them.

    (A notebook that jane has open is another matter: Jupyter gives guest her very kernel.)
    """
    token = hub.token_for("guest", "access:servers!user=jane")
    kernel = Kernel(hub, "user/jane/", token, "guest.ipynb")
    try:
        kernel.run("%load_ext jupyter_valet")
        assert "amara" not in kernel.run("%connections")
        with kernel.asking(CALL) as cell:
            link = cell.link()
            page = guest.open(link)
            assert title(page) == "Connect Demo?"
            guest.press(page, "decline")
            assert "declined" in cell.text()
    finally:
        kernel.end()


# What a kernel cannot reach ----------------------------------------------------------------------


def test_no_token_of_the_hub_is_in_a_kernel(hub: Hub, kernel: Kernel) -> None:
    """M01, R53: nor is one in a file or a process that it can read."""
    environ = json.loads(kernel.run("import json, os; print(json.dumps(dict(os.environ)))"))
    server, told = hub.server_environment("jane")
    secrets = {value for name, value in told.items() if name.endswith("API_TOKEN")}
    assert secrets
    assert {name for name, value in environ.items() if value in secrets} == set()
    assert not {name for name in environ if "TOKEN" in name or "SECRET" in name}
    assert environ["JUPYTERHUB_SERVICE_PREFIX"] == "/user/jane/"
    kernel.run(PROBE)
    runtime = hub.home_of("jane") / ".local/share/jupyter/runtime"
    files = [
        f"/proc/{server}/environ",
        f"/proc/{server}/mem",
        str(runtime / f"jpserver-{server}.json"),
        str(runtime / "jupyter_cookie_secret"),
    ]
    assert not [secret for secret in secrets if secret in Path(files[2]).read_text()]
    for file in files:
        assert kernel.run(f"print(reads({file!r}))").endswith(("Error", "0")), file


def test_no_token_of_the_hub_is_in_a_page(hub: Hub, jane: Person, guest: Person) -> None:
    """R79: jupyter_server writes the server's own into every error page, whoever asks for it."""
    secrets = {v for k, v in hub.server_environment("jane")[1].items() if k.endswith("API_TOKEN")}
    for person in (jane, guest):
        for path in ("files/nothing.txt", "view/nothing.html", "api/nothing", "tree/nothing"):
            page = person.open(f"{hub.url}user/jane/{path}")
            assert page.status_code == 404
            assert not [secret for secret in secrets if secret in page.text], path


def test_a_token_of_the_hub_opens_no_page(hub: Hub, kernel: Kernel, jane: Person) -> None:
    """X04: a program that has one, and lies about how it came here, presses nothing.

    JupyterHub makes a login cookie of one in both header and URL; that opens none either.
    """
    program = Person(hub, "jane")
    with kernel.asking("%connect wavering --new-account") as cell:
        link = cell.link()
        for token in (kernel.token, hub.server_environment("jane")[1]["JUPYTERHUB_API_TOKEN"]):
            shown = {"Authorization": f"token {token}"}
            assert title(program.load(link, headers=shown)) == "A token opens no page"
            status = f"{hub.url}user/jane/api/status"
            assert program.load(f"{status}?token={token}", headers=shown).status_code == 200
            assert program.load(status).status_code == 200, "it has a cookie now"
            assert title(program.load(link)) == "A token opens no page"
        jane.press(jane.open(link), "decline")
        assert "declined" in cell.text()


def test_the_hub_s_and_the_proxy_s_own_ports_are_closed_to_kernels(
    hub: Hub, kernel: Kernel
) -> None:
    """R47: they want tokens, and a kernel has no business there; the proxy's is configured."""
    kernel.run(PROBE)
    for url in (hub.hub_url, hub.proxy_api_url, hub.server_facts("jane")["url"]):
        assert kernel.run(f"print(connects({urlsplit(url).port}))") == "PermissionError", url
    assert kernel.run(f"print(connects({urlsplit(hub.url).port}))") == "connected"


# Several servers of one person ----------------------------------------------------------------


@pytest.fixture(scope="module")
def second(hub: Hub) -> Iterator[Kernel]:
    """A kernel of jane's other server, for the same notebook."""
    hub.up("jane", "lab2")
    token = hub.token_for("jane", "access:servers!server=jane/lab2")
    kernel = Kernel(hub, "user/jane/lab2/", token, "tides.ipynb")
    kernel.run("%load_ext jupyter_valet")
    yield kernel
    kernel.end()


def test_what_one_server_connected_the_other_has(kernel: Kernel, second: Kernel) -> None:
    """They share the home folder, and so the vault."""
    for asked in (kernel, second):
        assert "'provider': 'wavering'" in asked.run("%connections")


def test_a_question_of_one_server_is_answered_there(hub: Hub, second: Kernel, jane: Person) -> None:
    """Only the server that started the kernel knows how it is isolated; the other says where."""
    with second.asking("%connect wavering --new-account") as cell:
        link = cell.link()
        assert link.startswith(f"{hub.url}user/jane/lab2/valet/connect/")
        elsewhere = jane.open(link.replace("/lab2/", "/"))
        assert (elsewhere.status_code, title(elsewhere)) == (
            409,
            "Another Jupyter server of yours asks this.",
        )
        assert link in elsewhere.text
        jane.press(jane.open(link), "decline")
        assert "declined" in cell.text()


def test_two_servers_write_to_one_vault_at_once(
    hub: Hub, kernel: Kernel, second: Kernel, jane: Person
) -> None:
    """Each has a question out and an answer in while the other has; nothing is lost or broken."""
    question = "%connect wavering --new-account"
    with kernel.asking(question) as one, second.asking(question) as two:
        for cell in (one, two):
            page = jane.press(jane.open(cell.link()), "approve")
            assert title(jane.load(answer_of(page), site="cross-site")) == "Connected as jane"
        assert (one.text(), two.text()) == ("", "")
    assert "forgotten" in second.run("%disconnect wavering")
    assert "wavering" not in kernel.run("%connections")
    verified = hub.command("jane", "audit", "--verify")
    assert verified.returncode == 0, verified.stderr


# Clients outside of the notebooks -----------------------------------------------------------------


def mcp_url(hub: Hub, name: str = "jane") -> str:
    return f"{hub.url}user/{name}/valet/mcp"


@asynccontextmanager
async def client(hub: Hub, token: str, mode: str = "2026-07-28", **options: Any) -> Any:
    """The SDK's client with a token of the Hub, at jane's server."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http:
        transport = streamable_http_client(mcp_url(hub), http_client=http)
        async with Client(transport, mode=mode, **options) as connected:
            yield connected


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_token_of_the_hub_opens_the_mcp_endpoint_of_its_person(hub: Hub, mode: str) -> None:
    """With the one scope that it takes, and through the proxy, in both revisions."""
    async with client(hub, hub.token_for("jane", "access:servers!server=jane/"), mode) as mcp:
        tools = await mcp.list_tools()
    assert "demo_list_issues" in {tool.name for tool in tools.tools}


@dataclass
class Editor(Program):
    """A program that signs in with Jupyter, in the browser of a person at the Hub."""

    person: Person = field(kw_only=True)

    async def _opens(self, url: str) -> None:
        await anyio.to_thread.run_sync(self._allow, url)

    def _allow(self, url: str) -> None:
        page = self.person.load(url, site="none")
        self.asked.append({"title": title(page)})
        form = re.search(r'<form method="get" action="([^"]+)">', page.text)
        assert form, page.text
        ticked = dict(
            re.findall(r'type="checkbox" name="(\w+)" value="([^"]+)" checked', page.text)
        )
        query = urlencode({"auth": hidden(page.text, "auth"), **ticked})
        pressed = f"{urljoin(str(page.url), form[1])}?{query}"
        self.location = self.person.load(pressed, site="cross-site", away=REDIRECT).headers[
            "location"
        ]


@pytest.mark.anyio
async def test_a_program_signs_in_with_jupyter_by_the_hub_s_login(hub: Hub) -> None:
    """CL-01, CL-02: all metadata are below the server's path; its page wants the Hub's login."""
    jane = await anyio.to_thread.run_sync(logged_in, hub, "jane")
    editor = Editor(cast("Server", SimpleNamespace(url=f"{hub.url}user/jane/")), person=jane)
    async with editor.http as http:
        transport = streamable_http_client(mcp_url(hub), http_client=http)
        async with Client(transport, mode="2026-07-28") as mcp:
            tools = await mcp.list_tools()
    assert "demo_list_issues" in {tool.name for tool in tools.tools}
    [page] = editor.asked
    assert "SDK program" in page["title"]
    assert editor.storage.tokens
    token = editor.storage.tokens.access_token
    assert post(hub, token, INITIALIZE).status_code == 200
    assert post(hub, token, INITIALIZE, name="joe").status_code == 401, "its audience is another"


@pytest.mark.anyio
async def test_a_guest_s_program_asks_the_guest(hub: Hub, guest: Person, jane: Person) -> None:
    """What jane connected is not for who may use her server."""
    titles: list[str] = []

    async def opens(context: Any, params: Any) -> ElicitResult:
        for person in (jane, guest):
            page = await anyio.to_thread.run_sync(person.open, params.url)
            titles.append(title(page))
        return ElicitResult(action="decline")

    token = hub.token_for("guest", "access:servers!user=jane")
    async with client(hub, token, elicitation_callback=opens) as mcp:
        result = await mcp.call_tool("demo_list_issues", {"project": "tidepool"})
    assert result.is_error
    assert titles[0] == "This sign-in was started by another person."
    assert titles[1].startswith("Connect Demo")


@pytest.mark.parametrize(
    ("name", "scope"), [("joe", "access:servers!server=joe/"), ("jane", "read:users!user=jane")]
)
def test_a_token_that_does_not_reach_this_server_is_refused(
    hub: Hub, name: str, scope: str
) -> None:
    """RS-08: joe's own, and one of jane's that is for something else. The broker never sees it."""
    answer = post(hub, hub.token_for(name, scope))
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "not_admitted"


def test_who_shows_no_token_learns_where_to_get_one(hub: Hub) -> None:
    """RS-02: the metadata are below the server's path, since the origin's root is the Hub's."""
    refused = post(hub, "")
    assert refused.status_code == 401
    found = re.search(r'resource_metadata="([^"]+)"', refused.headers["www-authenticate"])
    assert found
    metadata = found[1]
    assert metadata.startswith(f"{hub.url}user/jane/valet/")
    document = hub.client().get(metadata)
    assert document.status_code == 200
    assert document.json()["resource"] == mcp_url(hub)


def make_key(hub: Hub, person: Person, name: str) -> str:
    """Make an API key on the connections page of jane's server."""
    connections = f"{hub.url}user/jane/valet/connections"
    auth = hidden(person.open(connections).text, "auth")
    asked = urlencode({"auth": auth, "name": name, "days": "7", "scope0": "tools:read"})
    made = person.load(f"{connections}/key?{asked}", site="cross-site")
    return shown_in(made, "token")


def shown_in(page: httpx2.Response, element: str) -> str:
    found = re.search(rf'id="{element}"[^>]* value="([^"]+)"', page.text)
    assert found, page.text
    return html.unescape(found[1])


def test_an_api_key_is_its_person_s_and_that_server_s(
    hub: Hub, jane: Person, guest: Person, joe: Person
) -> None:
    """Who may use jane's server makes keys of their own there, and none of hers."""
    keys = {person.name: make_key(hub, person, f"of {person.name}") for person in (jane, guest)}
    assert {post(hub, key, INITIALIZE).status_code for key in keys.values()} == {200}
    for person, other in ((jane, "of guest"), (guest, "of jane")):
        page = person.open(f"{hub.url}user/jane/valet/connections").text
        assert f"of {person.name}" in page
        assert other not in page
    assert post(hub, keys["jane"], name="joe").status_code == 401


def test_the_login_cookie_opens_no_endpoint(hub: Hub, jane: Person) -> None:
    """RS-11: a browser sends it along, whoever made it ask."""
    jane.open(f"{hub.url}user/jane/valet/connections")
    headers = {"Accept": "application/json, text/event-stream"}
    answer = jane.browser.post(mcp_url(hub), json=LIST, headers=headers)
    assert answer.status_code == 401


def test_a_program_in_a_terminal_reaches_the_server_whose_terminal_it_is(hub: Hub) -> None:
    """Also beside another server of the same person; no token is in a file."""
    done = hub.command("jane", "stdio", said=json.dumps(INITIALIZE) + "\n")
    answer = json.loads(done.stdout.splitlines()[0])
    assert answer["result"]["serverInfo"]["name"] == "jupyter-valet", done.stderr


# The doctor ---------------------------------------------------------------------------------------


def test_the_doctor_works_in_a_terminal_of_a_server(hub: Hub) -> None:
    """It says a level, of a server that is none of the Hub's though it inherits its variables."""
    done = hub.command("jane", "doctor", "--json", "--rows", "R47,R53")
    report = json.loads(done.stdout)
    assert (report["good"], report["worse_than_claimed"]) == (True, []), done.stdout
    assert report["level"] in ("L2", "L2+")
    assert report["rows"]["R53"]["verdict"] == "blocked"


def test_the_doctor_in_a_kernel_knows_the_server_behind_the_proxy(kernel: Kernel) -> None:
    said = kernel.run("%valet doctor")
    assert "Nothing is worse than L2" in said, said


# Ends --------------------------------------------------------------------------------------------


def test_a_server_that_is_culled_takes_its_broker_and_kernels_with_it(hub: Hub) -> None:
    kernel = Kernel(hub, "user/joe/", hub.token_for("joe", "access:servers!server=joe/"))
    kernel.run("%load_ext jupyter_valet")
    children = psutil.Process(hub.server_facts("joe")["pid"]).children(recursive=True)
    assert any("jupyter_valet.broker" in child.cmdline() for child in children)
    hub.stop("joe")
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    kernel.end()


def test_after_the_logout_at_the_hub_pages_refuse(hub: Hub) -> None:
    jane = logged_in(hub, "jane")
    address = f"{hub.url}user/jane/valet/connections"
    assert title(jane.open(address)) == "Your connections"
    jane.log_out()
    page = jane.open(address)
    assert urlsplit(str(page.url)).path == "/hub/login"
