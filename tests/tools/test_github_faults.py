"""GitHub in trouble: limits, refusals, lost answers and dead tokens."""

from datetime import UTC, datetime

import httpx
import pytest

from devtools.github_simulator import Fault
from tests.fixtures.mcp_call import call_over_mcp
from tests.fixtures.on_github import API
from tests.fixtures.rally_wire import answers, fails, loses_answer
from tests.fixtures.upstreams import GITHUB_ORIGIN, switched

ISSUE = "get_github_issue"
CREATE = "create_github_issue"
FIRST = {"repository": "acme/rockets", "number": 1}
NEW = {"repository": "acme/rockets", "title": "Add a window"}
REPOS = f"{API}/repos/"
ROCKETS = f"{API}/repos/acme/rockets/issues"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AT_NOON = {"Date": b"Sat, 21 Nov 2026 12:00:00 GMT"}
BOTH = pytest.mark.parametrize(
    ("method", "tool", "arguments"), [("GET", ISSUE, FIRST), ("POST", CREATE, NEW)]
)


def made(github):
    """Return how many issues there are that these tests make."""
    return sum(
        issue.title == NEW["title"]
        for repository in github.repositories
        for issue in repository.issues.values()
    )


def resets_after(seconds):
    at = int(NOON.timestamp()) + seconds
    return {"X_RateLimit_Remaining": b"0", "X_RateLimit_Reset": str(at).encode(), **AT_NOON}


async def test_a_request_says_what_github_asks_for_and_who_asks(both, ann_on_github):
    both.wire.set_cookie = "logged_in=yes; Path=/"
    await ann_on_github.call(ISSUE, **FIRST)
    await ann_on_github.call(ISSUE, **FIRST)

    last = both.wire.sent("GET", ROCKETS)[-1]

    assert last.headers["accept"] == "application/vnd.github+json"
    assert last.headers["x-github-api-version"] == "2022-11-28"
    assert last.headers["user-agent"] == "rally-mcp"
    assert last.headers["authorization"].startswith("Bearer gho_")
    assert "cookie" not in last.headers


@pytest.mark.parametrize(
    ("method", "tool", "arguments", "status"),
    [("GET", ISSUE, FIRST, 403), ("POST", CREATE, NEW, 429)],
)
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": b"17"}, "17"),
        ({"Retry_After": b"0"}, "1"),
        (resets_after(42), "42"),
        (resets_after(-5), "1"),
        (resets_after(90_000), "3600"),
    ],
)
async def test_a_rate_limit_is_a_429_that_says_how_long(
    both, ann_on_github, method, tool, arguments, status, headers, seconds
):
    both.wire.disturb(method, REPOS, answers({"message": "Slow down"}, status, **headers))

    answer = await ann_on_github.call(tool, **arguments)

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == seconds
    assert len(both.wire.sent(method, REPOS)) == 1


@pytest.mark.parametrize("rate_limit", ["primary", "secondary"])
async def test_a_limit_that_names_no_time_is_one_too(ann_on_github, github, rate_limit):
    github.faults.add(Fault(path_prefix=REPOS, rate_limit=rate_limit))

    result = await call_over_mcp(ann_on_github, ISSUE, **FIRST)

    assert result["isError"]
    assert 1 <= result["structuredContent"]["retry_after"] <= 3600


async def test_a_secondary_limit_without_a_time_is_over_in_a_minute(ann_on_github, github):
    github.faults.add(Fault(path_prefix=REPOS, rate_limit="secondary"))

    answer = await ann_on_github.call(ISSUE, **FIRST)

    assert answer.headers["retry-after"] == "60"


async def test_single_sign_on_that_an_organization_wants_is_a_403_with_its_page(
    both, ann_on_github
):
    page = f"{GITHUB_ORIGIN}/orgs/acme/sso?authorization_request=A1"
    header = f"required; url={page}".encode()
    both.wire.disturb("GET", REPOS, answers({"message": "SAML"}, 403, X_GitHub_SSO=header))

    answer = await ann_on_github.call(ISSUE, **FIRST)

    assert answer.status_code == 403
    assert "single sign-on" in answer.json()["message"]
    assert page in answer.json()["message"]


@pytest.mark.parametrize(
    "page", ["https://github.example.org/orgs/acme/sso", f"{GITHUB_ORIGIN}.example.org/sso"]
)
async def test_no_page_outside_this_github_is_shown(both, ann_on_github, page):
    header = f"required; url={page}".encode()
    both.wire.disturb("GET", REPOS, answers({"message": "SAML"}, 403, X_GitHub_SSO=header))

    answer = await ann_on_github.call(ISSUE, **FIRST)

    assert answer.status_code == 403
    assert "example.org" not in answer.text


@pytest.mark.parametrize("status", [403, 451])
async def test_a_refusal_is_a_403_in_githubs_words(both, ann_on_github, status):
    both.wire.disturb("GET", REPOS, answers({"message": "Not\u202e for\nyou"}, status))

    answer = await ann_on_github.call(ISSUE, **FIRST)

    assert answer.status_code == 403
    assert answer.json()["message"].endswith("check your permissions there. Not for you.")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"message": "Invalid."}, "Invalid."),
        ({"message": "Invalid", "errors": ["title is odd"]}, "Invalid. title is odd."),
        ({"message": "Invalid", "errors": [{"field": "q", "code": "missing"}]}, "q missing."),
        ({"message": "Invalid", "errors": "all of it"}, "GitHub refused this:"),
        ("<h1>no</h1>", "GitHub refused this:"),
    ],
)
async def test_an_invalid_request_is_a_400_whatever_the_form_of_the_refusal(
    both, ann_on_github, document, words
):
    both.wire.disturb("POST", REPOS, answers(document, 422))

    answer = await ann_on_github.call(CREATE, **NEW)

    assert answer.status_code == 400
    assert answer.json()["message"].endswith(words)


@pytest.mark.parametrize("status", [400, 405, 418])
async def test_any_other_refusal_is_a_502(both, ann_on_github, status):
    both.wire.disturb("GET", REPOS, answers("odd", status))

    answer = await ann_on_github.call(ISSUE, **FIRST)

    assert answer.status_code == 502
    assert str(status) in answer.json()["message"]


@BOTH
@pytest.mark.parametrize(("status", "shown"), [(500, 503), (502, 503), (503, 503), (504, 504)])
async def test_a_failure_at_github_is_passed_on_once(
    both, ann_on_github, method, tool, arguments, status, shown
):
    both.wire.disturb(method, REPOS, answers("<h1>Unicorn</h1>", status))

    answer = await ann_on_github.call(tool, **arguments)

    assert answer.status_code == shown
    assert ("look before you try again" in answer.text) is (method == "POST")
    assert len(both.wire.sent(method, REPOS)) == 1


@BOTH
@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_a_connection_that_was_not_made_is_tried_once_more(
    both, ann_on_github, method, tool, arguments, error
):
    both.wire.disturb(method, REPOS, fails(error))
    once = await ann_on_github.call(tool, **arguments)
    both.wire.disturb(method, REPOS, fails(error), fails(error))
    twice = await ann_on_github.call(tool, **arguments)

    assert once.status_code == 200
    assert twice.status_code == 503
    assert "look before" not in twice.text
    assert len(both.wire.sent(method, REPOS)) == 4


@pytest.mark.parametrize(("error", "status"), [(httpx.ReadTimeout, 504), (httpx.ReadError, 503)])
async def test_a_creation_whose_answer_was_lost_is_in_doubt_and_is_not_repeated(
    both, ann_on_github, github, error, status
):
    both.wire.disturb("POST", REPOS, loses_answer(error))

    answer = await ann_on_github.call(CREATE, **NEW)

    assert answer.status_code == status
    assert "look before you try again" in answer.json()["message"]
    assert made(github) == 1


@pytest.mark.parametrize("body", ["truncated", "html"])
async def test_a_creation_whose_answer_is_garbled_is_in_doubt_and_is_not_repeated(
    ann_on_github, github, body
):
    github.faults.add(Fault(method="POST", path_prefix=REPOS, body=body, after_effect=True))

    answer = await ann_on_github.call(CREATE, **NEW)

    assert answer.status_code == 502
    assert "look before you try again" in answer.json()["message"]
    assert made(github) == 1


async def test_a_creation_that_is_told_to_be_elsewhere_is_in_doubt(both, ann_on_github):
    elsewhere = {"id": 1, "number": 1, "html_url": "https://github.example.org/a/b/issues/1"}
    both.wire.disturb("POST", REPOS, answers(elsewhere, 201))

    answer = await ann_on_github.call(CREATE, **NEW)

    assert answer.status_code == 502
    assert "look before you try again" in answer.json()["message"]


@pytest.mark.parametrize("document", ["<h1>no</h1>", [], {"id": 1}, {"id": "x", "number": 1}])
async def test_an_answer_of_another_form_is_a_502(both, ann_on_github, document):
    both.wire.disturb("GET", REPOS, answers(document))

    answer = await ann_on_github.call(ISSUE, **FIRST)

    assert answer.status_code == 502
    assert answer.json()["error"] == "Failed to get GitHub issue"


async def test_a_token_that_the_user_revoked_is_given_up_and_a_sign_in_asked_for(
    ann_on_github, github
):
    github.revoke_user("ann")

    refused = await ann_on_github.call(CREATE, **NEW)
    of_rally = await ann_on_github.call("get_rally_user")

    assert refused.status_code == 401
    assert refused.json()["auth_url"]
    assert of_rally.status_code == 200
    assert made(github) == 0


@switched("github", expiring_tokens=True)
async def test_a_token_that_is_over_is_renewed_and_nobody_notices(ann_on_github, github):
    github.expire_access_tokens()

    read = await ann_on_github.call(ISSUE, **FIRST)
    created = await ann_on_github.call(CREATE, **NEW)

    assert (read.status_code, created.status_code) == (200, 200)
    assert github.stats.refreshes == 1
    assert made(github) == 1
