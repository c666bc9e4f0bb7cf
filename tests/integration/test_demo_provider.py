"""The demo provider over HTTP, as a client and a browser meet it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from jupyter_valet.demo import pkce
from jupyter_valet.demo.app import Demo, serve

pytestmark = pytest.mark.anyio

REDIRECT = "http://127.0.0.1:8888/valet/callback/demo"
VERIFIER = "v" * 50
EVERYTHING = "openid profile issues:read issues:write"


class Browser:
    """A browser that does not follow redirects off the provider."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        # An IP address gets its cookies only from an unsafe jar.
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def begin(self, **changes: str) -> aiohttp.ClientResponse:
        params = {
            "response_type": "code",
            "client_id": "jupyter-valet-demo",
            "redirect_uri": REDIRECT,
            "scope": EVERYTHING,
            "state": "the-state",
            "nonce": "the-nonce",
            "code_challenge": pkce.challenge(VERIFIER),
            "code_challenge_method": "S256",
            **changes,
        }
        url = f"{self.demo.issuer}/authorize"
        return await self.http.get(url, params=params, allow_redirects=False)

    async def post(self, path: str, data: list[tuple[str, str]]) -> aiohttp.ClientResponse:
        return await self.http.post(self.demo.issuer + path, data=data, allow_redirects=False)

    async def consent(
        self, scopes: str = EVERYTHING, decision: str = "allow", **changes: str
    ) -> dict[str, str]:
        """Walk both pages; return the parameters of the answer."""
        page = await (await self.begin(**changes)).text()
        key = request_of(page)
        if "/authorize/person" in page:
            chosen = await self.post("/authorize/person", [("request", key), ("person", "amara")])
            assert chosen.status == 200
        fields = [("request", key), ("decision", decision)]
        fields += [("scope", name) for name in scopes.split()]
        answer = await self.post("/authorize/consent", fields)
        assert answer.status == 303
        return parameters(answer)

    async def tokens(self, **changes: str) -> dict[str, str]:
        answer = await self.consent(**changes)
        redeemed = await token(self, grant_type="authorization_code", code=answer["code"])
        assert redeemed.status == 200
        return await redeemed.json()


def request_of(page: str) -> str:
    found = re.search(r'name="request" value="([^"]+)"', page)
    assert found
    return found[1]


def parameters(response: aiohttp.ClientResponse) -> dict[str, str]:
    location = response.headers["Location"]
    assert location.startswith(REDIRECT + "?")
    return {k: v[0] for k, v in parse_qs(urlsplit(location).query).items()}


async def token(browser: Browser, **changes: str) -> aiohttp.ClientResponse:
    form = {
        "client_id": "jupyter-valet-demo",
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        **changes,
    }
    return await browser.http.post(f"{browser.demo.issuer}/token", data=form)


async def call(
    browser: Browser, path: str, bearer: str, method: str = "GET", **more: object
) -> aiohttp.ClientResponse:
    headers = {"Authorization": f"Bearer {bearer}"}
    return await browser.http.request(method, browser.demo.issuer + path, headers=headers, **more)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with serve() as demo:
        browser = Browser(demo)
        async with browser.http:
            yield browser


async def test_the_whole_flow_ends_in_an_answer_of_the_api(browser: Browser) -> None:
    tokens = await browser.tokens()
    me = await call(browser, "/api/me", tokens["access_token"])
    assert (await me.json())["login"] == "amara"
    issues = await call(browser, "/api/projects/tidepool/issues?limit=2", tokens["access_token"])
    assert len(await issues.json()) == 2


async def test_the_answer_names_issuer_and_state(browser: Browser) -> None:
    """RFC 9207 §2, RFC 6749 §4.1.2."""
    answer = await browser.consent()
    assert answer["iss"] == browser.demo.issuer
    assert answer["state"] == "the-state"


async def test_refusing_sends_access_denied_with_the_issuer(browser: Browser) -> None:
    answer = await browser.consent(decision="deny")
    assert answer["error"] == "access_denied"
    assert answer["iss"] == browser.demo.issuer
    assert "code" not in answer


async def test_an_unticked_scope_is_not_granted(browser: Browser) -> None:
    tokens = await browser.tokens(scopes="issues:read")
    assert tokens["scope"] == "openid profile issues:read"
    made = await call(
        browser,
        "/api/projects/tidepool/issues",
        tokens["access_token"],
        "POST",
        json={"title": "x"},
    )
    assert made.status == 403
    challenge = made.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="issues:write"' in challenge


async def test_an_issue_can_be_created(browser: Browser) -> None:
    tokens = await browser.tokens()
    path = "/api/projects/tidepool/issues"
    body = {"title": "Tide too high", "labels": ["bug"]}
    made = await call(browser, path, tokens["access_token"], "POST", json=body)
    assert made.status == 201
    again = await call(browser, made.headers["Location"], tokens["access_token"])
    assert (await again.json())["author"] == "amara"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/projects/nowhere/issues", 404),
        ("/api/projects/tidepool/issues/9999", 404),
        ("/api/projects/tidepool/issues?limit=many", 422),
        ("/api/projects/tidepool/issues?state=new", 422),
    ],
)
async def test_wrong_questions_get_problem_documents(
    browser: Browser, path: str, status: int
) -> None:
    tokens = await browser.tokens()
    answer = await call(browser, path, tokens["access_token"])
    assert (answer.status, answer.content_type) == (status, "application/problem+json")


async def test_without_a_token_the_challenge_has_no_error(browser: Browser) -> None:
    """RFC 6750 §3.1: no error code when no authentication was tried."""
    answer = await browser.http.get(f"{browser.demo.issuer}/api/me")
    assert answer.status == 401
    assert "error" not in answer.headers["WWW-Authenticate"]


async def test_a_dead_token_is_told_so(browser: Browser) -> None:
    answer = await call(browser, "/api/me", "nonsense")
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


async def test_revocation_ends_the_access(browser: Browser) -> None:
    """RFC 7009; an unknown token is a success too."""
    tokens = await browser.tokens()
    for value in (tokens["refresh_token"], "unknown"):
        form = {"client_id": "jupyter-valet-demo", "token": value}
        answer = await browser.http.post(f"{browser.demo.issuer}/revoke", data=form)
        assert answer.status == 200
    assert (await call(browser, "/api/me", tokens["access_token"])).status == 401


async def test_refresh_rotates_over_http(browser: Browser) -> None:
    tokens = await browser.tokens()
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    first = await token(browser, **form)
    assert first.status == 200
    assert first.headers["Cache-Control"] == "no-store"
    again = await token(browser, **form)
    assert again.status == 400
    assert (await again.json())["error"] == "invalid_grant"


async def test_a_second_sign_in_skips_the_choice_unless_asked(browser: Browser) -> None:
    await browser.consent()
    assert "/authorize/consent" in await (await browser.begin()).text()
    asked_again = await browser.begin(prompt="select_account")
    assert "/authorize/person" in await asked_again.text()


async def test_another_browser_cannot_answer_for_this_one(browser: Browser) -> None:
    key = request_of(await (await browser.begin()).text())
    async with Browser(browser.demo).http as http:
        data = {"request": key, "person": "amara"}
        answer = await http.post(f"{browser.demo.issuer}/authorize/person", data=data)
    assert answer.status == 400


async def test_a_consent_can_be_given_once(browser: Browser) -> None:
    key = request_of(await (await browser.begin()).text())
    await browser.post("/authorize/person", [("request", key), ("person", "amara")])
    fields = [("request", key), ("decision", "allow")]
    assert (await browser.post("/authorize/consent", fields)).status == 303
    assert (await browser.post("/authorize/consent", fields)).status == 400


async def test_a_wrong_redirect_uri_stays_on_the_page(browser: Browser) -> None:
    answer = await browser.begin(redirect_uri="http://evil.example/valet/callback/demo")
    assert answer.status == 400
    assert "Location" not in answer.headers


async def test_pages_escape_and_cannot_be_framed(browser: Browser) -> None:
    answer = await browser.begin(login_hint='"><script>alert(1)</script>')
    assert "<script" not in await answer.text()
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy


async def test_a_name_that_resolves_to_loopback_is_refused(browser: Browser) -> None:
    """DNS rebinding."""
    answer = await browser.http.get(browser.demo.issuer, headers={"Host": "evil.example"})
    assert answer.status == 421


@pytest.mark.parametrize("changes", [{"client_id": "other"}, {"grant_type": "password"}])
async def test_the_token_endpoint_refuses_others(browser: Browser, changes: dict[str, str]) -> None:
    answer = await token(browser, **{"grant_type": "authorization_code", "code": "x", **changes})
    assert answer.status in (400, 401)
    assert (await answer.json())["error"] in ("invalid_client", "unsupported_grant_type")


async def test_the_metadata_is_at_both_places_and_says_what_is_true(browser: Browser) -> None:
    """RFC 8414 §2 and §3.3: the issuer is the one asked."""
    issuer = browser.demo.issuer
    for name in ("oauth-authorization-server", "openid-configuration"):
        said = await (await browser.http.get(f"{issuer}/.well-known/{name}")).json()
        assert said["issuer"] == issuer
        assert said["code_challenge_methods_supported"] == ["S256"]
        assert said["authorization_response_iss_parameter_supported"] is True
        assert all(said[k].startswith(issuer + "/") for k in said if k.endswith("_endpoint"))


def unpad(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def test_the_id_token_is_signed_with_the_published_key(browser: Browser) -> None:
    """OpenID Connect Core §3.1.3.7."""
    tokens = await browser.tokens()
    key = (await (await browser.http.get(f"{browser.demo.issuer}/jwks")).json())["keys"][0]
    x, y = (int.from_bytes(unpad(key[n])) for n in "xy")
    signed, _, signature = tokens["id_token"].rpartition(".")
    r, s = (int.from_bytes(part) for part in (unpad(signature)[:32], unpad(signature)[32:]))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    public.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
    claims = json.loads(unpad(signed.split(".")[1]))
    assert (claims["sub"], claims["nonce"]) == ("amara", "the-nonce")
    assert (claims["iss"], claims["aud"]) == (browser.demo.issuer, "jupyter-valet-demo")


async def test_access_tokens_live_as_long_as_they_say() -> None:
    async with serve(access_seconds=1) as demo:
        browser = Browser(demo)
        async with browser.http:
            tokens = await browser.tokens()
            assert tokens["expires_in"] == 1
            await asyncio.sleep(1.1)
            assert (await call(browser, "/api/me", tokens["access_token"])).status == 401


def test_the_process_says_where_it_is_and_ends_with_its_input() -> None:
    command = [sys.executable, "-I", "-m", "jupyter_valet.demo"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        line = json.loads(process.stdout.readline())
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", line["issuer"])
        process.stdin.close()
        assert process.wait(10) == 0


async def test_two_demo_providers_run_side_by_side() -> None:
    """The second finds the usual port taken and takes another."""
    async with serve(None) as first, serve(None) as second:
        assert first.issuer != second.issuer


async def test_a_port_that_was_asked_for_is_taken_or_refused() -> None:
    async with serve() as demo:
        port = int(demo.issuer.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            async with serve(port):
                pass
