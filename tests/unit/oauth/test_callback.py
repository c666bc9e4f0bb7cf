"""The answer that comes back through the browser is believed only when it is the answer to us."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from jupyter_valet.broker.oauth import CallbackRefused, Pending, Profile
from jupyter_valet.broker.oauth.rfc6749 import callback_code
from jupyter_valet.broker.secret import Secret

STATE = "s" * 43
ISSUER = "https://login.corp.example"
NOW = 1100.0


def _refused(profile: Profile, pending: Pending, query: str, now: float = NOW) -> str:
    with pytest.raises(CallbackRefused) as caught:
        callback_code(profile, pending, query, now)
    return caught.value.slug


def _query(**parameters: str) -> str:
    return urlencode({"code": "the-code", "state": STATE, **parameters})


def test_the_answer_to_our_request_gives_the_code(profile: Profile, pending: Pending) -> None:
    assert callback_code(profile, pending, _query(), NOW) == Secret("the-code")
    assert callback_code(profile, pending, _query(iss=ISSUER), NOW) == Secret("the-code")


@pytest.mark.parametrize("query", ["code=the-code", "code=the-code&state=", ""])
def test_an_answer_without_a_state_is_refused(
    profile: Profile, pending: Pending, query: str
) -> None:
    """R143: login CSRF."""
    assert _refused(profile, pending, query) == "state_missing"


def test_an_answer_to_another_sign_in_is_refused(profile: Profile, pending: Pending) -> None:
    """R143, R145: an attacker's code with a state of theirs."""
    assert _refused(profile, pending, _query(state="t" * 43)) == "state_mismatch"
    assert _refused(profile, pending, _query(state=STATE[:-1])) == "state_mismatch"
    assert _refused(profile, pending, _query(state=STATE + "s")) == "state_mismatch"


def test_the_digest_of_a_state_is_not_a_state(profile: Profile, pending: Pending) -> None:
    """Reading the vault's metadata does not give what a callback needs."""
    assert _refused(profile, pending, _query(state=pending.state_digest)) == "state_mismatch"


def test_an_answer_that_comes_too_late_is_refused(profile: Profile, pending: Pending) -> None:
    """BP-06: ten minutes."""
    assert callback_code(profile, pending, _query(), 1600.0)
    assert _refused(profile, pending, _query(), 1600.1) == "state_expired"


@pytest.mark.parametrize("name", ["code", "state", "iss", "anything"])
def test_a_parameter_that_comes_twice_is_refused(
    profile: Profile, pending: Pending, name: str
) -> None:
    """R157, RFC 6749 §3.1: also for one that means nothing to us."""
    query = _query(iss=ISSUER, anything="1") + f"&{name}=evil"
    assert _refused(profile, pending, query) == "duplicate_parameter"


@pytest.mark.parametrize(
    "iss",
    [
        "https://login.evil.example",
        "https://login.corp.example/",
        "https://LOGIN.corp.example",
        "https://login.corp.example:443",
        "",
    ],
)
def test_an_answer_from_another_issuer_is_refused(
    profile: Profile, pending: Pending, iss: str
) -> None:
    """R146, RFC 9207 §2.4, CL-12, BP-22: strings are compared, nothing is normalised."""
    assert _refused(profile, pending, _query(iss=iss)) == "iss_mismatch"


def test_a_missing_issuer_is_refused_when_it_was_announced(
    profile: Profile, pending: Pending
) -> None:
    """R159: a downgrade."""
    announced = replace(pending, iss_required=True)
    assert _refused(profile, announced, _query()) == "iss_missing"


def test_an_error_is_not_believed_before_its_sender_is_known(
    profile: Profile, pending: Pending
) -> None:
    """CL-12: `iss` and `state` are checked for errors too."""
    forged = urlencode({"error": "access_denied", "state": "t" * 43})
    assert _refused(profile, pending, forged) == "state_mismatch"
    mixed_up = urlencode({"error": "access_denied", "state": STATE, "iss": "https://evil.example"})
    assert _refused(profile, pending, mixed_up) == "iss_mismatch"


def test_an_error_gives_fixed_words_and_never_the_providers(
    profile: Profile, pending: Pending
) -> None:
    """R152: `error_description` is an attacker's text on our origin."""
    query = urlencode(
        {"error": "access_denied", "error_description": "<script>", "state": STATE, "code": "c"}
    )
    with pytest.raises(CallbackRefused) as caught:
        callback_code(profile, pending, query, NOW)
    assert caught.value.slug == "access_denied"
    assert str(caught.value) == (
        "The sign-in to Corp did not work: access was not allowed. "
        "Call the tool again to try once more."
    )


@pytest.mark.parametrize("error", ["<script>alert(1)</script>", "made_up", ""])
def test_an_unknown_error_code_does_not_travel(
    profile: Profile, pending: Pending, error: str
) -> None:
    """R152."""
    query = urlencode({"error": error, "state": STATE})
    with pytest.raises(CallbackRefused) as caught:
        callback_code(profile, pending, query, NOW)
    assert caught.value.slug == "refused"
    assert "script" not in repr(caught.value)


@pytest.mark.parametrize("code", [None, "", "a\nb", "\u00e9"])
def test_an_answer_without_a_code_is_refused(
    profile: Profile, pending: Pending, code: str | None
) -> None:
    query = urlencode({"state": STATE} if code is None else {"state": STATE, "code": code})
    assert _refused(profile, pending, query) == "code_missing"


@pytest.mark.parametrize(
    "query", ["state=%ff&code=x", "&".join(f"p{i}=1" for i in range(65)), "x=" + "y" * 20_000]
)
def test_a_malformed_answer_is_refused(profile: Profile, pending: Pending, query: str) -> None:
    assert _refused(profile, pending, query) == "malformed"


def test_a_refusal_shows_neither_code_nor_state(profile: Profile, pending: Pending) -> None:
    """R153."""
    with pytest.raises(CallbackRefused) as caught:
        callback_code(profile, pending, _query(iss="https://evil.example"), NOW)
    shown = f"{caught.value!r} {caught.value} {caught.value.to_json()} {caught.value.fields}"
    assert "the-code" not in shown
    assert STATE not in shown
    assert "evil" not in shown


def test_a_pending_authorization_survives_as_plain_data(pending: Pending) -> None:
    meta = pending.to_meta()
    assert "verifier" not in meta
    assert Pending.from_meta(meta, pending.verifier) == pending
