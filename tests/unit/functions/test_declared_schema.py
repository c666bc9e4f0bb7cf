"""What a kernel may declare as the schema of a function's arguments."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest

from jupyter_valet.broker.functions import FunctionTool
from jupyter_valet.wire.errors import ValetError
from jupyter_valet.wire.functions import Function


@pytest.mark.parametrize("keyword", ["$schema", "$ref", "$dynamicRef"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_schema_makes_the_broker_fetch_nothing(keyword: str, nested: bool) -> None:
    """The broker reaches what a kernel does not: this machine's ports, and a network at all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        inner = {keyword: f"http://127.0.0.1:{listener.getsockname()[1]}/"}
        schema: dict[str, Any] = {"type": "object"}
        schema |= {"properties": {"a": {"$id": "x:a", **inner}}} if nested else inner
        function = Function(
            toolset="notebook", name="f", title="", description="", input_schema=schema
        )
        # (Where it means nothing, it may stand.)
        with contextlib.suppress(ValetError):
            FunctionTool.declared("k1", "a.ipynb", function).check({"a": {}})
        with pytest.raises(TimeoutError):
            listener.accept()
