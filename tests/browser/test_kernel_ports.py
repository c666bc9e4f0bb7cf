"""No browser connects to the ports that sandboxed kernels listen on (R80), seen in Chromium.

The Jupyter cookie goes to every port of the host, so a kernel that can be connected to is logged in
as the person. The Fetch standard's bad ports are what keeps it away.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from jupyter_valet.sandbox.ports import BROWSERS_REFUSE

WAYS = """
async ([port, host]) => {
  const url = `http://${host}:${port}/`;
  const tries = [
    fetch(url, {mode: "no-cors", credentials: "include"}),
    new Promise((done, fail) => {
      const image = new Image();
      image.onload = done; image.onerror = fail; image.src = url;
    }),
    new Promise((done, fail) => {
      const socket = new WebSocket(url.replace("http", "ws"));
      socket.onopen = done; socket.onerror = fail;
    }),
    new Promise((done) => {
      const frame = document.createElement("iframe");
      frame.onload = done; frame.src = url; document.body.append(frame);
    }),
    new Promise((done) => {
      const link = document.createElement("link");
      link.rel = "prefetch"; link.href = url; link.onload = link.onerror = done;
      document.head.append(link);
    }),
  ];
  const patience = new Promise((done) => setTimeout(done, 300));
  await Promise.race([Promise.allSettled(tries), patience]);
  const popup = window.open(url);
  await new Promise((done) => setTimeout(done, 100));
  if (popup) popup.close();
}
"""


class Ear:
    """Listens on a port of the loopback and keeps the first line and the cookie of each request."""

    def __init__(self, port: int) -> None:
        self.heard: list[str] = []
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                with client, contextlib.suppress(TimeoutError):
                    client.settimeout(1)
                    self.heard.append(client.recv(65536).decode(errors="replace"))
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


@pytest.fixture
def ears() -> Iterator[dict[int, Ear]]:
    """One on each of those ports."""
    listening = {port: Ear(port) for port in sorted(BROWSERS_REFUSE)}
    yield listening
    for ear in listening.values():
        ear.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_script_with_the_cookie_reaches_no_port_of_a_sandboxed_kernel(
    browser: Browser, ears: dict[int, Ear], host: str
) -> None:
    control, page_server = Ear(0), Ear(0)
    with browser.new_context() as context:
        home = f"http://{host}:{page_server.port}/"
        context.add_cookies([{"name": "login", "value": "C00KIE", "url": home, "httpOnly": True}])
        page = context.new_page()
        page.goto(home)
        page.evaluate(WAYS, [control.port, host])
        for port in ears:
            page.evaluate(WAYS, [port, host])
    for ear in (control, page_server):
        ear.close()
    assert any("C00KIE" in request for request in control.heard), "the positive control"
    requests = {port: [said for said in ear.heard if "HTTP/" in said] for port, ear in ears.items()}
    assert {port: said for port, said in requests.items() if said} == {}
