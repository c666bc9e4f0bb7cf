"""Adding an API from a notebook: a real broker process, a real API, the kernel's side in here."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from broker_process import ORIGIN, BrokerFork, BrokerProcess, ControlError, Kernel
from person import Person, asked, finish

import jupyter_valet as valet
from jupyter_valet.kernel import magics, session
from jupyter_valet.wire.errors import ValetError

KEY = "survey-key-" + "7" * 30


class Api(BaseHTTPRequestHandler):
    """Knows one key and two ways to use it; notes what it got."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        if self.path == "/openapi.json":
            said: Any = self.server.document  # type: ignore[attr-defined]
        elif self.path.startswith("/keyed") and self.headers.get("X-Key") != KEY:
            self._send(401, {"error": "no key"})
            return
        else:
            said = {"stations": [{"name": "A"}, {"name": "B"}]}
        self._send(200, said)

    def _send(self, status: int, said: Any) -> None:
        data = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


def document(url: str, *, keyed: bool) -> dict[str, Any]:
    path = "/keyed/stations" if keyed else "/stations"
    whole: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Survey", "version": "1"},
        "servers": [{"url": url}],
        "paths": {
            path: {
                "get": {"operationId": "listStations", "summary": "List the stations of a river"},
                "post": {"operationId": "addStation", "summary": "Add a station to a river"},
            }
        },
    }
    if keyed:
        scheme = {"type": "apiKey", "in": "header", "name": "X-Key"}
        whole["components"] = {"securitySchemes": {"key": scheme}}
        whole["security"] = [{"key": []}]
    return whole


@pytest.fixture(scope="module")
def api() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    server.document = document(server.url, keyed=False)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def broker(tmp_path: Path, api: Any) -> Iterator[BrokerProcess]:
    api.seen = []
    with BrokerFork(tmp_path / "valet") as broker:
        yield broker


@pytest.fixture
def kernel(broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """Make this process a kernel of that broker."""
    yield from as_kernel(broker.kernel(), monkeypatch)


def as_kernel(found: Kernel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("JUPYTER_VALET_URL", f"http://127.0.0.1:{found.port}")
    monkeypatch.setenv("JUPYTER_VALET_CAPABILITY", found.token)
    yield found
    session.current().close()


def type_key(broker: BrokerProcess, transaction: str, key: str = KEY) -> None:
    facts = Person().open(broker, transaction)
    assert facts["step"] == "api_key", facts
    broker.call(
        "page.save",
        transaction=transaction,
        principal="owner",
        origin=ORIGIN,
        form=urlencode({"nonce": facts["nonce"], "api_key": key, "label": "field"}),
    )


def names(kernel: Kernel) -> set[str]:
    return {tool["name"] for tool in session.current().tools()}


def test_an_api_with_a_key_asks_for_it_on_the_page_and_the_same_call_finishes(
    broker: BrokerProcess, kernel: Kernel, api: Any
) -> None:
    added = valet.add_api(document(api.url, keyed=True), name="survey")
    assert "1 that read and 1 that write" in repr(added)
    assert {"survey_list_stations", "survey_add_station"} <= names(kernel)
    transaction, key, state = asked(kernel.call_tool("survey_list_stations", {}))
    host = api.url.partition("://")[2]
    assert Person().open(broker, transaction)["provider_host"] == host
    assert Person().open(broker, transaction)["provider_title"] == host  # not what it calls itself
    type_key(broker, transaction)
    said = finish(kernel, "survey_list_stations", {}, key, state)
    assert said["structuredContent"] == {"stations": [{"name": "A"}, {"name": "B"}]}
    assert api.seen[-1][2]["X-Key"] == KEY


def test_an_api_without_a_key_is_used_with_the_persons_leave_and_sends_none(
    broker: BrokerProcess, kernel: Kernel, api: Any
) -> None:
    magics.valet(f"add open {api.url}/openapi.json")
    api.seen.clear()
    transaction, key, state = asked(kernel.call_tool("open_list_stations", {}))
    assert api.seen == []  # nothing is sent before the person said yes
    assert Person().open(broker, transaction)["step"] == "use"
    Person().approve(broker, transaction)
    said = finish(kernel, "open_list_stations", {}, key, state)
    assert not said.get("isError"), said
    assert "Authorization" not in api.seen[-1][2]


def test_a_write_of_an_added_api_waits_for_approval(
    broker: BrokerProcess, kernel: Kernel, api: Any
) -> None:
    valet.add_api(document(api.url, keyed=False), name="open")
    transaction, key, state = asked(kernel.call_tool("open_add_station", {}))
    Person().approve(broker, transaction)
    status, body = kernel.call_tool(
        "open_add_station",
        {},
        inputResponses={key: {"action": "accept"}},
        requestState=state,
    )
    approval, _, _ = asked((status, body))
    assert Person().open(broker, approval)["step"] == "approval"
    assert [method for method, *_ in api.seen if method == "POST"] == []


def test_an_approval_for_good_is_not_for_what_another_document_calls_the_same(
    broker: BrokerProcess, kernel: Kernel, api: Any
) -> None:
    """The tool's name is the notebook's; what the person saw was one document's write."""
    found = document(api.url, keyed=False)
    valet.add_api(found, name="open")
    transaction, key, state = asked(kernel.call_tool("open_add_station", {}))
    Person().approve(broker, transaction)
    accepted = {key: {"action": "accept"}}
    again = kernel.call_tool("open_add_station", {}, inputResponses=accepted, requestState=state)
    approval, key, state = asked(again)
    Person().press(broker, "allow", approval, choice="notebook")
    assert not finish(kernel, "open_add_station", {}, key, state).get("isError")
    valet.add_api(found, name="open")  # the cell is run again
    assert "result" in kernel.call_tool("open_add_station", {})[1]
    assert [method for method, *_ in api.seen].count("POST") == 2
    found["paths"]["/everything"] = {"delete": found["paths"]["/stations"].pop("post")}
    valet.add_api(found, name="open")
    approval, _, _ = asked(kernel.call_tool("open_add_station", {}))
    assert Person().open(broker, approval)["preview"]["path"] == "/everything"


def asked_of(kernel: Kernel, method: str, path: str, said: Any = None) -> dict[str, Any]:
    """Return what the listener answers."""
    request = Request(
        f"http://127.0.0.1:{kernel.port}{path}",
        data=None if said is None else json.dumps(said).encode(),
        headers={"Authorization": f"Bearer {kernel.token}"},
        method=method,
    )
    try:
        with urlopen(request, timeout=20) as reply:
            return dict(json.load(reply))
    except HTTPError as refused:
        return dict(json.load(refused))


def test_the_provider_of_a_document_is_nothing_to_another_person(
    broker: BrokerProcess, kernel: Kernel, api: Any
) -> None:
    """Neither to see nor to use, nor to put a server of theirs in its place."""
    valet.add_api(document(api.url, keyed=True), name="survey")
    name = asked_of(kernel, "GET", "/toolsets")["toolsets"][0]["provider"]
    assert asked_of(kernel, "GET", f"/egress/{name}")["origins"] == [api.url]
    joe = broker.kernel("k2", principal="joe")
    place = api.url.replace("://", "/")
    for method, path, said in (
        ("GET", f"/egress/{name}", None),
        ("GET", f"/egress/{name}/{place}/keyed/stations", None),
        ("POST", "/connect", {"provider": name, "scopes": [], "new_account": False}),
    ):
        assert asked_of(joe, method, path, said)["error"]["code"] == "unknown_provider", path
    server = {"name": name, "url": "https://thief.example/mcp"}
    assert "is taken" in asked_of(joe, "POST", "/toolsets/servers", server)["error"]["message"]
    assert asked_of(kernel, "GET", f"/egress/{name}")["origins"] == [api.url]


def test_the_name_of_an_api_stands_for_its_provider(
    broker: BrokerProcess, kernel: Kernel, api: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has to copy a name that was made of a host."""
    valet.add_api(document(api.url, keyed=True), name="survey")
    transaction, *_ = asked(kernel.call_tool("survey_list_stations", {}))
    type_key(broker, transaction)
    magics.connect("survey")
    assert "already signed in as field" in capsys.readouterr().out
    assert valet.client("survey").base_url == api.url
    magics.disconnect("survey")
    assert "field is forgotten here" in capsys.readouterr().out
    with pytest.raises(ValetError, match="no such connection: survey"):
        magics.disconnect("survey")
    with pytest.raises(ValetError, match="no provider named nothing"):
        valet.client("nothing")


def test_another_notebook_does_not_see_what_this_one_added(
    broker: BrokerProcess, kernel: Kernel, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words would be read by that notebook's agent."""
    valet.add_api(document(api.url, keyed=False), name="open")
    other = broker.kernel("k2", notebook="b.ipynb")
    for _ in as_kernel(other, monkeypatch):
        assert "open_list_stations" not in names(other)
        _, body = other.call_tool("open_list_stations", {})
        assert body["error"]["message"] == "Unknown tool"


def test_what_was_added_is_there_after_a_restart_and_gone_when_removed(
    tmp_path: Path, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.seen = []
    with BrokerFork(tmp_path / "valet") as broker:
        for _ in as_kernel(broker.kernel(), monkeypatch):
            valet.add_api(document(api.url, keyed=True), name="survey")
    with BrokerFork(tmp_path / "valet") as broker:
        kernel = broker.kernel()
        for _ in as_kernel(kernel, monkeypatch):
            assert "survey_list_stations" in names(kernel)
            magics.valet("remove survey")
            assert "survey_list_stations" not in names(kernel)
    with BrokerFork(tmp_path / "valet") as broker:
        kernel = broker.kernel()
        for _ in as_kernel(kernel, monkeypatch):
            assert "survey_list_stations" not in names(kernel)


def test_a_question_whose_api_was_removed_can_still_be_looked_at_and_ended(
    tmp_path: Path, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker that starts next does not know its provider: no reason for an internal error."""
    with BrokerFork(tmp_path / "valet") as broker:
        kernel = broker.kernel()
        for _ in as_kernel(kernel, monkeypatch):
            valet.add_api(document(api.url, keyed=True), name="survey")
            transaction, key, state = asked(kernel.call_tool("survey_list_stations", {}))
            magics.valet("remove survey")
    with BrokerFork(tmp_path / "valet") as broker:
        kernel = broker.kernel()
        status, view = kernel.request("GET", f"/transactions/{transaction}")
        assert (status, view["state"]) == (200, "waiting"), view
        [waiting] = broker.call("connections.page", principal="owner", origin="x")["waiting"]
        assert waiting["title"] == waiting["title"].strip() != ""
        with pytest.raises(ControlError, match="unknown_provider"):
            Person().open(broker, transaction)
        again = kernel.call_tool("survey_list_stations", {}, requestState=state)
        assert asked(again)[0] == transaction
        status, view = kernel.request("DELETE", f"/transactions/{transaction}")
        assert (status, view["state"]) == (200, "cancelled"), view
        said = finish(kernel, "survey_list_stations", {}, key, state)
        assert said["content"][0]["text"].startswith("cancelled:"), said


def test_it_follows_its_notebook_when_that_is_renamed(
    broker: BrokerProcess, kernel: Kernel, api: Any
) -> None:
    valet.add_api(document(api.url, keyed=False), name="open")
    broker.call("notebook.moved", root="", old="a.ipynb", new="c.ipynb")
    assert "open_list_stations" in names(kernel)


def test_what_a_notebook_had_added_is_not_for_the_one_that_takes_its_place(
    broker: BrokerProcess, kernel: Kernel, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words would be read by another notebook's agent."""
    valet.add_api(document(api.url, keyed=False), name="open")
    other = broker.kernel("k2", notebook="b.ipynb")
    broker.call("notebook.moved", root="", old="b.ipynb", new="a.ipynb")
    assert "open_list_stations" not in names(kernel)
    assert "open_list_stations" not in names(other)


def test_of_an_api_that_is_refused_nothing_stays(
    broker: BrokerProcess, kernel: Kernel, api: Any, tmp_path: Path
) -> None:
    with pytest.raises(ValetError):
        valet.add_api(document(api.url, keyed=True), name="open", provider="github")
    assert not [f for f in tmp_path.rglob("documents/*") if f.is_file()]


def test_the_configuration_adds_an_api_for_every_notebook(
    tmp_path: Path, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "survey.json"
    file.write_text(json.dumps(document(api.url, keyed=True)))
    apis = {"survey": {"file": str(file)}, "open": {"url": f"{api.url}/openapi.json"}}
    with BrokerFork(tmp_path / "valet", apis=apis) as broker:
        kernel = broker.kernel()
        for _ in as_kernel(kernel, monkeypatch):
            assert {"survey_list_stations", "open_list_stations"} <= names(kernel)


def test_one_api_that_cannot_be_loaded_leaves_the_others(
    tmp_path: Path, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "survey.json"
    file.write_text(json.dumps(document(api.url, keyed=True)))
    apis = {"gone": {"file": str(tmp_path / "gone.json")}, "survey": {"file": str(file)}}
    with BrokerFork(tmp_path / "valet", apis=apis) as broker:
        kernel = broker.kernel()
        for _ in as_kernel(kernel, monkeypatch):
            assert "survey_list_stations" in names(kernel)
    assert any("the API gone is left out" in line for line in broker.stderr)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("github", "name_taken"),
        ("demo", ""),
        ("github_x", "name_taken"),
        ("../x", "bad_overrides"),
        ("X", "bad_overrides"),
    ],
)
def test_a_name_that_could_be_mistaken_for_another_is_refused(
    kernel: Kernel, api: Any, name: str, code: str
) -> None:
    if not code:
        valet.add_api(document(api.url, keyed=False), name=name)
        return
    with pytest.raises(ValetError) as refused:
        valet.add_api(document(api.url, keyed=False), name=name)
    assert refused.value.code == code


def test_a_notebook_cannot_say_that_a_write_only_reads(kernel: Kernel, api: Any) -> None:
    overrides = {"operations": {"add_station": {"access": "read"}}}
    with pytest.raises(ValetError, match="only reads is said in the configuration"):
        valet.add_api(document(api.url, keyed=False), name="open", overrides=overrides)


def test_a_document_cannot_send_a_known_providers_credential_elsewhere(
    kernel: Kernel, api: Any
) -> None:
    """L8: the credential follows its provider's hosts, whatever a document or a name says."""
    with pytest.raises(ValetError, match="GitHub is not at"):
        valet.add_api(document(api.url, keyed=False), name="open", provider="github")


@pytest.mark.parametrize("source", ["/nowhere.json", "http://127.0.0.1:9/x", {"not": "an API"}])
def test_a_source_that_is_no_document_is_one_line(kernel: Kernel, source: Any) -> None:
    with pytest.raises(ValetError, match="This API document cannot be used"):
        valet.add_api(source, name="open")


@pytest.mark.parametrize("where", ["name", "document", "url", "provider", "scheme", "overrides"])
def test_half_a_character_is_refused_like_any_other_nonsense(
    kernel: Kernel, api: Any, where: str
) -> None:
    """JSON can hold a lone surrogate, and nothing that is written down can: no internal error."""
    half = "a\ud800"
    body: dict[str, Any] = {"name": "odd", "document": json.dumps(document(api.url, keyed=False))}
    body[where] = {"operations": {half: {}}} if where == "overrides" else half
    status, told = kernel.request("POST", "/toolsets", body)
    assert (status, told["error"]["code"]) == (400, "bad_request"), told


def test_a_notebook_adds_so_many_and_no_more(kernel: Kernel, api: Any) -> None:
    for number in range(20):
        valet.add_api(document(api.url, keyed=False), name=f"api{number}x")
    with pytest.raises(ValetError, match="A notebook may add 20"):
        valet.add_api(document(api.url, keyed=False), name="one")
