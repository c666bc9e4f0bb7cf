"""Well-known libraries, pointed at the broker: against local servers that check what arrived."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker_process import ORIGIN, BrokerProcess, Kernel
from keyed_broker import clean, keyed, keyed_broker, reading_kernel
from recording_api import RecordingApi, Reply, as_json

import jupyter_valet as valet
from jupyter_valet.wire.errors import ValetError

SLACK_READS = ["POST /api/conversations.list", "POST /api/users.info"]
"""slack_sdk posts its reads, too."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, api: RecordingApi) -> Iterator[BrokerProcess]:
    folder = tmp_path_factory.mktemp("libraries")
    with keyed_broker(folder, api, settings={"reads": SLACK_READS}) as broker:
        keyed(broker, broker.kernel("first"))
        yield broker


@pytest.fixture
def kernel(
    broker: BrokerProcess, api: RecordingApi, request: pytest.FixtureRequest
) -> Iterator[Kernel]:
    with reading_kernel(broker, api, request) as kernel:
        yield kernel


# PyGithub ----------------------------------------------------------------------------------------


def test_pygithub(kernel: Kernel, api: RecordingApi) -> None:
    """Objects whose URLs are the provider's own, pages, and an error as PyGithub has it."""
    from github import UnknownObjectException

    repository = {"full_name": "amara/tides", "url": f"{api.url}/repos/amara/tides"}
    issues = [{"number": n, "title": f"No {n}", "url": f"{api.url}/i/{n}"} for n in (1, 2)]
    api.on("/user", as_json({"login": "amara", "url": f"{api.url}/user"}))
    api.on("/repos/amara/tides", as_json(repository))

    def page(seen: object) -> Reply:
        second = "page=2" in api.last.path
        link = f'<{api.url}/repos/amara/tides/issues?page=2>; rel="next"'
        return as_json(issues[1:]) if second else as_json(issues[:1], Link=link)

    api.on("/repos/amara/tides/issues", page)
    api.on("/repos/amara/other", as_json({"message": "Not Found"}, 404))
    github = valet.libraries.pygithub("own", seconds_between_requests=None)
    assert github.get_user().login == "amara"
    found = github.get_repo("amara/tides")
    assert [issue.title for issue in found.get_issues()] == ["No 1", "No 2"]
    with pytest.raises(UnknownObjectException):
        github.get_repo("amara/other")
    clean(kernel, api)
    assert kernel.token not in repr(vars(github.requester))
    github.close()


def test_pygithub_elsewhere_is_as_it_was(kernel: Kernel, api: RecordingApi) -> None:
    """An instance that somebody makes by themselves is not authorized by ours."""
    from github import Auth, Github

    valet.libraries.pygithub("own").close()
    api.on("/user", as_json({"login": "jane"}))
    own = Github(auth=Auth.Token("ghp_mine"), base_url=api.url, seconds_between_requests=None)
    assert own.get_user().login == "jane"
    assert api.last.headers["Authorization"] == "token ghp_mine"
    own.close()


# google-api-python-client ------------------------------------------------------------------------


def test_google_api_python_client(kernel: Kernel, api: RecordingApi) -> None:
    """A listing, its next page, and a download in pieces, with the documents of the package."""
    from googleapiclient.discovery import build
    from googleapiclient.errors import HttpError
    from googleapiclient.http import MediaIoBaseDownload

    files = {"files": [{"id": "1", "name": "tides.csv"}], "nextPageToken": "p2"}
    api.on("/drive/v3/files", as_json(files))
    api.on("/drive/v3/files/1", Reply(body=b"a,b\n1,2\n", media_type="text/csv"))
    http = valet.libraries.google_http("own")
    options = {"api_endpoint": f"{api.url}/drive/v3/"}
    with build("drive", "v3", http=http, client_options=options) as drive:
        listing = drive.files().list(q="name contains 'tides'")
        answer = listing.execute()
        assert answer["files"][0]["name"] == "tides.csv"
        assert drive.files().list_next(listing, answer).execute() == files
        assert "pageToken=p2" in api.last.path
        import io

        data = io.BytesIO()
        download = MediaIoBaseDownload(data, drive.files().get_media(fileId="1"))
        assert download.next_chunk()[1] is True
        assert data.getvalue() == b"a,b\n1,2\n"
        with pytest.raises(HttpError):
            drive.files().get(fileId="none").execute()
    clean(kernel, api)
    assert kernel.token not in repr([http, vars(http)])


# huggingface_hub ---------------------------------------------------------------------------------


def hub(api: RecordingApi, cdn: RecordingApi) -> None:
    """Serve what `huggingface_hub` asks of the Hub for a small file and a large one."""
    commit = "a" * 40
    at = {"X-Repo-Commit": commit, "ETag": '"1234"', "Accept-Ranges": "bytes"}
    api.on("/api/whoami-v2", as_json({"type": "user", "name": "amara"}))
    api.on("/amara/tides/resolve/main/config.json", Reply(307, (("Location", "/cache/config"),)))
    api.on("/cache/config", Reply(headers=tuple(at.items()), body=b'{"a": 1}'))
    large = {**at, "X-Linked-Size": "4", "X-Linked-Etag": '"5678"', "Location": f"{cdn.url}/blob"}
    api.on("/amara/tides/resolve/main/model.bin", Reply(302, tuple(large.items())))
    cdn.on("/blob", Reply(headers=(("ETag", '"5678"'),), body=b"blob"))

    def models(seen: object) -> Reply:
        if "cursor" in api.last.path:
            return as_json([{"id": "amara/second"}])
        link = f'<{api.url}/api/models?cursor=2>; rel="next"'
        return as_json([{"id": "amara/first"}], Link=link)

    api.on("/api/models", models)


PROGRAM = """
from huggingface_hub import HfApi, hf_hub_download
from pathlib import Path
import sys
print(HfApi().whoami()["name"])
print([model.id for model in HfApi().list_models(author="amara")])
for name in ("config.json", "model.bin"):
    print(Path(hf_hub_download("amara/tides", name, cache_dir=sys.argv[1])).read_text())
"""


def test_a_program_with_huggingface_hub(kernel: Kernel, api: RecordingApi, tmp_path: Path) -> None:
    """`valet.env`: pages, a redirect on the Hub, and one to a CDN, which gets nothing."""
    from jupyter_valet.kernel.clients import environment

    with RecordingApi().running() as cdn, pytest.MonkeyPatch.context() as patch:
        patch.setitem(environment._HOSTS, api.url, "huggingface")
        hub(api, cdn)
        variables = valet.env("own")
        assert kernel.token not in repr(variables)
        assert kernel.token not in str(variables)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "cache")],
            env={**os.environ, **variables, "HF_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        said = ["amara", "['amara/first', 'amara/second']", '{"a": 1}', "blob"]
        assert done.stdout.splitlines() == said, done.stderr
        assert cdn.seen
        for seen in cdn.seen:
            assert "Authorization" not in seen.headers
            assert kernel.token not in seen.whole
        clean(kernel, api)


def test_huggingface_hub_here(
    kernel: Kernel, api: RecordingApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with arguments, in the process that has imported it already."""
    from huggingface_hub import HfApi, constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    with RecordingApi().running() as cdn:
        hub(api, cdn)
        arguments = valet.libraries.huggingface_hub("own")
        assert kernel.token not in repr(arguments)
        found = HfApi(**arguments)
        assert constants.HF_HUB_DISABLE_XET is True
        assert found.whoami()["name"] == "amara"
        assert [m.id for m in found.list_models(author="amara")] == ["amara/first", "amara/second"]
        path = found.hf_hub_download("amara/tides", "model.bin", cache_dir=tmp_path)
        assert Path(path).read_bytes() == b"blob"
        assert all("Authorization" not in seen.headers for seen in cdn.seen)
    clean(kernel, api)


# slack_sdk ---------------------------------------------------------------------------------------


def test_slack_sdk(kernel: Kernel, api: RecordingApi) -> None:
    """Reads go through; what Slack says with 200 and `ok: false` is slack_sdk's own error."""
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError
    from slack_sdk.web.async_client import AsyncWebClient

    api.on("/api/conversations.list", as_json({"ok": True, "channels": [{"name": "tides"}]}))
    api.on("/api/users.info", as_json({"ok": False, "error": "user_not_found"}))
    arguments = valet.libraries.slack_sdk("own")
    assert kernel.token not in repr(arguments)
    slack = WebClient(**arguments)
    assert slack.conversations_list()["channels"] == [{"name": "tides"}]
    with pytest.raises(SlackApiError, match="user_not_found"):
        slack.users_info(user="U1")

    async def twice() -> object:
        return (await AsyncWebClient(**arguments).conversations_list())["channels"]

    assert asyncio.run(twice()) == [{"name": "tides"}]
    clean(kernel, api)


def test_slack_sdk_writes_wait_for_the_person(
    broker: BrokerProcess, kernel: Kernel, api: RecordingApi
) -> None:
    """A library without cards gets a fixed error, and can send again once it is approved."""
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError

    api.on("/api/chat.postMessage", as_json({"ok": True, "ts": "1"}))
    slack = WebClient(**valet.libraries.slack_sdk("own"))
    with pytest.raises(SlackApiError, match="approval_required"):
        slack.chat_postMessage(channel="C1", text="High water")
    assert api.seen == []
    page = broker.call("connections.page", principal="owner", origin=ORIGIN)
    asked = {"transaction": page["waiting"][-1]["id"], "principal": "owner", "origin": ORIGIN}
    facts = broker.call("page.open", **asked)
    assert "High water" in facts["preview"]["body"]
    broker.call("page.allow", **asked, nonce=facts["nonce"], choices={"choice": "once"})
    assert slack.chat_postMessage(channel="C1", text="High water")["ts"] == "1"
    clean(kernel, api)


# What is missing ---------------------------------------------------------------------------------


def test_a_program_that_takes_no_address_is_told(kernel: Kernel) -> None:
    """A token without its address would go to the provider."""
    with pytest.raises(ValetError, match="by environment variables alone") as caught:
        valet.env("own")
    assert 'valet.client("own")' in str(caught.value)


def test_a_library_that_is_not_there_is_named(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to type."""
    for module, call, name in (
        ("github", valet.libraries.pygithub, "PyGithub"),
        ("httplib2", valet.libraries.google_http, "google-api-python-client"),
        ("requests", valet.session, "requests"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ValetError, match=f"%pip install {name}"):
            call("own")


def test_variables_are_put_back(kernel: Kernel, api: RecordingApi) -> None:
    """As a context manager, around what was there and what was not."""
    from jupyter_valet.kernel.clients.environment import Environment

    os.environ["VALET_A"] = "before"
    try:
        with Environment({"VALET_A": "1", "VALET_B": "2"}):
            assert (os.environ["VALET_A"], os.environ["VALET_B"]) == ("1", "2")
        assert (os.environ["VALET_A"], "VALET_B" in os.environ) == ("before", False)
    finally:
        del os.environ["VALET_A"]
