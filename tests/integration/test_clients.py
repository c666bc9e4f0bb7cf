"""The kernel's clients against a real broker: used as any other, with a capability and no more."""

from __future__ import annotations

import http.client
import io
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from broker_process import ORIGIN, BrokerProcess, Kernel
from keyed_broker import clean, keyed, keyed_broker, reading_kernel
from recording_api import KEY, RecordingApi, Reply, as_json

import jupyter_valet as valet
from jupyter_valet.wire import capability
from jupyter_valet.wire.errors import ValetError


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, api: RecordingApi) -> Iterator[BrokerProcess]:
    with keyed_broker(tmp_path_factory.mktemp("clients"), api) as broker:
        keyed(broker, broker.kernel("first"))
        yield broker


@pytest.fixture
def kernel(
    broker: BrokerProcess, api: RecordingApi, request: pytest.FixtureRequest
) -> Iterator[Kernel]:
    with reading_kernel(broker, api, request) as kernel:
        api.on("/x", as_json({"ok": 1}))
        yield kernel


Get = Callable[[str], Any]


def _httpx2(url: str) -> Any:
    with valet.client("own", library="httpx2") as client:
        return client.get(url)


def _httpx(url: str) -> Any:
    with valet.client("own", library="httpx") as client:
        return client.get(url)


def _requests(url: str) -> Any:
    with valet.session("own") as client:
        return client.get(url, timeout=20)


GETS = {"httpx2": _httpx2, "httpx": _httpx, "requests": _requests}


@pytest.fixture(params=GETS.values(), ids=GETS.keys())
def get(request: pytest.FixtureRequest) -> Get:
    return request.param  # type: ignore[no-any-return]


def test_urls_whole_and_relative(kernel: Kernel, api: RecordingApi, get: Get) -> None:
    """Code that was written for the provider works as it is."""
    for url in (f"{api.url}/x?a=1&b=%2F", "/x?a=1&b=%2F"):
        answer = get(url)
        assert answer.json() == {"ok": 1}
        assert str(answer.url) == f"{api.url}/x?a=1&b=%2F"
        assert str(answer.request.url) == f"{api.url}/x?a=1&b=%2F"
    assert {seen.path for seen in api.seen} == {"/x?a=1&b=%2F"}
    clean(kernel, api)


@pytest.mark.anyio
@pytest.mark.parametrize("library", ["httpx2", "httpx"])
async def test_the_same_on_a_running_loop(kernel: Kernel, api: RecordingApi, library: str) -> None:
    """`valet.async_client`, also while it streams."""
    api.on("/long", Reply(body=b"x" * 300_000))
    async with valet.async_client("own", library=library) as client:
        assert (await client.get("/x")).json() == {"ok": 1}
        async with client.stream("GET", "/long") as answer:
            assert sum([len(piece) async for piece in answer.aiter_raw()]) == 300_000
    clean(kernel, api)


def test_pages_are_found_by_their_links(kernel: Kernel, api: RecordingApi, get: Get) -> None:
    """The links are the provider's own again."""
    link = f'<{api.url}/x?page=2>; rel="next"'
    api.on("/x", as_json([1], Link=link))
    answer = get("/x")
    links = answer.links
    assert links["next"]["url"] == f"{api.url}/x?page=2"


def test_a_redirect_elsewhere_takes_nothing_along(kernel: Kernel, api: RecordingApi) -> None:
    """A download that ends at another host works, without the credential and the capability."""
    with RecordingApi().running() as cdn:
        cdn.on("/file", Reply(body=b"data"))
        api.on("/x", Reply(302, (("Location", f"{cdn.url}/file"),)))
        with valet.client("own", follow_redirects=True) as client:
            assert client.get("/x").content == b"data"
        with valet.session("own") as other:
            assert other.get("/x", timeout=20).content == b"data"
        for seen in cdn.seen:
            assert "Authorization" not in seen.headers
            assert kernel.token not in seen.whole
            assert KEY not in seen.whole


def test_a_redirect_of_another_method_stays_on_the_way(kernel: Kernel, api: RecordingApi) -> None:
    """A HEAD is not followed by the broker; the client follows it, through the broker."""
    api.on("/x", Reply(307, (("Location", "/y"),)))
    api.on("/y", Reply(headers=(("ETag", '"1"'),), body=b""))
    with valet.client("own", follow_redirects=True) as client:
        answer = client.head("/x")
    assert (str(answer.url), answer.headers["etag"]) == (f"{api.url}/y", '"1"')
    with valet.session("own") as other:
        assert other.head("/x", allow_redirects=True, timeout=20).url == f"{api.url}/y"
    clean(kernel, api)


def test_the_capability_is_in_nothing_that_is_shown(
    kernel: Kernel,
    api: RecordingApi,
    get: Get,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not in a repr, a log of any level, a header of what was sent, or http.client's own prints."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    caplog.set_level(logging.DEBUG)
    answer = get("/x")
    shown = [answer, answer.request, answer.request.headers, answer.headers, vars(answer)]
    with valet.client("own") as client, valet.session("own") as other:
        shown += [client, vars(client), other, vars(other), other.adapters]
    text = repr(shown) + caplog.text + "".join(capsys.readouterr())
    assert kernel.token not in text


def test_an_error_of_the_provider_is_an_answer(kernel: Kernel, api: RecordingApi, get: Get) -> None:
    """`raise_for_status` and the library's own errors work."""
    api.on("/x", as_json({"message": "no"}, 404))
    assert (get("/x").status_code, get("/x").json()) == (404, {"message": "no"})


def test_what_the_broker_refuses_is_one_line(kernel: Kernel, api: RecordingApi, get: Get) -> None:
    """With what to do next."""
    with pytest.raises(ValetError, match="hands out credentials") as caught:
        get("/oauth/token")
    assert caught.value.code == "endpoint_denied"


def test_an_unknown_provider_is_told_when_the_client_is_made(kernel: Kernel) -> None:
    """Not at its first request."""
    for make in (valet.client, valet.async_client, valet.session, valet.env):
        with pytest.raises(ValetError, match="no provider named nobody"):
            make("nobody")


def test_another_host_is_asked_directly(kernel: Kernel, api: RecordingApi, get: Get) -> None:
    """It gets what an ordinary client would send it."""
    with RecordingApi().running() as other:
        other.on("/x", as_json({"other": 1}))
        assert get(f"{other.url}/x").json() == {"other": 1}
        assert kernel.token not in other.last.whole
        assert KEY not in other.last.whole


def test_a_host_that_only_looks_like_it_is_refused(kernel: Kernel, api: RecordingApi) -> None:
    """R116: userinfo, before anything is sent."""
    port = api.url.rpartition(":")[2]
    with valet.client("own") as client, pytest.raises(ValetError, match="is not a host of"):
        client.get(f"http://jane@127.0.0.1:{port}/x")
    assert api.seen == []


# The card ----------------------------------------------------------------------------------------


def meanwhile(capsys: pytest.CaptureFixture[str], act: Callable[[str], object]) -> threading.Thread:
    """Wait for the card's address in a thread, then do what the person does."""

    def watch() -> None:
        said = ""
        while "/valet/connect/" not in said:
            time.sleep(0.02)
            said += capsys.readouterr().err
        act(said.partition("/valet/connect/")[2].split()[0])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def approve(broker: BrokerProcess, transaction: str, choice: str = "once") -> None:
    asked = {"transaction": transaction, "principal": "owner", "origin": ORIGIN}
    facts = broker.call("page.open", **asked)
    broker.call("page.allow", **asked, nonce=facts["nonce"], choices={"choice": choice})


def decline(broker: BrokerProcess, transaction: str) -> None:
    asked = {"transaction": transaction, "principal": "owner", "origin": ORIGIN}
    facts = broker.call("page.open", **asked)
    broker.call("page.decline", **asked, nonce=facts["nonce"])


def _post_httpx(body: bytes) -> Any:
    with valet.client("own") as client:
        return client.post("/x", content=body)


def _post_requests(body: bytes) -> Any:
    with valet.session("own") as client:
        return client.post("/x", data=body, timeout=20)


@pytest.mark.parametrize("post", [_post_httpx, _post_requests], ids=["httpx", "requests"])
def test_the_request_that_asked_is_the_request_that_finishes(
    broker: BrokerProcess,
    kernel: Kernel,
    api: RecordingApi,
    capsys: pytest.CaptureFixture[str],
    post: Callable[[bytes], Any],
) -> None:
    """Read-only by default: a write shows the card, and goes on by itself once it is approved."""
    meanwhile(capsys, lambda id_: approve(broker, id_))
    assert post(b"hello").json() == {"ok": 1}
    assert [(seen.method, seen.body) for seen in api.seen] == [("POST", b"hello")]
    clean(kernel, api)


@pytest.mark.anyio
async def test_a_running_loop_stays_free_meanwhile(
    broker: BrokerProcess, kernel: Kernel, api: RecordingApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """The card of an `await` does not hold up the others."""
    import asyncio

    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    heart = asyncio.create_task(beat())
    meanwhile(capsys, lambda id_: (time.sleep(0.3), approve(broker, id_)))
    async with valet.async_client("own") as client:
        assert (await client.post("/x", content=b"1")).json() == {"ok": 1}
    heart.cancel()
    assert beats > 10


def test_a_refusal_ends_the_request(
    broker: BrokerProcess, kernel: Kernel, api: RecordingApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """ES-14: nothing was sent."""
    meanwhile(capsys, lambda id_: decline(broker, id_))
    with valet.client("own") as client, pytest.raises(ValetError) as caught:
        client.delete("/x")
    assert caught.value.code == "declined"
    assert api.seen == []


def test_a_body_that_is_gone_is_not_made_up(
    broker: BrokerProcess, kernel: Kernel, api: RecordingApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """A generator cannot be sent twice: the person has answered, and the error says the rest."""
    meanwhile(capsys, lambda id_: approve(broker, id_))
    with valet.client("own") as client, pytest.raises(ValetError) as caught:
        client.post("/x", content=(piece for piece in [b"1", b"2"]))
    assert caught.value.code == "send_again"
    meanwhile(capsys, lambda id_: approve(broker, id_))
    with valet.session("own") as other, pytest.raises(ValetError) as caught:
        other.post("/x", data=io.BytesIO(b"1"), timeout=20)
    assert caught.value.code == "send_again"
    assert api.seen == []


def test_the_first_use_of_a_notebook_asks_for_its_grant(
    broker: BrokerProcess,
    api: RecordingApi,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not for another sign-in."""
    found = broker.kernel("another", notebook="another.ipynb")
    monkeypatch.setenv("JUPYTER_VALET_URL", f"http://127.0.0.1:{found.port}")
    monkeypatch.setenv("JUPYTER_VALET_CAPABILITY", found.token)
    api.on("/x", as_json({"ok": 1}))

    def grant(transaction: str) -> None:
        asked = {"transaction": transaction, "principal": "owner", "origin": ORIGIN}
        facts = broker.call("page.open", **asked)
        chosen = {"connection": facts["choices"][0]["connection"]}
        broker.call("page.grant", **asked, nonce=facts["nonce"], choices=chosen)

    meanwhile(capsys, grant)
    with valet.client("own") as client:
        assert client.get("/x").json() == {"ok": 1}


# Large bodies, and programs ----------------------------------------------------------------------


def test_a_large_body_goes_both_ways(
    broker: BrokerProcess, kernel: Kernel, api: RecordingApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a stream: a QUERY has a body and needs no approval."""
    body = os.urandom(1_000_000)
    api.on("/x", lambda seen: Reply(body=seen.body, media_type="application/octet-stream"))
    with valet.client("own", timeout=60) as client:
        assert client.request("QUERY", "/x", content=body).content == body
    with valet.session("own") as other:
        assert other.request("QUERY", "/x", data=io.BytesIO(body), timeout=60).content == body
    clean(kernel, api)


def test_a_program_that_a_kernel_starts(kernel: Kernel, api: RecordingApi) -> None:
    """It has the kernel's environment, and so its clients."""
    code = "import jupyter_valet as v; print(v.client('own').get('/x').json())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'ok': 1}\n"
    clean(kernel, api)


def test_a_broker_that_comes_back_is_waited_for(
    tmp_path: Path, api: RecordingApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its port outlives it, and an idle connection of before is not mistaken for a new one."""
    api.on("/x", as_json({"ok": 1}))
    with keyed_broker(tmp_path, api) as first:
        kernel = first.kernel()
        keyed(first, kernel)
        monkeypatch.setenv("JUPYTER_VALET_URL", f"http://127.0.0.1:{kernel.port}")
        monkeypatch.setenv("JUPYTER_VALET_CAPABILITY", kernel.token)
        with valet.client("own", timeout=30) as client, valet.session("own") as other:
            assert (client.get("/x").status_code, other.get("/x", timeout=30).status_code) == (
                200,
                200,
            )
            first.kill()
            facts = {"kernel_id": "k1", "principal": "owner", "notebook": "a.ipynb"}
            facts |= {"origin": ORIGIN, "digest": capability.digest(kernel.token)}
            start = {"listener": first.listener, "kernels": [facts]}
            with keyed_broker(tmp_path, api, **start):
                assert client.get("/x").json() == {"ok": 1}
                assert other.get("/x", timeout=30).json() == {"ok": 1}
