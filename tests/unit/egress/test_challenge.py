"""What an upstream's refusal means."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.egress.challenge import missing_scopes, scope_names, sufficient_scopes

GOOGLE = (
    'Bearer realm="https://accounts.google.com/", error="insufficient_scope", '
    'scope="https://www.googleapis.com/auth/drive https://www.googleapis.com/auth/drive.readonly"'
)


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [
        (403, 'Bearer error="insufficient_scope", scope="a b"', {"a", "b"}),
        (403, "Bearer error=insufficient_scope, scope=a", {"a"}),
        (403, 'Bearer error="insufficient_scope"', set()),
        (
            403,
            GOOGLE,
            {
                "https://www.googleapis.com/auth/drive",
                "https://www.googleapis.com/auth/drive.readonly",
            },
        ),
        (403, 'Bearer error="invalid_token"', None),
        (403, "", None),
        (401, 'Bearer error="insufficient_scope", scope="a"', None),
        (200, 'Bearer error="insufficient_scope", scope="a"', None),
    ],
)
def test_rfc_6750_challenges(status: int, header: str, expected: set[str] | None) -> None:
    """RFC 6750 §3.1."""
    assert missing_scopes(status, header) == expected


@pytest.mark.parametrize(
    ("status", "granted", "accepted", "expected"),
    [
        (403, "read:user", "repo", {"repo"}),
        (403, "repo", "public_repo, repo", set()),
        (403, "", "", set()),
        (404, "read:user", "repo", set()),
    ],
)
def test_scopes_in_headers(status: int, granted: str, accepted: str, expected: set[str]) -> None:
    """GitHub: any one of the accepted will do; a 404 asks for nothing."""
    assert sufficient_scopes(status, granted, accepted) == expected


def test_only_scopes_are_taken_from_upstream() -> None:
    """RFC 6749 §3.3: the grammar, and not too many."""
    assert scope_names('a "b" c\\d é x' + " y" * 3) == {"a", "x", "y"}
    assert len(scope_names(" ".join(map(str, range(1000))))) == 32
    assert scope_names("z" * 300) == frozenset()


def test_a_long_challenge_takes_no_time() -> None:
    """Upstream's text meets a regular expression."""
    import time

    started = time.perf_counter()
    missing_scopes(403, 'Bearer error="' + "\\" * 60_000)
    missing_scopes(403, "a=" * 30_000)
    assert time.perf_counter() - started < 2
