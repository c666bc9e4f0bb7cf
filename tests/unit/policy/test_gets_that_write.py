"""An API that takes a write as a GET (Slack): the path alone tells, whoever wrote the request."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.egress import Request
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.oauth.providers import BUILT_IN
from jupyter_valet.broker.policy.access import Use, judged
from jupyter_valet.broker.toolsets.builtin import toolsets

SLACK = next(profile for profile in BUILT_IN if profile.name == "slack")
TOKEN = next(profile for profile in BUILT_IN if profile.name == "slack_token")
API, FILES = map(Origin.parse, ("https://slack.com", "https://files.slack.com"))


@pytest.mark.parametrize("profile", [SLACK, TOKEN], ids=lambda profile: profile.name)
@pytest.mark.parametrize(
    ("origin", "target", "access"),
    [
        (API, "/api/conversations.list?limit=1", "read"),
        (API, "/api/chat.postMessage?channel=C1&text=hi", "write"),
        (API, "/api/users.profile.set?profile=%7B%7D", "write"),
        (API, "//api/chat.postMessage", "write"),
        (API, "/%61pi/chat.postMessage", "write"),
        (API, "/API/chat.postMessage/", "write"),
        (FILES, "/files-pri/T1-F1/report.v2.pdf", "read"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "QUERY"])
def test_a_get_of_slack_reads_where_slack_says_so(
    profile: object, origin: Origin, target: str, access: str, method: str
) -> None:
    """Slack's methods take their arguments in a query, too: a document can call one a read."""
    use = Use("notes_send", "The tool notes.send", Request(method, origin, target), "read")
    assert judged(profile, use).access == access  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "access"),
    [
        ("/user?page=2&method=x", "read"),
        ("/user?_method=DELETE", "write"),
        ("/user?a=1&%5Fmethod=DELETE", "write"),
        ("/user?%24httpMethod=POST", "write"),
        ("/user?$httpHeaders=X-HTTP-Method-Override:PUT", "write"),
        ("/user?X-HTTP-Method-Override=PUT", "write"),
    ],
)
def test_a_get_of_other_providers_reads_unless_it_asks_for_another_method(
    target: str, access: str
) -> None:
    """R124, in the query."""
    github = next(profile for profile in BUILT_IN if profile.name == "github")
    use = Use("t", "a", Request("GET", Origin.parse("https://api.github.com"), target), "read")
    assert judged(github, use).access == access


def test_the_reads_of_our_own_toolset_are_reads() -> None:
    slack = next(t for t in toolsets({p.name: p for p in BUILT_IN}) if t.name == "slack")
    for operation in slack.operations:
        request = Request(operation.method, slack.origin_of(operation), operation.path)
        use = Use(operation.name, "a", request, operation.access)
        assert judged(SLACK, use) == use, operation.name
