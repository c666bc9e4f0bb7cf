"""What a grant narrows a connection down to, and what tries to get around it."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.policy import Limits
from jupyter_valet.broker.policy.limits import exceeded, is_glob, matches, path_allowed

API = Origin.parse("https://api.example")
MINE = ("/repos/me/*",)


def refused(limits: Limits, method: str = "GET", target: str = "/", **more: str) -> str:
    origin = Origin.parse(more.get("origin", "https://api.example"))
    return exceeded(limits, method, origin, target, frozenset(more.get("scopes", "").split()))


def test_no_limits_limit_nothing() -> None:
    assert refused(Limits(), "DELETE", "/anything/%2e%2e%2f?x=1", scopes="a b") == ""


def test_hosts_are_compared_whole() -> None:
    """R114, R115: with a port, and without one."""
    limits = Limits(hosts=("api.example",))
    assert refused(limits) == ""
    assert refused(limits, origin="https://api.example.evil.example") != ""
    assert refused(limits, origin="https://xapi.example") != ""
    assert refused(Limits(hosts=("api.example:8443",))) != ""
    assert refused(Limits(hosts=("api.example:8443",)), origin="https://api.example:8443") == ""


def test_methods_and_scopes_are_lists() -> None:
    assert refused(Limits(methods=("GET",))) == ""
    assert refused(Limits(methods=("GET",)), "POST") == "the method POST"
    assert refused(Limits(scopes=("a",)), scopes="a") == ""
    assert refused(Limits(scopes=("a",)), scopes="a b") == "the permission b"


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("/a", "/a"),
        ("/a/*", "/a/b"),
        ("/a/*/c", "/a/b/c"),
        ("/a/**", "/a/b/c"),
        ("/**/c", "/a/b/c"),
        ("/*.json", "/x.json"),
        ("/a/*", "/a/"),
        ("/caf\u00e9/*", "/caf%C3%A9/x"),
        ("/a/*", "/a/100%25"),
        ("/a/*", "/a/my%20sheet"),
        ("/a/**", "/a/feature%2Fx"),
        ("/a/b", "/%61/b?c=/../d"),
    ],
)
def test_a_path_of_the_glob_is_allowed(glob: str, path: str) -> None:
    assert path_allowed([glob], path)


@pytest.mark.parametrize(
    "path",
    [
        "/repos/me",
        "/repos/me/x/y",
        "/Repos/me/x",
        "/repos/ME/x",
        "/repos//me/x",
        "//repos/me/x",
        "/repos/me//",
        "/repos/me/../you",
        "/repos/me/%2e%2e/you",
        "/repos/me/%2E%2e%2fyou",
        "/repos/me/%252e%252e%252fyou",
        "/repos/me/..%5cyou",
        "/repos/me/x%2fy",
        "/repos/me/x%252fy",
        "/repos%2fme/x",
        "/repos/me/x%00",
        "/repos/me/x%0a",
        "/repos/me/%5c",
        "/x?/repos/me/x",
        "/repos/me/%" + "25" * 5 + "2e",
        "/repos/me/" + "a" * 9000,
    ],
)
def test_a_path_that_might_be_another_is_refused(path: str) -> None:
    """R127: dot segments, double slashes, case, controls, encodings once and more often."""
    assert not path_allowed(MINE, path)


segment = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(st.lists(segment, max_size=5), st.integers(0, 3))
def test_what_is_allowed_is_allowed_however_it_is_decoded(parts: list[str], times: int) -> None:
    """The point of it: no reading of an allowed path lies outside the glob."""
    path = "/repos/me/" + "/".join(quote(part, safe="%") for part in parts)
    path = path.encode("ascii", "ignore").decode()
    if path_allowed(MINE, path):
        for _ in range(times):
            path = unquote(path)
        inside = path.removeprefix("/repos/me/")
        assert path.startswith("/repos/me/")
        assert "/" not in inside
        assert inside not in (".", "..")


@given(st.text("ab/", max_size=12))
def test_the_matcher_is_what_a_star_means(path: str) -> None:
    assert matches("a*b", path) == (
        path.startswith("a") and path.endswith("b") and "/" not in path and len(path) > 1
    )
    assert matches("a**b", path) == (path.startswith("a") and path.endswith("b") and len(path) > 1)
    assert matches("**", path)
    assert matches("*", path) == ("/" not in path)


def test_no_path_makes_the_matcher_slow() -> None:
    """A kernel chooses the path; a backtracking matcher would need a power of its length."""
    glob = "/" + "**a" * 8
    assert is_glob(glob)
    assert not matches(glob, "/" + "a" * 8000 + "b")


@pytest.mark.parametrize(
    "text", ["", "a", "*", "/a//b", "/a/../b", "/%61", "/***", "/a\n", "/" + "x" * 400, "/*" * 9]
)
def test_what_is_no_glob_is_not_kept(text: str) -> None:
    assert not is_glob(text)
