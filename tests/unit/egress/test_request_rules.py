"""What no request may be, whoever asks for it: the egress rows that need no upstream."""

from __future__ import annotations

import codecs

import pytest

from jupyter_valet.broker.connections import Connection
from jupyter_valet.broker.egress import Request
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.egress.reflection import Reflection
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.oauth import Account
from jupyter_valet.broker.policy import Grant, Subject
from jupyter_valet.broker.policy.decide import Allow, NeedsConnection, Wanted, decide
from jupyter_valet.broker.toolsets import Operation

API = Origin.parse("https://api.good.example")
TOKEN = "cnry_9fK2-Zq7Lw_8Xv3Tn5Rb1Yc6Md0Hp4Gs"


@pytest.mark.parametrize(
    "method", ["TRACE", "CONNECT", "OPTIONS", "get", "GET /x HTTP/1.1\r\n", ""]
)
def test_a_method_that_echoes_or_tunnels_is_refused(method: str) -> None:
    """R110: TRACE returns the request's headers, CONNECT a tunnel."""
    with pytest.raises(ValueError, match="method"):
        Request(method, API, "/")
    with pytest.raises(ValueError, match="operation"):
        Operation("x", "", method, "/x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("Range", id="R111 Range"),
        pytest.param("If-Range", id="R111 If-Range"),
        pytest.param("Host", id="R119 and R120 Host"),
        pytest.param("Authorization", id="R122 Authorization"),
        pytest.param("Cookie", id="R123 Cookie"),
        pytest.param("Proxy-Authorization", id="R123 Proxy-Authorization"),
        pytest.param("X-Forwarded-For", id="R123 X-Forwarded-For"),
        pytest.param("Forwarded", id="R123 Forwarded"),
        pytest.param("X-HTTP-Method-Override", id="R124 X-HTTP-Method-Override"),
        pytest.param("X-HTTP-Method", id="R124 X-HTTP-Method"),
        pytest.param("x-method-override", id="R124 X-Method-Override"),
        pytest.param("X-Original-URL", id="R125 X-Original-URL"),
        pytest.param("X-Rewrite-URL", id="R125 X-Rewrite-URL"),
        pytest.param("Connection", id="R126 Connection"),
        pytest.param("TE", id="R126 TE"),
        pytest.param("Transfer-Encoding", id="R129 Transfer-Encoding"),
        pytest.param("Content-Length", id="R129 Content-Length"),
        pytest.param("Accept-Encoding", id="R105 Accept-Encoding"),
        pytest.param("X-A\r\nHost", id="R128 line break in a name"),
        pytest.param("X-A:", id="R128 colon in a name"),
    ],
)
def test_a_header_that_is_the_egress_s_own_is_refused(name: str) -> None:
    """R111, R119, R120, R122–R126, R128, R129: also when a toolset's own data names it."""
    with pytest.raises(ValueError, match="header"):
        Request("GET", API, "/", {name: "x"})


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\nb", "a\0b", "caf\u00e9"])
def test_a_header_value_is_one_line(value: str) -> None:
    """R128."""
    with pytest.raises(ValueError, match="header"):
        Request("GET", API, "/", {"X-A": value})


@pytest.mark.parametrize(
    "target",
    [
        "/a b",
        "/a\r\nX: y",
        "/../admin",
        "/a/%2e%2e/b",
        "//x\\y",
        "/a#b",
        "/caf\u00e9",
        "x",
        "@evil/",
    ],
)
def test_a_target_is_a_path_of_the_strict_form(target: str) -> None:
    """R116, R117, R118, R127, R128: also when a toolset's own path template is not."""
    with pytest.raises(ValueError, match=r"URL|segments"):
        Request("GET", API, target)


def connection(*origins: str) -> Connection:
    return Connection(
        id="c",
        principal="jane",
        provider="good",
        issuer="https://good.example",
        account=Account("1", "jane"),
        scopes=frozenset(),
        origins=tuple(map(Origin.parse, origins)),
        created_at=0,
        last_used_at=0,
        status="active",
        reason="",
        revision=1,
    )


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("https://evil.example", id="another host"),
        pytest.param("https://api.good.example.evil.example", id="R115 suffix host"),
        pytest.param("https://evil-api.good.example", id="R114 the name as a part"),
        pytest.param("https://apixgood.example", id="R121 dot for any character"),
        pytest.param("https://good.example", id="the parent domain"),
        pytest.param("https://api.good.example:8443", id="R137 another port"),
        pytest.param("https://x.api.good.example", id="a subdomain"),
    ],
)
def test_a_credential_is_for_exact_origins(origin: str) -> None:
    """R114, R115, R121, R137: equality of parsed origins, no pattern, no prefix."""
    caller = Caller("jane", "k", "a.ipynb", "http://127.0.0.1:8888/")
    held = connection("https://api.good.example")
    grant = Grant(Subject.of(caller), held.id)
    assert decide(caller, [held], [grant], Wanted(API), 0) == Allow(held, grant)
    assert decide(caller, [held], [grant], Wanted(Origin.parse(origin)), 0) == NeedsConnection()


@pytest.mark.parametrize(
    "echo",
    [
        pytest.param(codecs.encode(TOKEN, "rot13"), id="R138 rot13"),
        pytest.param(
            "|".join(TOKEN[i : i + 5] + "_x" for i in range(0, len(TOKEN), 5)), id="R139 pieces"
        ),
        pytest.param(TOKEN[:12], id="R140 a slice"),
    ],
)
def test_a_programmable_echo_is_a_declared_residual(echo: str) -> None:
    """R138–R140: no recogniser can know what an upstream computes on the caller's order.

    What stands against it is elsewhere: exact origins, the probe before a host of the person's own
    may be bound, denied endpoints. If this fails, docs/egress.md claims too little.
    """
    assert not Reflection(TOKEN.encode()).found_in(echo.encode())
