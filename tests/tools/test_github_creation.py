"""Creating GitHub's issues: what GitHub gets, what the caller gets, and what is refused."""

import pytest

from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.on_github import issues_of
from tests.fixtures.upstreams import GITHUB_ORIGIN

ROCKETS = "acme/rockets"
ISSUE = "get_github_issue"
CREATE = "create_github_issue"


async def test_a_new_issue_is_told_in_the_agreed_form(ann_on_github, github):
    answer = await ann_on_github.call(
        CREATE,
        repository=ROCKETS,
        title=" Add a window ",
        body="Round, **please**.",
        labels=["Enhancement"],
        assignees=["bob"],
    )

    made = issues_of(github)[7]
    assert answer.json() == {
        "success": True,
        "message": "GitHub issue created successfully",
        "issue": {
            "id": str(made.id),
            "repository": ROCKETS,
            "number": 7,
            "title": "Add a window",
            "state": "open",
            "url": f"{GITHUB_ORIGIN}/acme/rockets/issues/7",
        },
        "warnings": [],
    }
    assert (made.author.login, made.body) == ("ann", "Round, **please**.")
    assert [label.name for label in made.labels] == ["enhancement"]
    assert [assignee.login for assignee in made.assignees] == ["bob"]


async def test_a_new_issue_takes_nothing_but_a_title(ann_on_github):
    result = await call_over_mcp(ann_on_github, CREATE, repository=ROCKETS, title="Add a window")

    url = f"{GITHUB_ORIGIN}/acme/rockets/issues/7"
    assert text_of(result) == f"Created issue acme/rockets#7: {url}"


async def test_labels_and_assignees_that_github_dropped_are_warned_of(bob_on_github):
    arguments = {"title": "Add a window", "labels": ["bug", "urgent"], "assignees": ["ann"]}

    answer = await bob_on_github.call(CREATE, repository=ROCKETS, **arguments)

    assert answer.json()["warnings"] == [
        "GitHub left out these labels: bug, urgent.",
        "GitHub left out these assignees: ann.",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {"title": ""},
        {"title": "x" * 257},
        {"title": "two\nlines"},
        {"body": "x" * 65_537},
        {"labels": "bug"},
        {"labels": [""]},
        {"labels": ["bug"] * 101},
        {"assignees": ["ann"] * 11},
        {"milestone": 1},
    ],
)
async def test_a_new_issue_out_of_bounds_is_a_400_and_is_not_made(stranger, github, arguments):
    answer = await stranger.call(
        CREATE, **{"repository": ROCKETS, "title": "Add a window", **arguments}
    )

    assert answer.status_code == 400
    assert answer.json()["error"] == "Failed to create GitHub issue"
    assert f"{next(iter(arguments))}" in answer.json()["message"]
    assert len(issues_of(github)) == 6


async def test_what_github_refuses_is_a_400_in_its_words(ann_on_github):
    answer = await ann_on_github.call(
        CREATE, repository=ROCKETS, title="Add a window", assignees=["nobody"]
    )

    assert answer.status_code == 400
    assert answer.json()["message"] == (
        "GitHub refused this: Validation Failed. assignees invalid."
    )


async def test_a_repository_that_takes_no_writing_is_a_403_in_githubs_words(ann_on_github):
    answer = await ann_on_github.call(CREATE, repository="acme/archive", title="Add a window")

    assert answer.status_code == 403
    assert answer.json()["message"].endswith("Repository was archived so is read-only.")


@pytest.mark.parametrize(
    ("tool", "arguments"), [(CREATE, {"title": "Add a window"}), (ISSUE, {"number": 9})]
)
async def test_a_repository_without_issues_is_a_404_that_says_so(ann_on_github, tool, arguments):
    answer = await ann_on_github.call(tool, repository="acme/no-issues", **arguments)

    assert answer.status_code == 404
    assert "Issues are disabled for acme/no-issues" in answer.json()["message"]
