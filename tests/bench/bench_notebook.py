"""What the extension costs a notebook: `%load_ext` against an empty cell, in real kernels."""

from __future__ import annotations

import time
from typing import Any

from figures import ratio
from jupyter_client.manager import start_new_kernel

KERNELS = 7
EMPTY_CELLS = 15


def measure() -> list[dict[str, Any]]:
    """Load the extension in several fresh kernels; an empty cell runs before and after each."""
    loads, empties = [], []
    for _ in range(KERNELS):
        manager, client = start_new_kernel(startup_timeout=120)
        try:
            client.execute_interactive("import time", timeout=60)
            before = [_seconds(client, "pass") for _ in range(EMPTY_CELLS)]
            loads.append(_seconds(client, "%load_ext jupyter_valet"))
            heavy = _heavy_modules(client)
            if heavy:
                raise RuntimeError(f"%load_ext imported {heavy}")
            empties += before + [_seconds(client, "pass") for _ in range(EMPTY_CELLS)]
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return [ratio("%load_ext ÷ an empty cell", loads, empties, "<= 2")]


def _seconds(client: Any, code: str) -> float:
    begin = time.perf_counter()
    reply = client.execute_interactive(code, timeout=60, output_hook=lambda _: None)
    seconds = time.perf_counter() - begin
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"{code!r} failed: {reply['content']['evalue']}")
    return seconds


def _heavy_modules(client: Any) -> list[str]:
    """Name the modules that must not be there before a card is shown."""
    out: list[str] = []
    client.execute_interactive(
        "import sys; print(*sorted({'mcp', 'httpx', 'httpx2', 'pydantic', 'ipywidgets', 'pandas', "
        "'aiohttp', 'authlib', 'anyio'} & set(sys.modules)))",
        timeout=60,
        output_hook=lambda m: out.extend(m["content"].get("text", "").split()),
    )
    # ipykernel itself brings anyio from 7 on; what was there before is not ours.
    return [name for name in out if name != "anyio"]
