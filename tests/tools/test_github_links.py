"""Linking a Rally artifact and a GitHub issue or pull request, both ways."""

import pytest

from tests.fixtures.deployment import RALLY_ORIGIN
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.on_github import API, changes, issues_of, linked
from tests.fixtures.rally_wire import WSAPI, rewrites
from tests.fixtures.upstreams import GITHUB_ORIGIN

LINK = "link_rally_to_github"
TO_ISSUE = {"formatted_id": "US1", "repository": "acme/rockets", "number": 1}
TO_PULL = {"formatted_id": "US1", "repository": "acme/rockets", "number": 3}
ISSUE_URL = f"{GITHUB_ORIGIN}/acme/rockets/issues/1"
PULL_URL = f"{GITHUB_ORIGIN}/acme/rockets/pull/3"
COMMENTS = f"{API}/repos/acme/rockets/issues/1/comments"
EITHER = pytest.mark.parametrize("arguments", [TO_ISSUE, TO_PULL], ids=["issue", "pull_request"])


@pytest.fixture
def story(rally):
    return next(rally.objects.of_types(("HierarchicalRequirement",), rally.users["ann"]))


@pytest.fixture
def story_url(story):
    return f"{RALLY_ORIGIN}/#/detail/userstory/{story.object_id}"


async def test_a_link_is_told_with_both_of_its_ends(ann_on_github, story_url):
    answer = await ann_on_github.call(LINK, **TO_PULL)

    assert answer.json() == {
        "success": True,
        "message": "Rally artifact and GitHub issue linked successfully",
        "formatted_id": "US1",
        "name": "Keep the basket between visits",
        "rally_url": story_url,
        "repository": "acme/rockets",
        "number": 3,
        "kind": "pull_request",
        "title": "Say seven in the countdown",
        "github_url": PULL_URL,
        "in_rally": "created",
        "on_github": "created",
        "warnings": [],
    }


async def test_a_pull_request_becomes_a_connection_of_the_artifact(
    ann_on_github, in_rally, story, github
):
    await linked(ann_on_github, TO_PULL)

    [connection] = in_rally("PullRequest")
    assert connection["Artifact"] == story.object_id
    assert connection["Url"] == PULL_URL
    assert connection["ExternalID"] == str(issues_of(github)[3].id)
    assert connection["ExternalFormattedId"] == "acme/rockets#3"
    assert connection["Name"] == "Say seven in the countdown"
    assert in_rally("ConversationPost") == []


async def test_an_issue_is_told_of_in_the_artifacts_discussion(ann_on_github, in_rally, story):
    await linked(ann_on_github, TO_ISSUE)

    [post] = in_rally("ConversationPost")
    assert post["Artifact"] == story.object_id
    assert post["Text"] == (
        f'<p>Issue <a href="{ISSUE_URL}">acme/rockets#1</a>: Countdown skips the number seven</p>'
    )
    assert in_rally("PullRequest") == []


@EITHER
async def test_a_comment_on_github_names_the_artifact(
    ann_on_github, comments, story_url, arguments
):
    await linked(ann_on_github, arguments)

    assert comments(arguments["number"])[-1] == (
        f"Rally: [US1]({story_url}) ` Keep the basket between visits `"
    )


async def test_a_defect_is_linked_as_well(ann_on_github, comments):
    await linked(ann_on_github, {**TO_ISSUE, "formatted_id": "de1"})

    assert comments(1)[-1].startswith(f"Rally: [DE1]({RALLY_ORIGIN}/#/detail/defect/")


@EITHER
async def test_what_is_linked_is_not_linked_again(ann_on_github, written, arguments):
    first = await linked(ann_on_github, arguments)
    again = await linked(
        ann_on_github, {**arguments, "formatted_id": "us1", "repository": "ACME/Rockets"}
    )

    assert first == ("created", "created")
    assert again == ("existed", "existed")
    assert written() == (1, 1)


@EITHER
async def test_a_side_that_is_missing_is_made_alone(ann_on_github, github, written, arguments):
    await linked(ann_on_github, arguments)
    del issues_of(github)[arguments["number"]].comments[-1]

    assert await linked(ann_on_github, arguments) == ("existed", "created")
    assert written() == (1, 1)


async def test_an_address_in_what_people_wrote_is_a_link(
    ann_on_github, github, rally, story, story_url, written
):
    issues_of(github)[1].body = f"Part of {story_url}."
    text = {"Artifact": story.object_id, "Text": f"See {ISSUE_URL.upper()} and {ISSUE_URL}"}
    rally.objects.add("ConversationPost", story.workspace_id, text)

    assert await linked(ann_on_github, TO_ISSUE) == ("existed", "existed")
    assert written() == (1, 0)


async def test_an_address_that_only_begins_alike_is_none(
    ann_on_github, github, rally, story, story_url
):
    issues_of(github)[1].body = f"Part of {story_url}0."
    text = {"Artifact": story.object_id, "Text": f"<p>See {ISSUE_URL}0</p>"}
    rally.objects.add("ConversationPost", story.workspace_id, text)

    assert await linked(ann_on_github, TO_ISSUE) == ("created", "created")


async def test_another_artifacts_link_is_none(ann_on_github):
    await linked(ann_on_github, {**TO_PULL, "formatted_id": "US2"})

    assert await linked(ann_on_github, TO_PULL) == ("created", "created")


async def test_a_comment_is_found_on_any_page(both, ann_on_github, github, story_url):
    author, issue = github.repositories.accounts["bob"], issues_of(github)[1]
    github.repositories.add_comment(issue, author, f"See {story_url}")
    for number in range(250):
        github.repositories.add_comment(issue, author, f"Me too, {number}")

    assert await linked(ann_on_github, TO_ISSUE) == ("created", "existed")
    pages = [request.url.params["page"] for request in both.wire.sent("GET", COMMENTS)]
    assert pages == ["3", "2", "1"]


async def test_no_more_than_five_pages_of_comments_are_read(both, ann_on_github):
    both.wire.disturb("GET", f"{API}/repos/", changes(comments=100_000))

    await linked(ann_on_github, TO_ISSUE)

    pages = [request.url.params["page"] for request in both.wire.sent("GET", COMMENTS)]
    assert pages == ["1000", "999", "998", "997", "996"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("@bob fixes #1 in acme/rockets#2", "` @bob fixes #1 in acme/rockets#2 `"),
        ("<img src=x> [a](b) **c**", "` <img src=x> [a](b) **c** `"),
        ("a ` b `` c", "``` a ` b `` c ```"),
        ("`", "`` ` ``"),
        ("Pay\r\n\r\n# now\u202e\u200b", "` Pay # now `"),
        ("", ""),
    ],
)
async def test_a_name_from_rally_mentions_nobody_and_draws_nothing_on_github(
    ann_on_github, rally, story, comments, story_url, name, shown
):
    rally.objects.change(story, {"Name": name})

    await linked(ann_on_github, TO_ISSUE)

    assert comments(1)[-1] == f"Rally: [US1]({story_url}) {shown}"


async def test_a_title_from_github_is_text_in_rally(ann_on_github, in_rally):
    await linked(ann_on_github, {**TO_ISSUE, "number": 2})

    [post] = in_rally("ConversationPost")
    assert post["Text"].endswith(": Crash on landing &lt;img src=x onerror=alert(1)&gt;</p>")


async def test_what_rally_warns_about_is_told(both, ann_on_github):
    warned = rewrites(lambda result: result.update(Warnings=["Ignored JSON element x"]))
    both.wire.disturb("POST", f"{WSAPI}/pullrequest/create", warned)

    result = await call_over_mcp(ann_on_github, LINK, **TO_PULL)

    assert result["structuredContent"]["warnings"] == ["Ignored JSON element x"]
    assert "\nRally warned: Ignored JSON element x\n" in text_of(result)


async def test_the_summary_has_nothing_that_people_wrote(ann_on_github, story_url):
    result = await call_over_mcp(ann_on_github, LINK, **TO_PULL)

    trusted, _, written = text_of(result).partition("<<<")
    assert trusted.splitlines()[0] == (
        "US1 and acme/rockets#3 are linked (in Rally: created, on GitHub: created): "
        f"{story_url} {PULL_URL}"
    )
    assert "name: Keep the basket between visits\ntitle: Say seven in the countdown\n" in written
