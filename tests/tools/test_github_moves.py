"""Issues and repositories that moved: reads follow them, writes tell where they are."""

import pytest

from tests.fixtures.on_github import API, issues_of
from tests.fixtures.rally_wire import answers
from tests.fixtures.upstreams import GITHUB_ORIGIN

ISSUE = "get_github_issue"
CREATE = "create_github_issue"
FIRST = {"repository": "acme/rockets", "number": 1}
ROCKETS = f"{API}/repos/acme/rockets/issues"


async def test_what_moved_is_read_where_it_is_now(both, ann_on_github):
    first, second = [f"{GITHUB_ORIGIN}{API}/repositories/9/issues/{number}" for number in (7, 8)]
    both.wire.disturb("GET", ROCKETS, answers({}, 301, Location=first.encode()))
    moved = f"{API}/repositories/"
    both.wire.disturb("GET", moved, answers({}, 302, Location=b"/api/v3/repositories/9/issues/8"))
    there = {"id": 8, "number": 8, "html_url": f"{GITHUB_ORIGIN}/acme/boosters/issues/8"}
    both.wire.disturb("GET", moved, answers(there))

    answer = await ann_on_github.call(ISSUE, **FIRST)

    assert (answer.json()["repository"], answer.json()["number"]) == ("acme/boosters", 8)
    assert [str(request.url) for request in both.wire.sent("GET", moved)] == [first, second]


@pytest.mark.parametrize(
    "location",
    [
        "https://github.example.org/api/v3/repositories/9/issues/1",
        f"{GITHUB_ORIGIN}@example.org/api/v3/repositories/9",
        f"{GITHUB_ORIGIN}/login/oauth/authorize",
        "/api/v3/../../simulator/stats",
        "//example.org/api/v3/",
        "http://[",
    ],
)
async def test_a_token_goes_nowhere_but_to_githubs_own_api(both, ann_on_github, location):
    both.wire.disturb("GET", ROCKETS, answers({}, 301, Location=location.encode()))
    both.wire.requests.clear()

    answer = await ann_on_github.call(ISSUE, **FIRST)

    assert answer.status_code == 502
    assert len(both.wire.requests) == 1


async def test_what_moves_on_and_on_is_given_up(both, ann_on_github):
    around = answers({}, 301, Location=f"{GITHUB_ORIGIN}{ROCKETS}/1".encode())
    both.wire.disturb("GET", ROCKETS, around, around, around)

    answer = await ann_on_github.call(ISSUE, **FIRST)

    assert answer.status_code == 502
    assert len(both.wire.sent("GET", ROCKETS)) == 3


async def test_a_repository_that_moved_is_named_and_nothing_is_made(both, ann_on_github, github):
    moved = answers({}, 307, Location=f"{GITHUB_ORIGIN}{API}/repositories/9/issues".encode())
    both.wire.disturb("POST", f"{API}/repos/acme/boosters/issues", moved)
    both.wire.disturb("GET", f"{API}/repos/acme/boosters", answers({"full_name": "acme/rockets"}))

    answer = await ann_on_github.call(CREATE, repository="acme/boosters", title="Add a window")

    assert answer.status_code == 409
    assert answer.json()["message"].startswith("GitHub calls acme/boosters acme/rockets now")
    assert len(issues_of(github)) == 6
