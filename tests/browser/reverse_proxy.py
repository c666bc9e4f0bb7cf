"""A reverse proxy as an administrator runs one: it ends TLS and passes everything on."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "content-encoding"}
_LARGEST = 64 * 1024 * 1024


@contextmanager
def tls_proxy(folder: Path, name: str, target: str, port: int) -> Iterator[str]:
    """Serve `https://{name}:{port}` from `target`, an origin; yields the public origin.

    It keeps `Host`, as Jupyter's documentation wants it, and adds the usual `X-Forwarded-*`.
    """
    command = [sys.executable, __file__, str(certificate(folder, name)), target, str(port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        assert process.stdout.readline() == b"ready\n"
        yield f"https://{name}:{port}"
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


async def _serve(certificate: str, target: str, port: int) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with aiohttp.ClientSession() as session:
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_route("*", "/{path:.*}", _Forward(session, target).handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await runner.cleanup()


class _Forward:
    def __init__(self, session: aiohttp.ClientSession, target: str) -> None:
        self._session = session
        self._target = target

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        headers["X-Forwarded-Proto"] = "https"
        headers["X-Forwarded-For"] = "203.0.113.7"
        url = self._target + request.raw_path
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request, url, headers)
        async with self._session.request(
            request.method, url, headers=headers, data=await request.read(), allow_redirects=False
        ) as upstream:
            body = await upstream.read()
            response = web.Response(status=upstream.status, body=body)
            response.headers.clear()
            for name, value in upstream.headers.items():
                if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                    response.headers.add(name, value)
            return response

    async def _websocket(
        self, request: web.Request, url: str, headers: dict[str, str]
    ) -> web.WebSocketResponse:
        kept = {k: v for k, v in headers.items() if not k.lower().startswith("sec-websocket")}
        offered = [p.strip() for p in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        protocols = [p for p in offered if p]
        async with self._session.ws_connect(
            url, headers=kept, protocols=protocols, max_msg_size=_LARGEST
        ) as upstream:
            chosen = [upstream.protocol] if upstream.protocol else []
            down = web.WebSocketResponse(protocols=chosen, max_msg_size=_LARGEST)
            await down.prepare(request)
            tasks = [
                asyncio.create_task(_pump(down, upstream)),
                asyncio.create_task(_pump(upstream, down)),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(down.close(), upstream.close())
            await asyncio.gather(*tasks)
            return down


WebSocket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pump(source: WebSocket, sink: WebSocket) -> None:
    async for message in source:
        if sink.closed:
            return
        if message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)


def certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate with its key; return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "proxy.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
