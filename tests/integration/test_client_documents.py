"""Documents of programs, from a real https server, by the broker's guarded way out."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web
from certificates import certificate

from jupyter_valet.broker.authorization.documents import LARGEST, Documents
from jupyter_valet.broker.authorization.families import Families
from jupyter_valet.broker.authorization.registry import Registry
from jupyter_valet.broker.egress.vetted import vetted_client
from jupyter_valet.broker.vault import Vault, open_vault
from jupyter_valet.wire.errors import ValetError

pytestmark = [pytest.mark.timeout(60), pytest.mark.anyio]

HOST = "agent.example"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Maker:
    """The maker of a program, whose server may be odd."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str) -> str:
        return f"https://{HOST}:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        match request.path:
            case "/moved.json":
                raise web.HTTPFound(self.url("/client.json"))
            case "/large.json":
                return web.json_response(self.document(request.path, filler="x" * LARGEST))
            case "/slow.json":
                await self.gone.wait()
        return web.json_response(self.document(request.path))

    def document(self, path: str, **more: str) -> dict[str, Any]:
        return {
            "client_id": self.url(path),
            "client_name": "Agent",
            "redirect_uris": ["http://localhost/callback"],
            **more,
        }


@asynccontextmanager
async def serving(tls: ssl.SSLContext) -> AsyncIterator[Maker]:
    maker = Maker()
    app = web.Application()
    app.router.add_get("/{path:.*}", maker.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    maker.port = runner.addresses[0][1]
    try:
        yield maker
    finally:
        maker.gone.set()
        await runner.cleanup()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path / "state", "file")


async def test_a_document_comes_by_https_from_where_its_id_says_and_from_nowhere_else(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AS-04, BP-12, BP-13, BP-14: one host, one deadline, one size, and no hop."""

    async def found(host: str, port: int, **_: Any) -> list[Any]:
        return [(None, None, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr("anyio.getaddrinfo", found)
    server_side, client_side = certificate(HOST, tmp_path)

    def http() -> httpx2.AsyncClient:
        return vetted_client(loopback=True, timeout=3, limit=LARGEST, tls=client_side)

    documents = Documents(Registry(vault, Families(vault)), http=http)
    async with serving(server_side) as maker:
        program = await documents.program(maker.url("/client.json"))
        assert (program.name, program.host) == ("Agent", f"{HOST}:{maker.port}")
        assert await documents.program(maker.url("/client.json")) == program
        assert maker.asked == ["/client.json"]
        for path, why in (
            ("/moved.json", "answers with status 302"),
            ("/large.json", "larger than"),
        ):
            with pytest.raises(ValetError, match="cannot be used") as refused:
                await documents.program(maker.url(path))
            assert why in str(refused.value)
        with pytest.raises(ValetError, match=f"at {HOST}, which this server cannot reach"):
            await documents.program(maker.url("/slow.json"))
        assert maker.asked[1:] == ["/moved.json", "/large.json", "/slow.json"]
        with pytest.raises(ValetError, match="which this server cannot reach"):
            await documents.program(maker.url("/client.json").replace("agent", "other"))
    vault.close()


async def test_a_name_of_a_private_address_is_not_dialled_for_a_document(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BP-11, BP-14, R132: what the name means now decides, not the name."""

    async def found(host: str, port: int, **_: Any) -> list[Any]:
        return [(None, None, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr("anyio.getaddrinfo", found)
    server_side, _ = certificate(HOST, tmp_path)
    async with serving(server_side) as maker:
        with pytest.raises(ValetError) as refused:
            await Documents(Registry(vault, Families(vault))).program(maker.url("/client.json"))
        assert refused.value.code == "client_document_refused"
        assert not maker.asked
    vault.close()
