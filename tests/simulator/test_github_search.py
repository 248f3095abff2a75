"""GitHub's search of issues and pull requests: its language, its refusals and its pages."""

import pytest

from tests.simulator.github_clients import connected

ROCKETS = "repo:acme/rockets"


@pytest.fixture
async def github(clock):
    async with connected(clock=clock) as github:
        yield github


@pytest.fixture
async def ann(github):
    return await github.client("ann")


async def found(client, query, **parameters):
    response = await client.get("search/issues", params={"q": query, **parameters})

    assert response.status_code == 200, response.text
    return [item["number"] for item in response.json()["items"]]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (f"{ROCKETS} is:issue", [6, 4, 2, 1]),
        (f"{ROCKETS} is:pr", [5, 3]),
        (f"{ROCKETS} type:pr is:merged", [5]),
        (f"{ROCKETS} is:issue is:open", [6, 2, 1]),
        (f"{ROCKETS} is:issue state:closed", [4]),
        (f"{ROCKETS} is:issue label:bug", [2, 1]),
        (f'{ROCKETS} is:issue label:bug label:"good first issue"', [2]),
        (f"{ROCKETS} is:issue label:bug,enhancement", [4, 2, 1]),
        (f"{ROCKETS} is:issue -label:bug", [6, 4]),
        (f"{ROCKETS} is:issue author:BOB", [4]),
        (f"{ROCKETS} is:issue author:@me", [6, 1]),
        (f"{ROCKETS} is:issue assignee:ann", [1]),
        (f"{ROCKETS} is:issue countdown SEVEN", [1]),
        (f'{ROCKETS} is:issue "number seven"', [1]),
        (f'{ROCKETS} is:issue "seven number"', []),
        (f"{ROCKETS} is:issue reproduce", [1]),
        (f"{ROCKETS} is:issue reproduce in:title,body", []),
        (f"{ROCKETS} is:issue in:title crash", [2]),
        (f"{ROCKETS} is:issue https://example.com/recording", [1]),
        ("org:acme is:issue is:closed", [4, 1]),
        ("repo:acme/rockets repo:acme/archive is:issue is:closed", [4, 1]),
        ("org:acme -repo:acme/rockets is:issue is:closed", [1]),
        ("is:issue is:private", [1]),
        ("zeppelin is:issue", []),
    ],
)
async def test_terms_fit_together_and_the_newest_comes_first(ann, query, numbers):
    assert await found(ann, query) == numbers


async def test_of_issues_and_pull_requests_no_search_finds_both(ann):
    assert await found(ann, f"{ROCKETS} is:issue is:pull-request") == [5, 3]
    assert await found(ann, f"{ROCKETS} is:issue is:issue is:closed") == [4]


@pytest.mark.parametrize(
    ("sort", "order", "numbers"),
    [
        ("comments", "desc", [1, 2, 6, 4]),
        ("created", "asc", [1, 2, 4, 6]),
        ("updated", "desc", [4, 6, 2, 1]),
    ],
)
async def test_another_order_can_be_asked_for(ann, sort, order, numbers):
    assert await found(ann, f"{ROCKETS} is:issue", sort=sort, order=order) == numbers


async def test_an_answer_counts_all_and_shows_a_page(ann):
    parameters = {"q": f"{ROCKETS} is:issue", "per_page": "3", "page": "2"}

    response = await ann.get("search/issues", params=parameters)

    assert response.json()["total_count"] == 4
    assert response.json()["incomplete_results"] is False
    assert [item["score"] for item in response.json()["items"]] == [1.0]
    assert "closed_by" not in response.json()["items"][0]
    assert response.links["prev"]["url"].endswith("page=1")
    assert response.headers["x-ratelimit-limit"] == "30"


async def test_nobody_finds_what_they_may_not_see(github, ann):
    bob = await github.client("bob")
    narrow = await github.client("ann", scope="public_repo")

    titles = [await found(client, "is:issue launch date") for client in (ann, bob, narrow)]

    assert titles == [[1], [], []]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("is:issue repo:acme/unknown", "The listed users and repositories cannot be searched"),
        ("is:issue repo:acme/secret-plans", "The listed users and repositories cannot be"),
        ("is:issue org:nobody", "The listed users and repositories cannot be searched"),
        ("is:issue author:nobody", "The listed users cannot be searched"),
        (f"is:issue {'long ' * 60}", "The search is longer than 256 characters."),
    ],
)
async def test_a_query_that_cannot_be_searched_is_refused(github, query, message):
    bob = await github.client("bob")

    response = await bob.get("search/issues", params={"q": query})

    (error,) = response.json()["errors"]
    assert response.status_code == 422
    assert response.json()["message"] == "Validation Failed"
    assert (error["resource"], error["field"], error["code"]) == ("Search", "q", "invalid")
    assert error["message"].startswith(message)


@pytest.mark.parametrize("query", [{}, {"q": ""}, {"q": " "}])
async def test_a_query_has_to_be_there(ann, query):
    response = await ann.get("search/issues", params=query)

    assert response.status_code == 422
    assert response.json()["errors"] == [{"resource": "Search", "field": "q", "code": "missing"}]


@pytest.mark.parametrize("query", ["rocket", "is:open rocket", "-is:pr rocket"])
async def test_a_query_has_to_ask_for_issues_or_for_pull_requests(ann, query):
    response = await ann.get("search/issues", params={"q": query})

    assert response.status_code == 422
    assert response.json()["message"] == "Query must include 'is:issue' or 'is:pull-request'"


async def test_nothing_is_shown_beyond_the_thousandth_result(ann):
    parameters = {"q": "is:issue", "per_page": "100", "page": "11"}

    response = await ann.get("search/issues", params=parameters)

    assert response.status_code == 422
    assert response.json()["message"] == "Only the first 1000 search results are available"
