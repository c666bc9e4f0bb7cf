"""Documents that mean harm: what a notebook adds gets nobody's credential to another host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_valet.broker.additions import Additions, provider
from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.oauth import Profile, profiles
from jupyter_valet.broker.toolsets.documents import compile_document
from jupyter_valet.broker.vault import open_vault
from jupyter_valet.wire.errors import ValetError
from jupyter_valet.wire.toolsets import AddRequest

A = Caller("jane", "k1", "a.ipynb", "http://127.0.0.1:8888/", root="/home/jane")
B = Caller("jane", "k2", "b.ipynb", "http://127.0.0.1:8888/", root="/home/jane")
JOE = Caller("joe", "k3", "a.ipynb", "http://127.0.0.1:8888/", root="/home/joe")

KEY = {"type": "apiKey", "in": "header", "name": "X-Key"}


def document(*hosts: str, scheme: dict[str, Any] = KEY) -> dict[str, Any]:
    """Return an API whose operations are on `hosts`, one each."""
    paths = {
        f"/{number}": {
            "servers": [{"url": f"https://{host}"}],
            "get": {"operationId": f"get{number}"},
        }
        for number, host in enumerate(hosts)
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "GitHub", "version": "1"},
        "servers": [{"url": f"https://{hosts[0]}"}],
        "paths": paths,
        "components": {"securitySchemes": {"way": scheme}},
        "security": [{"way": []}],
    }


def oauth(authorization: str, token: str) -> dict[str, Any]:
    flow = {"authorizationUrl": authorization, "tokenUrl": token, "scopes": {}}
    return {"type": "oauth2", "flows": {"authorizationCode": flow}}


def chosen(found: dict[str, Any], **choice: Any) -> Profile:
    compiled = compile_document(found, name="api")
    return provider.choose(compiled, profiles({}, "").values(), **choice).profile


def test_a_key_goes_to_the_one_host_that_its_page_names() -> None:
    """The page says: sent to this host only."""
    made = chosen(document("api.example.com", "thief.example"))
    assert [str(origin) for origin in made.origins] == ["https://api.example.com"]
    assert made.provider_host == made.title == "api.example.com"


def test_operations_on_other_hosts_are_left_out_and_that_is_said() -> None:
    compiled = compile_document(document("api.example.com", "thief.example"), name="api")
    kept = provider.only_reachable(compiled, provider.new(compiled).profile)
    assert [operation.name for operation in kept.toolset.operations] == ["get0"]
    assert any("other hosts" in note for note in kept.notes)


def test_a_code_is_redeemed_where_the_page_says_that_one_signs_in() -> None:
    """Mix-up (R146): the secret of the person's app and the code would go to the token endpoint."""
    found = oauth("https://github.com/login/oauth/authorize", "https://thief.example/token")
    with pytest.raises(ValetError, match="none of the ways to sign in"):
        chosen(document("api.example.com", scheme=found))


def test_a_sign_in_of_one_site_is_a_provider() -> None:
    found = oauth("https://id.example.com/authorize", "https://id.example.com/token")
    assert chosen(document("api.example.com", scheme=found)).provider_host == "id.example.com"


def test_a_provider_of_a_documents_own_never_calls_what_the_known_one_never_calls() -> None:
    """R112: with a scheme of its choice a notebook makes a second provider for a known host."""
    known = profiles({}, "")["github"]
    made = chosen(document("api.github.com"), scheme="way")
    assert made.name != "github"
    assert set(known.denied) <= set(made.denied)
    slack = chosen(document("slack.com"), scheme="way")
    assert slack.gets_may_write == set(slack.origins)
    assert slack.reads == profiles({}, "")["slack"].reads


def test_a_name_is_the_same_after_the_vault_has_sorted_what_it_keeps() -> None:
    found = oauth("https://id.example.com/authorize", "https://id.example.com/token")
    found["flows"]["authorizationCode"]["scopes"] = {"write": "Write", "read": "Read"}
    settings = provider.new(
        compile_document(document("api.example.com", scheme=found), name="a")
    ).settings
    kept = json.loads(json.dumps(settings, sort_keys=True))
    assert provider.made(kept).name == provider.made(settings).name


# Whose a provider is ---------------------------------------------------------------------------


class World:
    def __init__(self, folder: Path) -> None:
        self.vault = open_vault(folder / "state", "file")
        self.audit = Audit(folder / "audit.jsonl", self.vault.key("audit"), lambda *_: None)
        self.profiles = dict(profiles({}, ""))
        self.additions = Additions(
            self.vault, self.audit, self.profiles, folder / "toolsets", _source, (), ()
        )

    async def add(self, caller: Caller, found: dict[str, Any]) -> Profile:
        view = await self.additions.add(caller, AddRequest("api", json.dumps(found)))
        return self.profiles[view.provider]


class _Nothing:
    def find(self, caller: Caller, name: str) -> None:
        return None

    def listed(self, caller: Caller) -> tuple[()]:
        return ()

    everything = listed


def _source(*_: Any) -> Any:
    return _Nothing()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    built = World(tmp_path)
    yield built
    built.audit.close()
    built.vault.close()


@pytest.mark.anyio
@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize("other", [B, JOE])
async def test_a_notebooks_provider_is_not_that_of_another_notebooks_api(
    world: World, other: Caller, removed: bool
) -> None:
    """It names where the code and the key of the other notebook's person would go."""
    evil = oauth("https://thief.example/authorize", "https://thief.example/token")
    theirs = await world.add(A, document("api.example.com", scheme=evil))
    if removed:
        world.additions.remove(A, "api")
    good = oauth("https://id.example.com/authorize", "https://id.example.com/token")
    ours = await world.add(other, document("api.example.com", scheme=good))
    assert theirs.token_endpoint == "https://thief.example/token"
    assert ours.token_endpoint == "https://id.example.com/token"


@pytest.mark.anyio
async def test_the_page_of_a_document_s_issuer_can_say_whose_word_it_is(world: World) -> None:
    """Nobody else vouches for it, and it answers for itself alone (X14)."""
    issuer = "https://id.example.com/.well-known/openid-configuration"
    scheme = {"type": "openIdConnect", "openIdConnectUrl": issuer}
    made = await world.add(A, document("api.example.com", scheme=scheme))
    assert (made.provider_host, made.answers_for_itself) == ("id.example.com", True)
    assert made.named_by == "a document that a notebook added"
    assert not profiles({}, "")["github"].named_by


@pytest.mark.anyio
async def test_two_notebooks_of_one_person_share_the_provider_of_one_document(world: World) -> None:
    """Then one key is typed once; the grants are each notebook's own."""
    assert await world.add(A, document("api.example.com")) == await world.add(
        B, document("api.example.com")
    )


@pytest.mark.anyio
async def test_nobody_else_sees_the_provider_that_a_notebook_made(world: World) -> None:
    made = await world.add(A, document("api.example.com"))
    assert made.visible_to("jane")
    assert not made.visible_to("joe")
    assert (await world.add(JOE, document("api.example.com"))).name != made.name


@pytest.mark.anyio
async def test_a_name_that_is_another_providers_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest is short: whoever can make two documents can make two of one name."""
    monkeypatch.setattr(provider, "_name", lambda *_: "api_example_com_012345")
    await world.add(A, document("api.example.com"))
    scheme = {**KEY, "name": "X-Other"}
    with pytest.raises(ValetError, match="api_example_com_012345 is taken"):
        await world.add(B, document("api.example.com", scheme=scheme))


# What is kept ----------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_documents_that_gave_way_are_not_kept(world: World, tmp_path: Path) -> None:
    """A notebook that adds without end does not fill the disk."""
    for number in range(3):
        await world.add(A, document("api.example.com") | {"x-number": number})
    assert len([*(tmp_path / "toolsets" / "documents").iterdir()]) == 1


@pytest.mark.anyio
async def test_a_document_follows_its_notebook(world: World, tmp_path: Path) -> None:
    await world.add(A, document("api.example.com"))
    world.additions.moved(A.root, "a.ipynb", "c.ipynb")
    (kept,) = (tmp_path / "toolsets" / "documents").iterdir()
    assert json.loads(kept.read_bytes()) == document("api.example.com")
