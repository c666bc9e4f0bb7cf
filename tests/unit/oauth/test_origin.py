"""Origins: one spelling, and vetted addresses behind it."""

from __future__ import annotations

import socket

import pytest

from jupyter_valet.broker.egress.origin import AddressRefused, Origin, permitted, resolve, split_url
from jupyter_valet.wire.errors import ValetError


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://api.github.com", "https://api.github.com"),
        ("https://api.github.com:443", "https://api.github.com"),
        ("https://a-b.example:8443", "https://a-b.example:8443"),
        ("http://127.0.0.1:9300", "http://127.0.0.1:9300"),
        ("http://localhost", "http://localhost"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_has_one_spelling(text: str, canonical: str) -> None:
    assert str(Origin.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.github.com",
        "https://",
        "https://api.github.com/",
        "https://user@api.github.com",
        "https://user:pw@api.github.com",
        "https://API.github.com",  # R137
        "https://api.github.com.",  # R137
        "https://api.github.com:",
        "https://api.github.com:0",
        "https://api.github.com:0443",
        "https://api.github.com:65536",
        "http://api.github.com",  # BP-10
        "http://10.0.0.1",
        "https://10.0.0.1",
        "https://8.8.8.8",
        "https://2130706433",  # R131
        "https://0x7f000001",
        "https://0x7f.1",
        "https://127.1",
        "https://0177.0.0.1",
        "https://127.0.0.01",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://api.github.com\\@evil.example",
        "https://api.github.com#x",
        "https://api.github.com?x",
        "https://api.github.com\n",
        " https://api.github.com",
        "https://api..github.com",
        "https://-api.github.com",
        "https://api_x.github.com",
        "https://\uff41pi.github.com",  # R136: full-width letter
        "https://api\u3002github.com",
        "https://api%2egithub.com",
        "ftp://api.github.com",  # R134
        "file://localhost",
        "https://" + "a" * 64 + ".example",
        "https://" + "a." * 127 + "aa",
    ],
)
def test_every_other_spelling_is_refused(text: str) -> None:
    """R131, R134, R136, R137."""
    with pytest.raises(ValueError, match=r".+"):
        Origin.parse(text)


def test_a_url_splits_into_origin_and_target() -> None:
    assert split_url("https://a.example/x/y?z=1&q=%20") == (
        Origin("https", "a.example", 443),
        "/x/y?z=1&q=%20",
    )
    assert split_url("https://a.example") == (Origin("https", "a.example", 443), "")
    assert split_url("https://a.example?x=1")[1] == "?x=1"


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/x#frag",
        "https://a.example/../x",
        "https://a.example/x/..",
        "https://a.example/%2e%2E/x",
        "https://a.example/x/./y",
        "https://a.example/x y",
        "https://a.example/x\\y",
        "https://a.example/%",
        "https://a.example/%zz",
        "https://a.example/\u00e9",
        "https://a.example/x\r\nHost: b",
        "//a.example/x",
        "javascript:alert(1)",
        "https:/a.example",
        "/x",
        "",
    ],
)
def test_a_url_outside_the_grammar_is_refused(url: str) -> None:
    """R131, R133, R134."""
    with pytest.raises(ValueError, match=r".+"):
        split_url(url)


def test_an_origin_builds_urls_from_paths_only() -> None:
    origin = Origin.parse("https://a.example")
    assert origin.url("/x?y=1") == "https://a.example/x?y=1"
    with pytest.raises(ValueError, match="slash"):
        origin.url("@evil.example/")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "not an address",
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    """R130, R131, BP-11: also when IPv6 wraps it."""
    assert not permitted(address, loopback=False)


@pytest.mark.parametrize("address", ["140.82.121.4", "2606:4700::1111", "64:ff9b::8c52:7904"])
def test_a_public_address_is_permitted(address: str) -> None:
    assert permitted(address, loopback=False)


@pytest.mark.parametrize("address", ["10.0.0.1", "140.82.121.4", "fe80::1", "0.0.0.0"])
def test_a_loopback_profile_reaches_this_machine_only(address: str) -> None:
    assert not permitted(address, loopback=True)
    assert permitted("127.0.0.1", loopback=True)
    assert permitted("::1", loopback=True)


def _answer(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.anyio
async def test_one_private_address_refuses_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """R132: a name with a good and a bad address is an attack, not a choice."""
    _answer(monkeypatch, "140.82.121.4", "127.0.0.1")
    with pytest.raises(AddressRefused, match=r"evil\.example"):
        await resolve(Origin.parse("https://evil.example"), loopback=False)


@pytest.mark.anyio
async def test_vetted_addresses_are_returned_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    _answer(monkeypatch, "140.82.121.4", "140.82.121.4", "140.82.121.3")
    found = await resolve(Origin.parse("https://github.com"), loopback=False)
    assert found == ["140.82.121.4", "140.82.121.3"]


@pytest.mark.anyio
async def test_a_name_without_an_address_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "secret detail of the resolver")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(ValetError) as caught:
        await resolve(Origin.parse("https://nowhere.example"), loopback=False)
    assert caught.value.code == "provider_unreachable"
    assert "resolver" not in str(caught.value)
