"""Searching GitHub's issues: what is asked of it, and what comes of the answer."""

import pytest

from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.on_github import API, changes
from tests.fixtures.rally_wire import answers
from tests.fixtures.upstreams import GITHUB_ORIGIN

SEARCH = "search_github_issues"
PATH = f"{API}/search/issues"
ISSUE, PULL = "is:issue", "is:pull-request"


def numbers(answer):
    assert answer.status_code == 200, answer.text
    return [
        (item["repository"].partition("/")[2], item["number"]) for item in answer.json()["items"]
    ]


async def test_a_found_issue_comes_with_its_fields(ann_on_github):
    answer = await ann_on_github.call(SEARCH, query="reproduce")

    assert answer.json() == {
        "total": 1,
        "incomplete": False,
        "items": [
            {
                "repository": "acme/rockets",
                "number": 1,
                "kind": "issue",
                "title": "Countdown skips the number seven",
                "state": "open",
                "author": "ann",
                "labels": ["bug"],
                "comments": 2,
                "updated_at": "2026-10-14T09:00:00Z",
                "url": f"{GITHUB_ORIGIN}/acme/rockets/issues/1",
            }
        ],
    }


async def test_a_search_finds_issues_and_pull_requests_unless_one_kind_is_named(ann_on_github):
    found = {
        kind: numbers(await ann_on_github.call(SEARCH, query="countdown", kind=kind))
        for kind in ("any", "issue", "pull_request")
    }

    assert found == {
        "any": [("rockets", 1), ("rockets", 3)],
        "issue": [("rockets", 1)],
        "pull_request": [("rockets", 3)],
    }


async def test_a_search_can_be_held_to_a_repository_and_a_state(ann_on_github):
    plans = await ann_on_github.call(SEARCH, query="the", repository="acme/secret-plans")
    closed = await ann_on_github.call(SEARCH, query="the", kind="issue", state="closed")

    assert numbers(plans) == [("secret-plans", 1), ("secret-plans", 2)]
    assert numbers(closed) == [("rockets", 4), ("archive", 1)]


async def test_a_search_finds_what_its_person_may_see_alone(ann_on_github, bob_on_github):
    of_ann, of_bob = [
        numbers(await chat.call(SEARCH, query="launch date"))
        for chat in (ann_on_github, bob_on_github)
    ]

    assert of_ann == [("secret-plans", 1)]
    assert of_bob == []


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"query": "basket"}, [f"{ISSUE} basket", f"{PULL} basket"]),
        ({"query": '"two words" -x', "kind": "issue"}, [f'{ISSUE} "two words" -x']),
        ({"query": "label:bug author:@me", "kind": "issue"}, [f"{ISSUE} label:bug author:@me"]),
        ({"query": "is:pr draft:true"}, ["is:pr draft:true"]),
        ({"query": "type:Issue x"}, ["type:Issue x"]),
        ({"query": "-is:pr x"}, [f"{ISSUE} -is:pr x", f"{PULL} -is:pr x"]),
        ({"query": '"is:pr" x'}, [f'{ISSUE} "is:pr" x', f'{PULL} "is:pr" x']),
        (
            {"query": "x", "repository": "acme/rockets", "kind": "pull_request", "state": "open"},
            [f"repo:acme/rockets state:open {PULL} x"],
        ),
        (
            {"query": "a OR b", "repository": "acme/rockets", "kind": "issue"},
            [f"repo:acme/rockets {ISSUE} (a OR b)"],
        ),
        ({"query": "(a OR b) c", "kind": "issue"}, [f"{ISSUE} ((a OR b) c)"]),
        ({"query": '"a OR b"', "kind": "issue"}, [f'{ISSUE} "a OR b"']),
        ({"query": "ORDER :)", "kind": "issue"}, [f"{ISSUE} ORDER :)"]),
        ({"query": "50% & more + #1", "kind": "issue"}, [f"{ISSUE} 50% & more + #1"]),
    ],
)
async def test_a_query_goes_to_github_as_it_was_written_behind_our_qualifiers(
    both, ann_on_github, arguments, sent
):
    nothing = answers({"total_count": 0, "incomplete_results": False, "items": []})
    both.wire.disturb("GET", PATH, nothing, nothing)

    await ann_on_github.call(SEARCH, **arguments)

    assert [request.url.params["q"] for request in both.wire.sent("GET", PATH)] == sent


async def test_a_page_has_so_many_of_each_kind(both, ann_on_github):
    first = await ann_on_github.call(SEARCH, query="repo:acme/rockets", limit=1)
    second = await ann_on_github.call(SEARCH, query="repo:acme/rockets", limit=1, page=2)
    sizes = {request.url.params["per_page"] for request in both.wire.sent("GET", PATH)}

    assert first.json()["total"] == second.json()["total"] == 6
    assert numbers(first) == [("rockets", 6), ("rockets", 5)]
    assert numbers(second) == [("rockets", 4), ("rockets", 3)]
    assert sizes == {"1"}


async def test_a_search_without_results_says_so(ann_on_github):
    result = await call_over_mcp(ann_on_github, SEARCH, query="submarine")

    assert text_of(result) == "Found 0; page 1 has 0 of them."


async def test_what_people_wrote_stands_between_markers_alone(ann_on_github):
    result = await call_over_mcp(ann_on_github, SEARCH, query="landing")

    trusted, _, written = text_of(result).partition("<<<")
    assert trusted.startswith("Found 1; page 1 has 1 of them.\n")
    assert "Crash" not in trusted
    assert (
        "\nacme/rockets#2: open issue: Crash on landing <img src=x onerror=alert(1)>\n" in written
    )


@pytest.mark.parametrize(
    "incomplete",
    [
        changes(incomplete_results=True),
        answers(
            {"total_count": 0, "items": []},
            X_GitHub_SSO=b"partial-results; organizations=21955855,20582480",
        ),
    ],
)
async def test_a_search_that_left_something_out_says_so(both, ann_on_github, incomplete):
    both.wire.disturb("GET", PATH, incomplete, incomplete)

    facts = (await ann_on_github.call(SEARCH, query="landing")).json()
    whole = (await ann_on_github.call(SEARCH, query="landing")).json()
    both.wire.disturb("GET", PATH, incomplete)
    result = await call_over_mcp(ann_on_github, SEARCH, query="landing")

    assert facts["incomplete"]
    assert not whole["incomplete"]
    assert "did not search everything" in text_of(result)


@pytest.mark.parametrize(
    "arguments",
    [
        {"query": ""},
        {"query": " "},
        {"query": "x" * 1001},
        {"query": "two\nlines"},
        {"repository": "acme"},
        {"repository": "acme/rockets is:public"},
        {"kind": "commit"},
        {"state": "merged"},
        {"limit": 0},
        {"limit": 51},
        {"page": 0},
        {"page": "1"},
    ],
)
async def test_a_search_out_of_bounds_is_a_400_and_goes_nowhere(both, stranger, arguments):
    answer = await stranger.call(SEARCH, **{"query": "x", **arguments})

    assert answer.status_code == 400
    assert answer.json()["error"] == "Failed to search GitHub issues"
    assert f"{next(iter(arguments))}: " in answer.json()["message"]
    assert both.wire.sent("GET", PATH) == []


@pytest.mark.parametrize("query", ['a "b', "a) OR (b", "(a OR b", 'a OR b) "("'])
async def test_a_query_that_is_left_open_is_a_400_and_goes_nowhere(both, stranger, query):
    answer = await stranger.call(SEARCH, query=query, repository="acme/rockets")

    assert answer.status_code == 400
    assert "without its second" in answer.json()["message"]
    assert both.wire.sent("GET", PATH) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"repository": "acme/nowhere"}, "cannot be searched"),
        ({"query": "author:nobody"}, "users cannot be searched"),
        ({"limit": 50, "page": 21}, "Only the first 1000 search results are available"),
    ],
)
async def test_a_search_that_github_refuses_is_a_400_in_its_words(ann_on_github, arguments, words):
    answer = await ann_on_github.call(SEARCH, **{"query": "x", **arguments})

    assert answer.status_code == 400
    assert words in answer.json()["message"]
