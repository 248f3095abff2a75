"""GitHub's REST API: issues and comments that are created and changed, and by whom."""

import pytest

from tests.simulator.github_clients import connected

ISSUES = "repos/acme/rockets/issues"
NEW = {"title": "Add a fin", "body": "One is missing.", "labels": ["bug", "fins"]}


@pytest.fixture
async def github(clock):
    async with connected(clock=clock) as github:
        yield github


@pytest.fixture
async def ann(github):
    """Return the client of a user who may push."""
    return await github.client("ann")


@pytest.fixture
async def bob(github):
    """Return the client of a user who may not push."""
    return await github.client("bob")


async def test_a_new_issue_gets_the_next_number(ann):
    response = await ann.post(ISSUES, json={**NEW, "assignees": ["bob"]})

    issue = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == issue["url"]
    assert (issue["number"], issue["state"], issue["user"]["login"]) == (7, "open", "ann")
    assert [label["name"] for label in issue["labels"]] == ["bug", "fins"]
    assert [assignee["login"] for assignee in issue["assignees"]] == ["bob"]
    assert (await ann.get(f"{ISSUES}/7")).json() == issue


async def test_without_push_access_labels_and_assignees_are_dropped_silently(bob):
    response = await bob.post(ISSUES, json={**NEW, "assignees": ["nobody-at-all"]})

    assert response.status_code == 201
    assert (response.json()["labels"], response.json()["assignees"]) == ([], [])


@pytest.mark.parametrize("title", [{}, {"title": None}, {"title": ""}, {"title": "  "}])
async def test_a_title_has_to_be_there(ann, title):
    response = await ann.post(ISSUES, json={"body": "x", **title})

    assert response.status_code == 422
    assert response.json() == {
        "message": "Validation Failed",
        "errors": [{"resource": "Issue", "code": "missing_field", "field": "title"}],
        "documentation_url": "https://docs.github.com/rest/issues/issues#create-an-issue",
        "status": "422",
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"title": "x" * 257}, "title"), ({"body": "x" * 65537}, "body")],
)
async def test_a_text_can_be_too_long(ann, changes, field):
    (error,) = (await ann.post(ISSUES, json={**NEW, **changes})).json()["errors"]

    assert (error["code"], error["field"]) == ("custom", field)
    assert "is too long" in error["message"]


async def test_an_assignee_has_to_be_somebody_who_works_there(ann):
    response = await ann.post(ISSUES, json={**NEW, "assignees": ["mallory"]})

    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"value": "mallory", "resource": "Issue", "field": "assignees", "code": "invalid"}
    ]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"title": 7}, "For 'properties/title', 7 is not a string."),
        ({**NEW, "labels": "bug"}, "For 'properties/labels', \"bug\" is not an array."),
    ],
)
async def test_a_value_of_another_type_is_an_invalid_request(ann, body, complaint):
    response = await ann.post(ISSUES, json=body)

    assert response.status_code == 422
    assert response.json()["message"] == f"Invalid request.\n\n{complaint}"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "Problems parsing JSON"), (b"[]", "Body should be a JSON object")],
)
async def test_a_body_that_is_no_object_is_a_bad_request(ann, content, message):
    response = await ann.post(ISSUES, content=content)

    assert response.status_code == 400
    assert response.json()["message"] == message


@pytest.mark.parametrize(
    ("repository", "status"), [("archive", 403), ("no-issues", 410), ("secret-plans", 404)]
)
async def test_not_every_repository_takes_issues(bob, repository, status):
    response = await bob.post(f"repos/acme/{repository}/issues", json=NEW)

    assert response.status_code == status


async def test_an_archived_repository_says_that_it_is_read_only(ann):
    answers = [
        await ann.post("repos/acme/archive/issues/1/comments", json={"body": "x"}),
        await ann.patch("repos/acme/archive/issues/1", json={"state": "open"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    messages = {answer.json()["message"] for answer in answers}
    assert messages == {"Repository was archived so is read-only."}


@pytest.mark.parametrize(("scope", "status"), [("read:user", 404), ("public_repo", 201)])
async def test_writing_takes_a_scope_for_repositories(github, scope, status):
    client = await github.client("ann", scope=scope)

    assert (await client.post(ISSUES, json=NEW)).status_code == status
    assert (await client.get(f"{ISSUES}/1")).status_code == 200


async def test_a_comment_stands_below_its_issue(bob):
    response = await bob.post(f"{ISSUES}/3/comments", json={"body": "Ready for review."})

    assert response.status_code == 201
    comments = (await bob.get(f"{ISSUES}/3/comments")).json()
    assert comments == [response.json()]
    assert comments[0]["user"]["login"] == "bob"
    assert (await bob.get(f"{ISSUES}/3")).json()["comments"] == 1


@pytest.mark.parametrize(
    ("body", "problem"), [(" ", "Body cannot be blank"), ("x" * 65537, "Body is too long")]
)
async def test_a_comment_has_to_say_something_and_not_too_much(ann, body, problem):
    response = await ann.post(f"{ISSUES}/1/comments", json={"body": body})

    assert response.status_code == 422
    assert response.json()["errors"][0]["message"].startswith(problem)


async def test_a_comment_without_a_body_is_an_invalid_request(ann):
    response = await ann.post(f"{ISSUES}/1/comments", json={})

    assert response.status_code == 422
    assert response.json()["message"] == 'Invalid request.\n\n"body" wasn\'t supplied.'


async def test_an_issue_is_closed_and_opened_again(ann):
    closed = (await ann.patch(f"{ISSUES}/1", json={"state": "closed"})).json()
    reopened = (await ann.patch(f"{ISSUES}/1", json={"state": "open"})).json()

    assert (closed["state"], closed["state_reason"]) == ("closed", "completed")
    assert closed["closed_by"]["login"] == "ann"
    assert closed["closed_at"] == closed["updated_at"] == "2026-05-13T09:30:00Z"
    assert (reopened["state"], reopened["state_reason"]) == ("open", "reopened")
    assert (reopened["closed_at"], reopened["closed_by"]) == (None, None)


async def test_a_change_leaves_alone_what_it_does_not_name(ann):
    before = (await ann.get(f"{ISSUES}/1")).json()

    changed = (await ann.patch(f"{ISSUES}/1", json={"body": "Shorter."})).json()
    emptied = (
        await ann.patch(f"{ISSUES}/1", json={"body": None, "labels": [], "assignees": []})
    ).json()

    assert changed == {**before, "body": "Shorter.", "updated_at": "2026-05-13T09:30:00Z"}
    assert (emptied["body"], emptied["labels"], emptied["assignees"]) == (None, [], [])


async def test_a_state_that_is_none_is_an_invalid_request(ann):
    response = await ann.patch(f"{ISSUES}/1", json={"state": "done"})

    assert response.status_code == 422
    assert "'properties/state', \"done\"" in response.json()["message"]


async def test_only_authors_and_those_who_may_push_change_an_issue(ann, bob):
    own = await bob.patch(f"{ISSUES}/3", json={"title": "Say 7", "labels": ["bug"]})
    other = await bob.patch(f"{ISSUES}/1", json={"title": "Mine"})
    pusher = await ann.patch(f"{ISSUES}/3", json={"state": "closed"})

    assert (own.json()["title"], own.json()["labels"]) == ("Say 7", [])
    assert other.status_code == 403
    assert other.json()["message"] == "Must have admin rights to Repository."
    assert (pusher.json()["state"], pusher.json()["state_reason"]) == ("closed", None)
