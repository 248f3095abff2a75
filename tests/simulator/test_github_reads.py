"""GitHub's REST API: who is signed in, what they may see, and the headers of each answer."""

from datetime import timedelta

import pytest

from tests.simulator.github_clients import ORIGIN, connected

USER_MEMBERS = {
    *("login", "id", "user_view_type", "node_id", "avatar_url", "gravatar_id", "url", "html_url"),
    *("followers_url", "following_url", "gists_url", "starred_url", "subscriptions_url"),
    *("organizations_url", "repos_url", "events_url", "received_events_url", "type", "site_admin"),
    *("name", "company", "blog", "location", "email", "notification_email", "hireable", "bio"),
    *("twitter_username", "public_repos", "public_gists", "followers", "following"),
    *("created_at", "updated_at"),
}
PRIVATE_MEMBERS = {
    *("private_gists", "total_private_repos", "owned_private_repos", "disk_usage"),
    *("collaborators", "two_factor_authentication", "plan"),
}
SECRET = "repos/acme/secret-plans/issues/1"


@pytest.fixture
async def github(clock):
    async with connected(clock=clock) as github:
        yield github


@pytest.fixture
async def ann(github):
    return await github.client("ann")


async def test_a_user_has_every_member_of_githubs_schema(ann):
    user = (await ann.get("user")).json()

    assert set(user) == USER_MEMBERS | PRIVATE_MEMBERS
    assert (user["login"], user["name"], user["type"]) == ("ann", "Ann Archer", "User")
    assert user["html_url"] == f"{ORIGIN}/ann"


async def test_without_read_user_only_the_public_part_is_shown(github):
    client = await github.client("bob", scope="repo")

    assert set((await client.get("user")).json()) == USER_MEMBERS


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "Requires authentication"),
        ({"Authorization": "Bearer gho_0"}, "Bad credentials"),
        ({"Authorization": "Basic gho_0"}, "Bad credentials"),
    ],
)
async def test_nobody_gets_a_401_with_its_status_as_text(github, headers, message):
    response = await github.browser.get("/api/v3/user", headers=headers)

    assert response.status_code == 401
    assert response.json() == {
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": "401",
    }


async def test_the_old_scheme_token_is_as_good_as_bearer(github):
    access_token = (await github.signed_in())["access_token"]

    response = await github.browser.get(
        "/api/v3/user", headers={"Authorization": f"token {access_token}"}
    )

    assert response.status_code == 200


async def test_an_issue_is_written_whole(ann):
    issue = (await ann.get("repos/Acme/Rockets/issues/1")).json()

    assert issue["title"] == "Countdown skips the number seven"
    assert issue["html_url"] == f"{ORIGIN}/acme/rockets/issues/1"
    assert issue["url"] == f"{ORIGIN}/api/v3/repos/acme/rockets/issues/1"
    assert [label["name"] for label in issue["labels"]] == ["bug"]
    assert issue["assignee"] == issue["assignees"][0]
    assert (issue["state"], issue["closed_at"], issue["closed_by"]) == ("open", None, None)
    assert issue["created_at"] == "2026-04-04T09:30:00Z"
    assert issue["comments"] == 2
    assert "pull_request" not in issue


async def test_a_closed_issue_says_why_and_by_whom(ann):
    issue = (await ann.get("repos/acme/rockets/issues/4")).json()

    assert (issue["state"], issue["state_reason"]) == ("closed", "not_planned")
    assert issue["closed_by"]["login"] == "ann"


async def test_an_issue_may_have_no_body_at_all(ann):
    assert (await ann.get("repos/acme/rockets/issues/6")).json()["body"] is None


async def test_a_pull_request_is_an_issue_too(ann):
    issue = (await ann.get("repos/acme/rockets/issues/3")).json()
    pull = (await ann.get("repos/acme/rockets/pulls/3")).json()

    assert issue["pull_request"]["url"] == pull["url"]
    assert issue["html_url"] == pull["html_url"] == f"{ORIGIN}/acme/rockets/pull/3"
    assert (pull["head"]["label"], pull["base"]["ref"]) == ("bob:say-seven", "main")
    assert pull["head"]["repo"]["full_name"] == "acme/rockets"
    assert (pull["merged"], pull["mergeable"]) == (False, True)


async def test_a_merged_pull_request_says_when_and_by_whom(ann):
    pull = (await ann.get("repos/acme/rockets/pulls/5")).json()

    assert (pull["state"], pull["merged"]) == ("closed", True)
    assert pull["merged_at"] == pull["closed_at"]
    assert pull["merged_by"]["login"] == "ann"
    assert pull["user"]["type"] == "Bot"


@pytest.mark.parametrize(
    "path",
    [
        "repos/acme/rockets/pulls/1",
        "repos/acme/rockets/pulls/99",
        "repos/acme/rockets/issues/99",
        "repos/acme/rockets/issues/one",
        "repos/acme/unknown/issues/1",
        "repos/acme/rockets",
        "",
    ],
)
async def test_what_is_not_there_is_a_404_with_its_status_as_text(ann, path):
    response = await ann.get(path)

    assert response.status_code == 404
    assert set(response.json()) == {"message", "documentation_url", "status"}
    assert (response.json()["message"], response.json()["status"]) == ("Not Found", "404")


async def test_a_private_repository_takes_a_member_and_the_scope_repo(github, ann):
    bob = await github.client("bob")
    narrow = await github.client("ann", scope="public_repo read:user")

    statuses = [(await client.get(SECRET)).status_code for client in (ann, bob, narrow)]

    assert statuses == [200, 404, 404]


async def test_a_repository_without_issues_still_has_pull_requests(ann):
    pull = await ann.get("repos/acme/no-issues/issues/1")
    issue = await ann.get("repos/acme/no-issues/issues/2")

    assert pull.status_code == 200
    assert issue.status_code == 410
    assert issue.json()["message"] == "Issues are disabled for this repo"


async def test_comments_come_in_pages_that_point_to_each_other(ann):
    path = "repos/acme/rockets/issues/1/comments"
    first = await ann.get(path, params={"per_page": "1"})
    second = await ann.get(first.links["next"]["url"])

    assert [comment["user"]["login"] for comment in first.json()] == ["bob"]
    assert [comment["user"]["login"] for comment in second.json()] == ["ann"]
    assert set(first.links) == {"next", "last"}
    assert set(second.links) == {"prev", "first"}
    assert "link" not in (await ann.get(path, params={"page": "x", "per_page": "0"})).headers


async def test_an_answer_tells_scopes_and_a_request_id(ann):
    first, second = await ann.get("user"), await ann.get("repos/acme/rockets/issues/1")

    assert first.headers["x-oauth-scopes"] == "read:user, repo"
    assert second.headers["x-accepted-oauth-scopes"] == "repo"
    assert first.headers["x-oauth-client-id"] == "app-1"
    assert first.headers["x-github-request-id"] != second.headers["x-github-request-id"]


async def test_the_rate_limit_counts_down_until_its_reset(ann, clock):
    first, second = await ann.get("user"), await ann.get("user")
    clock.advance(timedelta(hours=1))
    later = await ann.get("user")

    remaining = [response.headers["x-ratelimit-remaining"] for response in (first, second, later)]
    assert remaining == ["4999", "4998", "4999"]
    assert first.headers["x-ratelimit-reset"] == "1778668200"
    assert first.headers["x-ratelimit-resource"] == "core"
